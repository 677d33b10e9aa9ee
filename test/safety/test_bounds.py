"""Exactly at a bound: what 'at most' and 'for longer than' mean, to the last bit.

Where a number in question comes out of arithmetic, the bound is set to that very number.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from quad_learner.robot.rotations import roll_pitch_yaw
from quad_learner.safety.limits import Allowed, Limits
from quad_learner.safety.modes import Reason
from quad_learner.safety.monitors import ANEW_NS

Bench = Any
"""The bench of conftest.py."""
LEAN = 0.3
"""[rad]"""


def leaning(bench: Bench, axis: str) -> float:
    """Leans the body; returns the angle as it is read back [rad]."""
    bench.lean(**{axis: LEAN})
    roll, pitch, _ = roll_pitch_yaw(bench.sample['orientation'])
    return float(roll if axis == 'roll' else pitch)


@pytest.mark.parametrize('axis', ['roll', 'pitch'])
@pytest.mark.parametrize(('less', 'code'), [(0.0, 'P'), (1e-12, 'S')])
def test_policy_begins_at_the_largest_lean(
    make_bench: Any, axis: str, less: float, code: str
) -> None:
    angle = leaning(make_bench('S'), axis)
    bench = make_bench('S', handover_tilt_rad=angle - less)
    leaning(bench, axis)
    bench.tick()
    bench.ask('policy')
    bench.tick()
    assert bench.code == code


@pytest.mark.parametrize(('error', 'code'), [(0.4, 'P'), (0.4 + 1e-12, 'S')])
def test_policy_begins_at_the_largest_distance_from_the_stance(
    make_bench: Any, error: float, code: str
) -> None:
    bench = make_bench('S')
    bench.sample['joint_position'] = np.array([error, 0.5])  # the left joint's stance is 0
    bench.tick()
    bench.ask('policy')
    bench.tick()
    assert bench.code == code


@pytest.mark.parametrize('axis', ['roll', 'pitch'])
@pytest.mark.parametrize(('less', 'code'), [(0.0, 'P'), (1e-12, 'T')])
def test_a_lean_as_large_as_the_fall_angle_is_no_fall(
    small: Any, bench_on: Any, axis: str, less: float, code: str
) -> None:
    angle = leaning(bench_on(small.robot), axis)
    bench = bench_on(small.robot, **{f'fall_{axis}': angle - less})
    bench.tick(2)
    bench.ask('policy')
    bench.tick()
    leaning(bench, axis)
    bench.tick(3)
    assert bench.code == code


@pytest.mark.parametrize(('more', 'code'), [(0.0, 'R'), (1e-9, 'T')])
def test_a_joint_at_its_top_speed_is_not_too_fast(make_bench: Any, more: float, code: str) -> None:
    bench = make_bench('R')
    bench.frozen = True  # nothing is added to what the sensor says
    top = 1.5 * 20.0  # over_speed_scale times speed_max
    bench.sample['joint_velocity'] = np.array([top + more, 0.0])
    bench.tick(5)
    assert bench.code == code


def shaken(bench: Bench) -> list[float]:
    """Lets reset shake a leg for 5 steps; returns how shaken it was after each."""
    found = []
    for step in range(5):
        bench.wish['reset']['position'] = bench.robot.stance + 0.4 * (-1.0) ** step
        bench.tick()
        found.append(float(bench.state.shaken.max()))
    return found


@pytest.mark.parametrize(('less', 'code'), [(0.0, 'R'), (1e-12, 'T')])
def test_who_shakes_as_much_as_is_allowed_is_not_stopped(
    make_bench: Any, less: float, code: str
) -> None:
    most = max(shaken(make_bench('R')))
    bench = make_bench('R', shake_share=most - less)
    shaken(bench)
    bench.wish['reset']['position'] = bench.robot.stance
    bench.tick()
    assert bench.code == code


@pytest.mark.parametrize(('steps', 'code'), [(50, 'R'), (51, 'T')])
def test_who_is_outside_for_as_long_as_is_allowed_is_not_stopped(
    make_bench: Any, steps: int, code: str
) -> None:
    bench = make_bench('R')
    bench.wish['reset']['position'] = np.array([2.0, 0.5])
    bench.tick(50)
    bench = make_bench('R', boxed_time_s=float(bench.state.boxed_s))
    bench.wish['reset']['position'] = np.array([2.0, 0.5])
    bench.tick(steps + 1)  # what one step found, the next one goes by
    assert bench.code == code


@pytest.mark.parametrize(('later_ns', 'code'), [(0, 'T'), (-1, 'L')])
def test_a_trip_as_old_as_the_window_counts_no_longer(
    make_bench: Any, later_ns: int, code: str
) -> None:
    bench = make_bench('S', rearm_interval_s=0.0, latch_trips=2, latch_window_s=1.0)
    for gap_ns in (10_000_000, 10_000_000 + later_ns):
        bench.ask('reset')
        bench.tick()
        bench.wish['reset']['position'] = np.array([0.0, np.nan])
        bench.tick(dt_ns=gap_ns)
        last = bench.code
        bench.wish['reset']['position'] = bench.robot.stance.copy()
        bench.tick(98)
    assert last == code


# The left motor pulls 2 N·m at 4 rad/s, the right one brakes with 3 N·m at 8 rad/s: 32 W.
@pytest.mark.parametrize(('most', 'reasons'), [(32.0, 0), (31.0, Reason.CLIPPED_POWER)])
def test_power_as_high_as_is_allowed_is_not_lowered(
    make_bench: Any, small: Any, most: float, reasons: Reason
) -> None:
    robot = dataclasses.replace(small.robot, power_max=most, power_continuous=most)
    limits = Limits(robot, small.config, target_speed=5.0, torque_share=1.0)
    bench = make_bench('S')
    bench.frozen = True
    bench.sample |= {'joint_position': np.zeros(2), 'joint_velocity': np.array([4.0, 8.0])}
    sample = bench.make('sample')
    asked = Allowed(np.array([0.5, 0.5]), np.array([12.0, 10.0]), np.ones(2), Reason.NONE)
    allowed, _ = limits.within_power(asked, sample, 0.0, 0.0)
    assert allowed.reasons == reasons


# The joint ends at 1 rad, less an eighth; the tolerance is 2^-10 rad: all exact in binary.
@pytest.mark.parametrize(('beyond', 'reasons'), [(1.0, 0), (1.001, Reason.CLIPPED_POSITION)])
def test_a_target_beyond_by_the_tolerance_is_not_told_of(
    make_bench: Any, small: Any, beyond: float, reasons: Reason
) -> None:
    config = small.settings(position_margin_rad=0.125, clip_tolerance_rad=2.0**-10)
    limits = Limits(small.robot, config, target_speed=5.0, torque_share=1.0)
    position, still = np.array([0.875 + beyond * 2.0**-10, 0.5]), np.zeros(2)
    start = np.array([0.875, 0.5])
    sample = dataclasses.replace(make_bench('S').make('sample'), joint_position=start)
    allowed = limits.allow((position, np.ones(2), np.ones(2)), sample, (start, still), 0.01, None)
    np.testing.assert_array_equal(allowed.position, start)
    assert allowed.reasons == reasons


@pytest.mark.parametrize('over', [False, True])
@pytest.mark.parametrize(
    ('field', 'most'),
    [
        ('orientation', (0.0, 0.0, 0.0, 1.25)),
        ('angular_velocity', (0.0, 40.0, 0.0)),
        ('specific_force', (0.0, 0.0, 400.0)),
        ('joint_position', (1.5, 0.5)),  # half a radian beyond its limit
    ],
)
def test_a_reading_at_its_bound_is_believed(
    make_bench: Any, field: str, most: Any, over: bool
) -> None:
    bench = make_bench('S', quaternion_norm_error=0.25, position_jump_rad=9.0)
    bench.frozen = True  # nothing is added to what the sensor says
    value = np.array(most)
    bench.sample[field] = (
        np.where(value == value.max(), np.nextafter(value, 999.0), value) if over else value
    )
    bench.tick()
    assert bench.state.watch.bad == int(over)


@pytest.mark.parametrize('over', [False, True])
def test_a_joint_may_move_as_far_as_it_can(bench: Bench, over: bool) -> None:
    far = 20.0 * 1.5 * 0.01 + 0.25  # in a period at its top speed, and what may be noise
    bench.sample['joint_position'] = np.array([np.nextafter(far, 9.0) if over else far, 0.5])
    bench.tick()
    assert bench.state.watch.bad == int(over)


@pytest.mark.parametrize(('more_ns', 'anew'), [(0, False), (1, True)])
def test_stamps_begin_anew_when_they_are_more_than_a_second_older(
    bench: Bench, more_ns: int, anew: bool
) -> None:
    last_ns = bench.now_ns
    bench.silent = {'sample'}
    bench.tick(10)
    bench.silent = set()
    bench.late_ns = bench.now_ns + 10_000_000 - last_ns + ANEW_NS + more_ns
    bench.tick()
    assert bench.state.watch.sample.time_ns == last_ns - ANEW_NS - more_ns
    assert (bench.state.watch.luck_ns == bench.late_ns) is anew


@pytest.mark.parametrize(('late_ns', 'followed'), [(50_000_000, True), (50_000_001, False)])
def test_lateness_is_taken_for_drift_up_to_the_age_of_a_sample(
    bench: Bench, late_ns: int, followed: bool
) -> None:
    bench.late_ns = late_ns
    bench.tick(10)  # the first of them are older than what was heard before
    assert (bench.state.watch.luck_ns > 0) is followed


@pytest.mark.parametrize(('moved', 'code'), [(0.0625, 'P'), (0.0626, 'T')])
def test_who_is_told_to_move_by_what_noise_could_be_may_read_the_same(
    make_bench: Any, moved: float, code: str
) -> None:
    bench = make_bench('P', frozen_motion_rad=0.0625)
    bench.frozen = True
    bench.wish['policy']['position'] = np.array([0.0, 0.5 + moved])
    bench.tick(40)
    assert bench.code == code


@pytest.mark.parametrize(('metres', 'code'), [(0.5, 'P'), (0.5 + 1e-12, 'T')])
def test_a_place_may_move_as_far_as_a_motion_leads(
    make_bench: Any, metres: float, code: str
) -> None:
    # Half a metre of jump and, at no speed, nothing more.
    bench = make_bench('P', place_jump_m=0.5, place_speed_max_m_s=0.0)
    bench.estimate['position'] = np.array([metres, 0.0, 0.0])
    bench.tick()
    assert bench.code == code


@pytest.mark.parametrize(('metres', 'code'), [(2.0, 'P'), (2.0 + 1e-12, 'T')])
def test_who_stands_at_the_fence_is_within_it(make_bench: Any, metres: float, code: str) -> None:
    bench = make_bench('P', fence_m=2.0, place_jump_m=9.0)
    bench.estimate['position'] = np.array([0.0, -metres, 0.0])
    bench.tick()
    assert bench.code == code


@pytest.mark.parametrize(('volts', 'code'), [(20.0, 'P'), (20.0 - 1e-12, 'T')])
def test_a_battery_at_its_lowest_voltage_is_not_empty(
    make_bench: Any, volts: float, code: str
) -> None:
    bench = make_bench('P')
    bench.health['battery_voltage'] = volts
    bench.tick()
    assert bench.code == code
