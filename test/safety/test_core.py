"""The step as a whole: what is sent in each mode."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

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
    for hold_s in (0.0, 1e-10):  # less than a nanosecond
        bench = make_bench('P', hold_time_s=hold_s)
        bench.estimate['healthy'] = False
        bench.tick()
        assert is_limp(bench)
        assert bench.command.mode is Mode.SOFT_STOP
        assert bench.command.reasons == Reason.ESTIMATE_UNHEALTHY
        bench.estimate['healthy'] = True
        bench.tick(60)
        bench.ask('policy')
        bench.tick()
        assert bench.code == 'P'


def test_the_judge_counts_no_finer_than_the_core(make_bench: Any) -> None:
    bench = make_bench('P', hold_time_s=9.9996e-6)  # in whole nanoseconds 10 µs
    bench.estimate['healthy'] = False
    bench.tick()
    bench.tick(dt_ns=5_000)
    np.testing.assert_allclose(bench.command.kp, 0.5 * bench.robot.kp, rtol=1e-9)


def test_the_judge_lets_drive_again_when_the_core_does(make_bench: Any) -> None:
    # The interval in whole nanoseconds is twenty periods.
    bench = make_bench('P', clear_time_s=0.03, rearm_interval_s=0.2000000004)
    began = []
    for _ in range(2):
        bench.lean(roll=1.5)
        bench.tick(10)
        bench.lean()
        while bench.code != 'P':
            bench.ask('policy')
            bench.tick()
        began.append(bench.now_ns)
    assert began[1] - began[0] == 200_000_000


def test_an_idle_robot_holds_its_pose_also_where_stops_do_not(make_bench: Any) -> None:
    assert make_bench('H', hold_time_s=0.0).code == 'H'


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
    bench.may_fail = True
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


def test_a_robot_with_twelve_joints_is_guarded_as_one_with_two(bench_on: Any, a1: Any) -> None:
    bench = bench_on(a1, has_joint_torque=False)  # it makes none here
    bench.tick()
    bench.ask('policy')
    bench.wish['policy']['position'] = a1.stance + 0.5
    bench.tick(60, dt_ns=8_333_333)
    assert bench.code == 'P'
    assert len(bench.command.position) == 12


def test_a_step_changes_nothing_that_it_was_given(make_bench: Any) -> None:
    bench = make_bench('P')
    before = copy.deepcopy((bench.state, bench.inputs))
    bench.core.step(bench.state, bench.inputs, bench.now_ns + 10_000_000)
    assert repr((bench.state, bench.inputs)) == repr(before)


def test_the_first_step_takes_no_time(small: Any, bench_on: Any) -> None:
    bench = bench_on(small.robot)
    bench.sample['joint_velocity'] = np.array([3.0, 3.0])  # damping takes power
    bench.tick()
    assert bench.state.power_mean == 0.0
    bench.tick()
    assert bench.state.power_mean > 0.0


def test_a_limp_joint_starts_at_rest_wherever_it_was_told_to_be(make_bench: Any) -> None:
    for told in (0.0, 0.8):
        bench = make_bench('P')
        bench.wish['policy'] |= {'kp': np.zeros(2), 'position': np.array([told, 0.5])}
        bench.tick(10)
        bench.wish['policy'] |= {'kp': bench.robot.kp, 'position': np.array([-0.8, 0.5])}
        # At 5 rad/s from where it is; who had moved the other way would have to stop first.
        assert bench.tick().position[0] == pytest.approx(-0.05)


def test_a_joint_held_ever_so_softly_turns_round_as_one_held_stiffly(make_bench: Any) -> None:
    for kp in (10.0, 0.5):
        bench = make_bench('P')
        bench.wish['policy'] |= {'kp': np.full(2, kp), 'position': np.array([0.8, 0.5])}
        bench.tick(4)
        bench.wish['policy']['position'] = np.array([-0.8, 0.5])
        # It went ahead by 0.05 rad a step, and turns by as much in one.
        assert [bench.tick().position[0] for _ in range(3)] == pytest.approx([0.2, 0.15, 0.1])
