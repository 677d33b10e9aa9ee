"""What counts as a cause to stop: sensors, drivers and clocks that cannot be believed.

Each at its boundary, and nothing short of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quad_learner.safety.modes import Mode, Reason
from quad_learner.safety.monitors import is_finite, is_young

Bench = Any
"""The bench of conftest.py."""
FIELDS = (
    'joint_position',
    'joint_velocity',
    'joint_effort',
    'orientation',
    'angular_velocity',
    'specific_force',
    'foot_force',
)


def is_stopped(bench: Bench, reason: Reason) -> bool:
    """Whether the robot is in a soft stop for `reason` alone."""
    return bench.command.mode is Mode.SOFT_STOP and bench.command.reasons == reason


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf, 1e308])
@pytest.mark.parametrize('field', FIELDS)
def test_two_samples_with_one_impossible_number_stop_the_robot(
    bench: Bench, field: str, value: float
) -> None:
    well = bench.sample[field]
    last = np.arange(well.size) == well.size - 1
    bench.sample[field] = np.where(last, value, well)
    bench.tick()
    assert bench.code == 'S'
    bench.tick()
    assert is_stopped(bench, Reason.SENSORS_INVALID)
    bench.sample[field] = well
    bench.tick()
    assert bench.state.watch.sample.time_ns == bench.now_ns


@pytest.mark.parametrize('field', FIELDS)
@pytest.mark.parametrize('size', [0, 5, 13])
def test_arrays_of_another_length_stop_the_robot(bench: Bench, field: str, size: int) -> None:
    bench.sample[field] = np.ones(size)
    bench.tick(2)
    assert is_stopped(bench, Reason.SENSORS_INVALID)


@pytest.mark.parametrize(
    ('field', 'good', 'bad'),
    [
        # Limits ±1 and ±2 rad; half a radian beyond is still believed. The middle is at 0.
        ('joint_position', (1.49, 0.5), (1.51, 0.5)),
        ('joint_position', (0.0, -2.49), (0.0, -2.51)),
        ('orientation', (0.0, 0.0, 0.0, 1.019), (0.0, 0.0, 0.0, 1.021)),
        ('orientation', (0.0, 0.0, 0.0, 0.981), (0.0, 0.0, 0.0, 0.979)),
        ('orientation', (0.0, 0.0, 0.0, 1.0), (0.0, 0.0, 0.0, 0.0)),
        ('angular_velocity', (0.0, 39.9, 0.0), (0.0, 40.1, 0.0)),
        ('specific_force', (0.0, 0.0, -399.0), (0.0, 0.0, -401.0)),
    ],
)
def test_a_reading_is_believed_up_to_its_bound(
    make_bench: Any, field: str, good: Any, bad: Any
) -> None:
    # A wide jump is allowed here: this is about where a joint is, not how it got there.
    for value, code in ((good, 'S'), (bad, 'T')):
        bench = make_bench('S', position_jump_rad=9.0)
        bench.sample[field] = np.array(value)
        bench.tick(3)
        assert bench.code == code


WITHOUT_STOPS = {'position_overrun': 2.0}
"""the left joint's limits are ±1 rad; two more"""
ONE_WAY = {'position_max': np.array([3.0, 2.0])}
"""the left joint's limits are -1 and 3 rad; half a radian more"""


@pytest.mark.parametrize(
    ('facts', 'angle', 'code'),
    [
        *(
            (WITHOUT_STOPS, angle, code)
            for angle, code in ((2.99, 'S'), (-2.99, 'S'), (3.01, 'T'))
        ),
        *((ONE_WAY, angle, 'S') for angle in (3.49, -1.49)),
        *((ONE_WAY, angle, 'T') for angle in (3.51, -1.51)),
    ],
)
def test_a_joint_is_believed_as_far_as_its_robot_file_says(
    bench_on: Any, small: Any, facts: dict[str, Any], angle: float, code: str
) -> None:
    bench = bench_on(small.robot, **facts)
    bench.tick(3)
    for step in np.linspace(0.0, angle, 60):
        bench.sample['joint_position'] = np.array([step, 0.5])
        bench.tick()
    bench.tick(2)
    assert bench.code == code


# Top speed 20 rad/s times 1.5 for 0.01 s is 0.3 rad; 0.25 more may be noise: 0.55 rad.
# One sample later it could have moved 0.85 rad from where it was seen last.
@pytest.mark.parametrize('side', [1.0, -1.0])
@pytest.mark.parametrize(
    ('jump', 'bad', 'code'), [(0.54, 0, 'S'), (0.56, 1, 'S'), (0.84, 1, 'S'), (0.86, 1, 'T')]
)
def test_a_joint_that_jumps_further_than_it_can_move_is_not_believed(
    bench: Bench, jump: float, side: float, bad: int, code: str
) -> None:
    change = np.array([0.0, side * jump])
    bench.sample['joint_position'] = bench.sample['joint_position'] + change
    bench.tick()
    assert bench.state.watch.bad == bad
    bench.tick()
    assert bench.code == code


