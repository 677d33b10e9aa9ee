"""What counts as a cause to stop: the body's tilt and speed, heat and battery.

Each at its boundary, and nothing short of it.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from quad_learner.robot.command_judge import CommandJudge, Witness
from quad_learner.safety.modes import Mode, Reason

Bench = Any
"""The bench of conftest.py."""


def is_stopped(bench: Bench, reason: Reason) -> bool:
    """Whether the robot is in a soft stop for `reason` alone."""
    return bench.command.mode is Mode.SOFT_STOP and bench.command.reasons == reason


@pytest.mark.parametrize('axis', ['roll', 'pitch'])
@pytest.mark.parametrize('side', [1.0, -1.0])
@pytest.mark.parametrize(('beyond', 'code'), [(-0.01, 'P'), (0.01, 'T')])
def test_policy_is_stopped_beyond_the_fall_angle(
    make_bench: Any, axis: str, side: float, beyond: float, code: str
) -> None:
    angle = {'roll': 0.8, 'pitch': 0.7}[axis]
    bench = make_bench('P')
    bench.lean(**{axis: side * (angle + beyond)})
    bench.tick()
    assert bench.code == 'P'
    bench.tick()
    assert bench.code == code
    assert (code == 'P') or is_stopped(bench, Reason.TILT)


def test_upside_down_is_fallen(make_bench: Any) -> None:
    bench = make_bench('P')
    bench.lean(roll=np.pi)
    bench.tick(2)
    assert is_stopped(bench, Reason.TILT)


def test_a_tilt_seen_only_once_in_a_while_does_not_stop(make_bench: Any) -> None:
    bench = make_bench('P')
    for i in range(10):
        bench.lean(roll=1.5 * (i % 2))
        bench.tick()
        assert bench.code == 'P'


# A foot bears more than 20 N; policy may do without for 0.2 s: 20 ticks. 50 N were felt before.
@pytest.mark.parametrize(
    ('newton', 'ticks', 'code'), [(20.0, 20, 'P'), (20.0, 21, 'T'), (20.1, 60, 'P')]
)
def test_policy_is_stopped_when_no_foot_has_borne_anything_for_a_while(
    make_bench: Any, newton: float, ticks: int, code: str
) -> None:
    bench = make_bench('P')
    bench.sample['foot_force'] = np.array([newton])
    bench.tick(ticks)
    assert bench.code == code
    assert (code == 'P') or is_stopped(bench, Reason.LIFTED)


def test_one_foot_on_the_ground_is_enough(small: Any, bench_on: Any) -> None:
    bench = bench_on(small.robot, feet=('left', 'right'))
    bench.tick(2)
    bench.ask('policy')
    bench.tick()
    bench.sample['foot_force'] = np.array([0.0, 30.0])
    bench.tick(60)
    assert bench.code == 'P'


def test_a_short_flight_is_not_a_hand(make_bench: Any) -> None:
    bench = make_bench('P')
    for _ in range(3):
        bench.sample['foot_force'] = np.zeros(1)
        bench.tick(20)
        bench.sample['foot_force'] = np.array([50.0])
        bench.tick()
    assert bench.code == 'P'


def test_who_is_lifted_may_not_begin_but_may_be_reset(bench: Bench) -> None:
    bench.sample['foot_force'] = np.zeros(1)
    bench.tick(21)
    bench.ask('policy')
    bench.tick()
    assert bench.code == 'S'
    assert Reason.LIFTED in bench.command.reasons
    bench.ask('reset')
    bench.tick(30)
    assert bench.code == 'R'


def test_a_robot_that_begins_anew_does_not_stand_on_what_it_felt_before(bench: Bench) -> None:
    bench.silent = {'sample'}
    bench.tick(10)  # silent for longer than a sample is believed: now older stamps begin anew
    bench.sample['foot_force'] = np.zeros(1)
    for tick in range(25):
        bench.now_ns += 10_000_000
        sample = dataclasses.replace(bench.make('sample'), time_ns=10_000_000 * (tick + 1))
        inputs = dataclasses.replace(bench.inputs, sample=sample, sample_received_ns=bench.now_ns)
        _, sight = bench.core._monitors.look(bench.state, inputs, bench.now_ns)
        _, bench.state = bench.core.step(bench.state, inputs, bench.now_ns)
    assert Reason.LIFTED in sight.drive


def test_feet_that_feel_nothing_are_not_asked(small: Any, bench_on: Any) -> None:
    bench = bench_on(small.robot, has_foot_force=False)
    bench.sample['foot_force'] = np.zeros(1)
    bench.tick(2)
    bench.ask('policy')
    bench.tick(60)
    assert bench.code == 'P'


# 20 rad/s times 1.5.
@pytest.mark.parametrize(('speed', 'code'), [(29.9, 'S'), (30.1, 'T'), (-30.1, 'T')])
def test_a_joint_faster_than_its_motor_can_be_stops_the_robot(
    bench: Bench, speed: float, code: str
) -> None:
    bench.sample['joint_velocity'] = np.array([0.0, speed])
    bench.tick()
    assert bench.code == 'S'
    bench.tick()
    assert bench.code == code


# Limit 100 °C with 10 °C of hysteresis.
def test_heat_stops_and_goes_on_only_after_cooling(bench: Bench) -> None:
    codes = {}
    for heat in (100.0, 100.1, 95.0, 90.1):
        bench.health['motor_temperature'] = np.array([40.0, heat])
        bench.tick()
        codes[heat] = bool(bench.state.watch.hot)
    assert codes == {100.0: False, 100.1: True, 95.0: True, 90.1: True}
    bench.health['motor_temperature'] = np.array([40.0, 90.0])
    bench.tick()
    assert not bench.state.watch.hot


# Derating begins at 80 °C and leaves half the torque at 100 °C: at 90 °C three quarters.
@pytest.mark.parametrize(('heat', 'share'), [(80.0, None), (90.0, 0.75), (100.0, 0.5)])
def test_torque_falls_with_heat(bench: Bench, heat: float, share: float | None) -> None:
    bench.health['motor_temperature'] = np.array([40.0, heat])
    bench.tick()
    strength = bench.state.watch.strength
    assert (strength is None) == (share is None)
    if share is not None:
        np.testing.assert_allclose(strength, (1.0, share))


@pytest.mark.parametrize(
    ('field', 'value'),
    [
        ('motor_temperature', np.array([40.0, np.nan])),
        ('motor_temperature', np.ones(3)),
        ('battery_charge', float('nan')),
        ('battery_voltage', float('nan')),
    ],
)
@pytest.mark.parametrize('stops', [True, False])
def test_what_is_not_measured_stops_only_where_it_is_told_to(
    make_bench: Any, field: str, value: Any, stops: bool
) -> None:
    bench = make_bench('S', temperature_missing_stops=stops, battery_missing_stops=stops)
    bench.health[field] = value
    bench.tick()
    assert bench.code == ('T' if stops else 'S')


# Health is believed for 2 s, at 100 ticks a second.
@pytest.mark.parametrize(
    ('ticks', 'stops', 'code'), [(200, True, 'S'), (201, True, 'T'), (201, False, 'S')]
)
def test_unknown_health_stops_only_where_it_is_told_to(
    make_bench: Any, ticks: int, stops: bool, code: str
) -> None:
    bench = make_bench('S', temperature_missing_stops=stops, battery_missing_stops=stops)
    bench.silent = {'battery', 'warmth'}
    bench.tick(ticks)
    assert bench.code == code
    if code == 'T':
        assert is_stopped(bench, Reason.LOW_BATTERY | Reason.OVER_TEMPERATURE)


def test_a_robot_without_temperature_sensors_is_not_stopped_for_their_lack(
    small: Any, bench_on: Any
) -> None:
    bench = bench_on(small.robot, has_motor_temperature=False)
    bench.health['motor_temperature'] = np.full(2, np.nan)
    bench.tick(2)
    assert bench.code == 'S'


def test_an_empty_battery_rests_until_it_is_charged_well_above(bench: Bench) -> None:
    found = []
    for charge in (0.2, 0.19, 0.299, 0.301):
        bench.health['battery_charge'] = charge
        bench.tick()
        found.append(bench.state.watch.empty)
    assert found == [False, True, True, False]
    bench.health['battery_voltage'] = 19.9
    bench.tick()
    assert bench.state.watch.empty


@pytest.mark.parametrize('driver', ['policy', 'reset'])
def test_a_robot_that_follows_nobody_ends_the_session_and_needs_a_fresh_one(
    make_bench: Any, driver: str
) -> None:
    bench = make_bench('P' if driver == 'policy' else 'R')
    bench.let_go = True
    bench.tick()
    assert bench.code == 'T'
    assert Reason.STEP_LATE in bench.command.reasons
    bench.ask(driver)
    bench.tick(200)
    assert bench.code == 'T', 'nobody drives what does not follow'
    bench.let_go = False
    bench.tick(200)
    assert bench.code == 'PR'[driver == 'reset']
    assert bench.command.reasons is Reason.NONE


def test_nobody_judges_a_stop_by_senses_that_nobody_believes(small: Any, make_bench: Any) -> None:
    """A joint seems far beyond its stop while another falls fast: safety damps by what it last
    believed, and a judge that hears what the robot says must not take it for too much torque."""
    bench = make_bench('S')
    judge = CommandJudge(small.robot, dataclasses.asdict(small.config), exact=False)

    def tick() -> list[str]:
        bench.tick()
        judge.hear(bench.inputs.sample)
        return judge.check(bench.command, bench.now_ns, Witness())

    assert [tick() for _ in range(3)] == [[]] * 3
    bench.ask('policy')
    assert [tick() for _ in range(3)] == [[]] * 3
    assert bench.code == 'P'
    # It ends at 2 and may read 0.5 beyond. Damping of 2 N·m·s/rad at 8 rad/s is more than the
    # 5 N·m that the left one is allowed.
    bench.sample |= {'joint_position': np.array([0.0, 3.0]), 'joint_velocity': np.array([8.0, 0])}
    assert [tick() for _ in range(8)] == [[]] * 8
    assert bench.code == 'T'
    assert 8.0 * bench.command.kd[0] > 0.5 * small.robot.torque_max[0]
