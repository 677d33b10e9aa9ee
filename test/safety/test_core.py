"""The step as a whole: what is sent in each mode, and the invariants for every input."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from quad_learner.robot.command_judge import Witness
from quad_learner.safety.core import SafetyCore
from quad_learner.safety.modes import Authority, Mode, Reason

Bench = Any
"""The bench of conftest.py."""


def is_limp(bench: Bench) -> bool:
    """Whether the last command damps each joint and holds none."""
    return not bench.command.kp.any() and bool((bench.command.kd > 0.0).all())


def test_the_first_command_damps_and_bears_epoch_sequence_and_joints(make_bench: Any) -> None:
    bench = make_bench('I')
    command = bench.command
    assert (command.mode, command.authority) == (Mode.INIT, Authority.NOBODY)
    assert (command.epoch, command.sequence, command.request) == (7, 1, 0)
    assert command.joints_hash == bench.robot.joints_hash
    assert command.lifetime_ns == 100_000_000
    assert command.reasons == Reason.NOT_ARMED | Reason.SENSORS_STALE
    np.testing.assert_allclose(command.position, (0.0, 0.5))
    np.testing.assert_allclose(command.kd, (2.0, 2.0))
    assert is_limp(bench)
    np.testing.assert_array_equal(command.effort, 0.0)


def test_before_anything_was_sensed_a_command_bears_no_time(make_bench: Any) -> None:
    bench = make_bench('I')
    assert bench.command.time_ns == 0
    before = bench.core.initial(epoch=3).command
    assert (before.sequence, before.time_ns, before.epoch) == (0, 0, 3)


def test_after_a_gap_targets_move_as_in_two_periods_and_no_further(make_bench: Any) -> None:
    bench = make_bench('R')
    bench.wish['reset']['position'] = np.array([0.9, 0.5])
    bench.tick(20)
    bench.sample['joint_position'] = bench.command.position.copy()
    bench.tick()
    before = bench.command.position[0]
    for moved in (0.04, 0.08):  # 2 rad/s for 0.02 s each
        bench.tick(dt_ns=40_000_000)
        assert bench.code == 'R'
        assert bench.command.position[0] - before == pytest.approx(moved)


def test_a_clock_that_goes_back_makes_no_stop_longer(make_bench: Any) -> None:
    bench = make_bench('R')
    for _ in range(2):  # the second stop comes after one that a driver has ended
        bench.silent = {'sample'}
        bench.tick(10)
        assert bench.code == 'T'
        bench.silent = set()
        bench.now_ns -= 30 * 10**9
        bench.tick(300)
        bench.ask('reset')
        bench.tick(2)
        assert bench.code == 'R'


def test_sequence_numbers_rise_one_by_one_whatever_happens(make_bench: Any) -> None:
    bench = make_bench('P')
    last = bench.command.sequence
    for change in ('stop', 'nothing', 'resume', 'nothing'):
        setattr(bench, change, True)
        bench.tick()
        last += 1
        assert bench.command.sequence == last


def test_a_command_answers_the_newest_sample_even_one_that_is_not_believed(bench: Bench) -> None:
    for position in ((0.0, 0.5), (np.nan, 0.5)):
        bench.sample['joint_position'] = np.array(position)
        bench.tick()
        assert bench.command.time_ns == bench.now_ns


def test_standby_rests_limp_where_the_legs_are(bench: Bench) -> None:
    bench.sample['joint_position'] = np.array([0.3, 0.4])
    bench.tick()
    assert is_limp(bench)
    np.testing.assert_allclose(bench.command.position, (0.3, 0.4))
    bench.sample['joint_position'] = np.array([0.5, -1.2])
    for _ in range(60):
        bench.sample['joint_position'] = bench.sample['joint_position'] + np.array([0.01, -0.01])
        bench.tick()
    # Beyond the box, which ends at 0.9 and -1.9 rad, the command stays on its edge.
    np.testing.assert_allclose(bench.command.position, (0.9, -1.8), atol=1e-9)


def test_driving_begins_where_the_legs_are_and_moves_at_its_speed(bench: Bench) -> None:
    bench.sample['joint_position'] = np.array([0.2, 0.4])
    bench.tick()
    bench.wish['policy']['position'] = np.array([0.0, 1.5])
    bench.ask('policy')
    bench.tick()
    # 5 rad/s for 0.01 s from what was measured.
    np.testing.assert_allclose(bench.command.position, (0.15, 0.45))
    bench.tick()
    np.testing.assert_allclose(bench.command.position, (0.1, 0.5))
    assert bench.command.reasons == Reason.CLIPPED_RATE


def test_policy_goes_on_from_where_reset_was(make_bench: Any) -> None:
    bench = make_bench('R')
    bench.wish['reset']['position'] = np.array([0.3, 0.5])
    bench.tick(5)
    # Reset moves at 2 rad/s: 0.1 rad in five ticks.
    np.testing.assert_allclose(bench.command.position, (0.1, 0.5))
    bench.wish['policy']['position'] = np.array([-0.3, 0.5])
    bench.ask('policy')
    bench.tick()
    assert bench.code == 'P'
    # It went ahead by 0.02 rad; turning by 5 rad/s it goes back by 0.03, and then at its speed.
    np.testing.assert_allclose(bench.command.position, (0.07, 0.5))
    bench.tick()
    np.testing.assert_allclose(bench.command.position, (0.02, 0.5))


def test_each_driver_has_its_own_torque(make_bench: Any) -> None:
    # 0.7 rad at kp 10 is 7 N·m on a motor of 10: reset may use them all, policy half of them.
    for mode, name, kp in (('P', 'policy', 5.0 / 0.7), ('R', 'reset', 10.0)):
        bench = make_bench(mode, policy_target_speed_rad_s=2.0, position_jump_rad=1.0)
        bench.wish[name]['position'] = np.array([0.0, 0.5])
        bench.tick()
        bench.sample['joint_position'] = np.array([-0.72, 0.5])
        bench.tick()
        moved = bench.command.position[0]
        assert bench.command.kp[0] == pytest.approx(kp, abs=0.05 if mode == 'R' else 0.2)
        assert moved == pytest.approx(-0.02 if mode == 'P' else 0.0)


def test_a_joint_left_limp_by_its_driver_starts_again_from_where_it_is(make_bench: Any) -> None:
    bench = make_bench('P')
    bench.wish['policy']['kp'] = np.array([0.0, 10.0])
    bench.tick()
    bench.sample['joint_position'] = np.array([0.4, 0.5])
    bench.tick()
    bench.wish['policy']['kp'] = np.array([10.0, 10.0])
    bench.tick()
    np.testing.assert_allclose(bench.command.position, (0.35, 0.5))


def test_a_late_step_moves_no_further_than_two_periods(make_bench: Any) -> None:
    bench = make_bench('P')
    bench.wish['policy']['position'] = np.array([0.9, 0.5])
    bench.tick()
    bench.tick(dt_ns=90_000_000)
    assert bench.command.position[0] == pytest.approx(0.15)


def test_no_time_means_no_motion(make_bench: Any) -> None:
    bench = make_bench('P')
    bench.wish['policy']['position'] = np.array([0.9, 0.9])
    bench.tick(dt_ns=0)
    np.testing.assert_allclose(bench.command.position, (0.0, 0.5))


def test_a_session_given_back_leaves_the_pose_held_with_the_stance_gains(make_bench: Any) -> None:
    bench = make_bench('P')
    bench.wish['policy'].update(position=np.array([0.04, 0.52]), kp=np.array([12.0, 8.0]))
    bench.tick()
    bench.wish['policy'].update(request=0, position=np.array([0.9, 0.9]))
    bench.tick(100)
    assert bench.code == 'H'
    np.testing.assert_allclose(bench.command.position, (0.04, 0.52))
    np.testing.assert_allclose(bench.command.kp, (10.0, 10.0))
    np.testing.assert_allclose(bench.command.kd, (1.0, 1.0))


@pytest.mark.parametrize('why', ['limp', 'fallen'])
def test_a_session_given_back_limp_or_fallen_leaves_the_legs_limp(
    make_bench: Any, why: str
) -> None:
    bench = make_bench('R')
    if why == 'limp':
        bench.wish['reset']['kp'] = np.zeros(2)
    else:
        bench.lean(roll=1.5)
    bench.tick(2)
    bench.wish['reset']['request'] = 0
    bench.tick()
    assert bench.code == 'S'
    assert is_limp(bench)


def test_a_gentle_stop_lets_the_legs_go_within_its_time(make_bench: Any) -> None:
    bench = make_bench('P')
    bench.silent = {'policy'}
    bench.tick(9)
    grips = []
    for _ in range(21):
        assert bench.command.mode is Mode.SOFT_STOP
        grips.append(bench.command.kp[0])
        np.testing.assert_allclose(bench.command.position, (0.0, 0.5))
        bench.tick()
    # Stiffness 10 fades over 0.2 s, in 20 equal steps.
    np.testing.assert_allclose(grips, np.linspace(10.0, 0.0, 21), atol=1e-9)
    np.testing.assert_allclose(bench.command.kd, (2.0, 2.0))


@pytest.mark.parametrize('then', ['falls', 'blind', 'operator'])
def test_a_gentle_stop_turns_to_damping_when_it_gets_worse(make_bench: Any, then: str) -> None:
    bench = make_bench('P')
    bench.estimate['healthy'] = False
    bench.tick()
    assert not is_limp(bench)
    if then == 'falls':
        bench.lean(roll=1.5)
        bench.tick()
    elif then == 'blind':
        bench.silent = {'sample'}
        bench.tick(6)
    else:
        bench.stop = True
        bench.tick()
    assert is_limp(bench)


def test_without_time_to_hold_a_stop_damps_at_once(make_bench: Any) -> None:
    bench = make_bench('P', hold_time_s=0.0)
    bench.estimate['healthy'] = False
    bench.tick()
    assert is_limp(bench)


@pytest.mark.parametrize('cause', ['tilt', 'sensors', 'operator', 'speed'])
def test_other_stops_damp_at_once(make_bench: Any, cause: str) -> None:
    bench = make_bench('P')
    if cause == 'tilt':
        bench.lean(pitch=1.5)
    elif cause == 'sensors':
        bench.sample['joint_position'] = np.full(2, np.nan)
    elif cause == 'speed':
        bench.sample['joint_velocity'] = np.full(2, 35.0)
    else:
        bench.stop = True
    bench.tick(2)
    assert is_limp(bench)


def test_a_held_pose_is_let_go_when_the_robot_falls(make_bench: Any) -> None:
    bench = make_bench('H')
    bench.lean(roll=-1.5)
    bench.tick(2)
    assert bench.command.mode is Mode.SOFT_STOP
    assert bench.command.reasons == Reason.TILT
    assert is_limp(bench)


@pytest.mark.parametrize('garbage', ['inputs', 'sample', 'target', 'watch'])
def test_what_cannot_be_evaluated_is_a_latched_stop(make_bench: Any, garbage: str) -> None:
    bench = make_bench('P')
    inputs, state = bench.inputs, bench.state
    sent = bench.command.position
    if garbage == 'inputs':
        inputs = None
    elif garbage == 'sample':
        inputs = copy.copy(inputs)
        object.__setattr__(inputs, 'sample', 'not a sample')
    elif garbage == 'target':
        inputs = copy.copy(inputs)
        object.__setattr__(inputs, 'policy', object())
    else:
        state = state._replace(watch=None)
    command, after = bench.core.step(state, inputs, bench.now_ns + 1)
    assert command.mode is Mode.LATCHED_STOP
    assert command.reasons == Reason.INTERNAL
    assert not command.kp.any()
    np.testing.assert_allclose(command.kd, (2.0, 2.0))
    np.testing.assert_array_equal(command.position, sent)
    assert command.sequence == state.command.sequence + 1
    assert not bench.judge.check(command, bench.now_ns + 1, Witness())
    bench.state = after._replace(watch=bench.state.watch)
    bench.tick(60)
    assert bench.code == 'L'
    bench.resume = True
    bench.tick()
    assert bench.code == 'S'


def test_a_failure_on_the_very_first_step_damps_too(small: Any) -> None:
    core = SafetyCore(small.robot, small.config)
    command, _ = core.step(core.initial(1), None, 5)  # type: ignore[arg-type]
    assert command.mode is Mode.LATCHED_STOP
    assert command.time_ns == 0
    np.testing.assert_allclose(command.position, (0.0, 0.5))


def test_a_stamp_that_is_no_number_is_not_passed_on(make_bench: Any) -> None:
    bench = make_bench('P')
    object.__setattr__(bench.inputs.sample, 'time_ns', 'noon')
    command, _ = bench.core.step(bench.state, bench.inputs, bench.now_ns + 1)
    assert (command.mode, command.time_ns) == (Mode.LATCHED_STOP, 0)


class Storm:
    """Changes a bench at random: anything a broken world may say."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self.bench = bench
        self.well = (dict(bench.sample), dict(bench.estimate), dict(bench.health))
        self.rng = np.random.default_rng(seed)

    def blow(self) -> None:
        """Sets what the next tick will find: usually well, sometimes anything."""
        bench, rng = self.bench, self.rng
        bench.sample, bench.estimate, bench.health = (dict(well) for well in self.well)
        robot = bench.robot
        for want in bench.wish.values():
            want.update(kp=robot.kp, kd=robot.kd)
            want['position'] = robot.stance + rng.normal(0.0, 0.5, 2)
        bench.sample['joint_velocity'] = rng.normal(0.0, 2.0, 2)
        bench.sample['joint_position'] = bench.sample['joint_position'] + rng.normal(0.0, 0.05, 2)
        event = rng.integers(0, 120)
        numbers = rng.choice([np.nan, np.inf, -np.inf, 1e308, -0.0, 57.3, -3.0], 4)
        bench.silent = {rng.choice(['sample', 'policy', 'estimate', 'health'])}
        bench.silent = bench.silent if event < 6 else set()
        if 6 <= event < 10:
            field = rng.choice(list(bench.sample))
            bench.sample[field] = np.resize(numbers, bench.sample[field].size + (event == 9))
        elif 10 <= event < 20:
            field = rng.choice(['position', 'kp', 'kd'])
            bench.wish[rng.choice(['policy', 'reset'])][field] = np.resize(numbers, 2)
        elif 20 <= event < 40:
            bench.wish[rng.choice(['policy', 'reset'])]['request'] += rng.integers(-1, 3)
        elif 40 <= event < 44:
            bench.lean(roll=rng.uniform(-3.0, 3.0))
        elif 44 <= event < 48:
            bench.sample['joint_velocity'] = rng.normal(0.0, 25.0, 2)
        bench.health['motor_temperature'] = rng.uniform(30.0, 100.4, 2)
        bench.stop = event == 48
        bench.resume = 50 <= event < 60
        bench.let_go = 60 <= event < 64

    def tick(self) -> None:
        self.blow()
        gap = self.rng.choice([10_000_000, 10_000_000, 10_000_000, 3_000_000, 0, 55_000_000])
        jump = self.rng.random() < 0.002
        self.bench.tick(dt_ns=int(-gap if jump else gap))