def test_one_bad_sample_is_tolerated_and_not_used(make_bench: Any) -> None:
    bench = make_bench('P')
    before = bench.state.watch.sample
    well = bench.sample['joint_position']
    bench.sample['joint_position'] = np.array([np.nan, 0.0])
    bench.tick()
    assert bench.code == 'P'
    assert bench.state.watch.sample is before
    bench.sample['joint_position'] = well
    bench.tick(20)
    assert bench.code == 'P'


def test_three_bad_samples_of_ten_stop_the_robot_though_never_two_in_a_row(bench: Bench) -> None:
    well = bench.sample['joint_position']
    codes = ''
    for i in range(9):
        bench.sample['joint_position'] = np.full(2, np.nan) if i % 4 == 0 else well
        codes += [bench.tick(), bench.code][1]
    assert codes == 'SSSSSSSST'


def test_bad_samples_far_apart_are_forgotten(bench: Bench) -> None:
    well = bench.sample['joint_position']
    for i in range(60):
        bench.sample['joint_position'] = np.full(2, np.nan) if i % 6 == 0 else well
        bench.tick()
        assert bench.code == 'S'


# 0.05 s of silence: five periods of 0.01 s.
@pytest.mark.parametrize(('ticks', 'code'), [(5, 'S'), (6, 'T')])
def test_silent_sensors_stop_the_robot_after_their_time(
    bench: Bench, ticks: int, code: str
) -> None:
    bench.silent = {'sample'}
    bench.tick(ticks)
    assert bench.code == code
    assert (code == 'S') or is_stopped(bench, Reason.SENSORS_STALE)


@pytest.mark.parametrize(
    ('name', 'ticks', 'reason'),
    [
        ('estimate', 6, Reason.ESTIMATE_STALE),
        ('policy', 8, Reason.TARGET_STALE),
    ],
)
def test_silence_of_what_policy_needs_stops_it_after_its_time(
    make_bench: Any, name: str, ticks: int, reason: Reason
) -> None:
    bench = make_bench('P')
    bench.silent = {name}
    bench.tick(ticks)
    assert bench.code == 'P'
    bench.tick()
    assert is_stopped(bench, reason)


@pytest.mark.parametrize(
    ('name', 'lag_ns', 'reason'),
    [
        ('estimate', 60_000_000, Reason.ESTIMATE_STALE),
        ('policy', 80_000_000, Reason.TARGET_STALE),
    ],
)
def test_what_arrives_fresh_but_was_made_from_an_old_sample_is_old(
    make_bench: Any, name: str, lag_ns: int, reason: Reason
) -> None:
    for lag, code in ((lag_ns, 'P'), (lag_ns + 1, 'T'), (-lag_ns - 1, 'T')):
        bench = make_bench('P')
        real = bench.make

        def delayed(wanted: str, real: Any = real, bench: Bench = bench, lag: int = lag) -> Any:
            bench.now_ns -= lag * (wanted == name)
            made = real(wanted)
            bench.now_ns += lag * (wanted == name)
            return made

        bench.make = delayed
        bench.tick()
        assert bench.code == code
        assert code == 'P' or is_stopped(bench, reason)


def test_the_same_sample_again_is_no_sign_of_life(bench: Bench) -> None:
    stamp = bench.now_ns
    real = bench.make

    def stuck(name: str) -> Any:
        made = real(name)
        if name == 'sample':
            object.__setattr__(made, 'time_ns', stamp)
        return made

    bench.make = stuck
    bench.tick(5)
    assert bench.code == 'S'
    bench.tick()
    assert is_stopped(bench, Reason.SENSORS_STALE)


@pytest.mark.parametrize('silence', [1, 7])
def test_a_sample_that_is_heard_again_and_again_counts_once(make_bench: Any, silence: int) -> None:
    """Two tilted samples are a fall; silent sensors are a cause of their own after six steps."""
    bench = make_bench('P')
    bench.lean(roll=1.5)
    bench.tick()
    bench.silent = {'sample'}
    reasons = Reason.NONE
    for _ in range(silence):
        reasons |= bench.tick().reasons
    assert Reason.TILT not in reasons
    assert (Reason.SENSORS_STALE in reasons) is (silence == 7)


def test_a_sensor_that_starts_over_with_older_stamps_is_taken_up_after_a_stop(
    make_bench: Any,
) -> None:
    bench = make_bench('P')
    real = bench.make

    def restarted(name: str) -> Any:
        made = real(name)
        if name == 'sample':
            object.__setattr__(made, 'time_ns', made.time_ns - 30_000_000_000)
        return made

    bench.make = restarted
    bench.tick(5)
    assert bench.code == 'P'
    bench.tick()
    assert is_stopped(bench, Reason.SENSORS_STALE | Reason.ESTIMATE_STALE | Reason.TARGET_STALE)
    bench.tick(2)
    assert bench.state.watch.sample.time_ns == bench.now_ns - 30_000_000_000


def test_sensors_that_repeat_themselves_while_the_legs_are_told_to_move_stop_the_robot(
    make_bench: Any,
) -> None:
    bench = make_bench('P')
    bench.wish['policy']['position'] = np.array([0.0, 0.6])
    bench.sample |= {'joint_velocity': np.array([0.1, 0.2]), 'angular_velocity': np.arange(3.0)}
    bench.sample['specific_force'] = np.array([0.1, 0.2, 9.8])
    bench.frozen = True
    bench.tick(21)
    assert bench.code == 'P'
    bench.tick()
    assert is_stopped(bench, Reason.SENSORS_FROZEN)


@pytest.mark.parametrize('field', ['joint_position', 'specific_force'])
def test_one_living_group_of_sensors_does_not_vouch_for_the_other(
    make_bench: Any, field: str
) -> None:
    bench = make_bench('P')
    bench.wish['policy']['position'] = np.array([0.0, 0.6])
    bench.frozen = True
    for _ in range(22):
        bench.sample[field] = bench.sample[field] + 1e-6
        bench.tick()
    assert is_stopped(bench, Reason.SENSORS_FROZEN)


@pytest.mark.parametrize('field', ['joint_velocity', 'joint_position', 'specific_force'])
def test_a_sensor_is_alive_when_any_number_of_each_group_changes(
    make_bench: Any, field: str
) -> None:
    bench = make_bench('P')
    bench.frozen = True
    for i in range(60):
        bench.wish['policy']['position'] = np.array([0.0, 0.5 + 0.1 * (i % 3)])
        for name in (field, 'joint_position', 'specific_force'):
            last = np.arange(bench.sample[name].size) == bench.sample[name].size - 1
            bench.sample[name] = bench.sample[name] + last * 1e-6
        bench.tick()
    assert bench.code == 'P'


def test_a_robot_told_to_keep_still_may_read_the_same_for_ever(make_bench: Any) -> None:
    bench = make_bench('P')
    bench.frozen = True
    bench.tick(300)
    assert bench.code == 'P'


# A command lives for 0.1 s: safety held up for longer has left the robot to itself.
@pytest.mark.parametrize(('gap_ns', 'code'), [(100_000_000, 'P'), (100_000_001, 'T')])
def test_a_step_that_comes_after_its_command_has_died_stops_the_robot(
    make_bench: Any, gap_ns: int, code: str
) -> None:
    bench = make_bench('P')
    bench.tick(dt_ns=gap_ns)
    assert bench.code == code


def test_a_clock_that_runs_backwards_stops_the_robot_and_does_not_block_it_for_ever(
    make_bench: Any,
) -> None:
    bench = make_bench('P')
    bench.tick(dt_ns=-30_000_000_000)
    assert bench.code == 'T'
    bench.tick(60)
    bench.wish['reset']['request'] += 5
    bench.tick(200)
    assert bench.code == 'R'


def test_what_was_wrong_before_a_clock_ran_backwards_is_forgotten_in_time(
    make_bench: Any,
) -> None:
    bench = make_bench('P')
    bench.lean(roll=1.5)
    bench.tick(3)
    bench.lean()
    bench.tick(dt_ns=-30_000_000_000)
    bench.tick(250)
    bench.ask('policy')
    bench.tick()
    assert bench.code == 'P'


def test_who_has_never_heard_an_estimate_does_not_walk(small: Any, bench_on: Any) -> None:
    bench = bench_on(small.robot)
    bench.silent = {'estimate'}
    bench.tick(60)
    bench.ask('policy')
    bench.tick()
    assert bench.code == 'S'
    assert Reason.ESTIMATE_STALE in bench.command.reasons


@pytest.mark.parametrize('number', [float('nan'), float('inf')])
@pytest.mark.parametrize('field', ['velocity_body', 'orientation', 'angular_velocity'])
def test_an_estimate_that_is_not_finite_is_not_healthy(
    make_bench: Any, field: str, number: float
) -> None:
    bench = make_bench('P')
    bench.estimate[field] = np.array([0.0, number, 0.0])
    bench.tick()
    assert is_stopped(bench, Reason.ESTIMATE_UNHEALTHY)


@pytest.mark.parametrize(('age', 'young'), [(-1, False), (0, True), (5, True), (6, False)])
def test_an_age_is_young_from_nothing_to_its_bound(age: int, young: bool) -> None:
    assert is_young(age, 5e-9) is young


@pytest.mark.parametrize('number', [np.nan, np.inf, -np.inf])
def test_one_number_that_is_not_finite_makes_the_array_not_finite(number: float) -> None:
    assert is_finite(np.array([1.0, -2.0]))
    assert not is_finite(np.array([1.0, number]))
    assert not is_finite(np.array([np.inf, -np.inf]))