SEEDS = st.integers(0, 2**32 - 1)


# A seed has nothing to shrink to: each storm is as good as any other.
@settings(max_examples=25, deadline=None, phases=[Phase.reuse, Phase.generate])
@given(seed=SEEDS)
def test_every_command_keeps_the_invariants_in_any_storm(
    small: Any, bench_on: Any, seed: int
) -> None:
    # So little power that it binds in every other storm.
    power = {'power_max': 60.0, 'power_continuous': 40.0} if seed % 2 else {}
    bench = bench_on(small.robot, **power)
    storm = Storm(bench, seed)
    for _ in range(120):
        storm.tick()
        assert Reason.INTERNAL not in bench.command.reasons
    assert bench.judge.judged == 120


def test_a_storm_reaches_every_mode_and_driver(small: Any, bench_on: Any) -> None:
    seen = set()
    for seed in range(6):
        bench = bench_on(small.robot)
        storm = Storm(bench, seed)
        for _ in range(250):
            storm.tick()
            seen.add(bench.code)
    assert seen >= set('SHPRTL')


def test_the_same_inputs_give_the_same_commands_to_the_bit(small: Any, bench_on: Any) -> None:
    bench = bench_on(small.robot)
    storm = Storm(bench, 3)
    recorded = []
    for _ in range(300):
        storm.tick()
        recorded.append((copy.copy(bench.inputs), bench.now_ns, bench.command))
    core = SafetyCore(small.robot, small.config)
    state = core.initial(epoch=7)
    for inputs, now_ns, command in recorded:
        again, state = core.step(state, inputs, now_ns)
        for name, value in vars(command).items():
            assert np.asarray(getattr(again, name)).tobytes() == np.asarray(value).tobytes()


def test_a_step_changes_nothing_that_it_was_given(make_bench: Any) -> None:
    bench = make_bench('P')
    before = copy.deepcopy((bench.state, bench.inputs))
    bench.core.step(bench.state, bench.inputs, bench.now_ns + 10_000_000)
    assert repr((bench.state, bench.inputs)) == repr(before)


def test_a_robot_with_twelve_joints_is_guarded_as_one_with_two(bench_on: Any, a1: Any) -> None:
    bench = bench_on(a1, has_joint_torque=False)  # it makes none here
    bench.tick()
    bench.ask('policy')
    bench.wish['policy']['position'] = a1.stance + 0.5
    bench.tick(60, dt_ns=8_333_333)
    assert bench.code == 'P'
    assert len(bench.command.position) == 12
