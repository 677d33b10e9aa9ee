"""Who may drive and when: the rules one by one; test_mode_table.py has the whole table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quad_learner.safety.modes import CLIPS, Authority, Mode, Reason

Bench = Any
"""The bench of conftest.py."""


def stance_of(bench: Bench) -> Any:
    return bench.robot.stance.copy()


def test_a_session_lasts_while_its_number_stays_and_ends_with_another(make_bench: Any) -> None:
    for number, code in ((1, 'P'), (0, 'H'), (-3, 'H'), (2, 'H')):
        bench = make_bench('P')
        bench.wish['policy']['request'] = number
        bench.tick()
        assert bench.code == code
        assert code == 'P' or bench.command.reasons == Reason.RELEASED
        assert bench.command.request == (1 if code == 'P' else 0)


def test_a_spent_request_is_never_granted_again(make_bench: Any) -> None:
    bench = make_bench('P')
    bench.wish['policy']['request'] = 0
    bench.tick()
    for number, code in ((1, 'H'), (0, 'H'), (1, 'H'), (2, 'P')):
        bench.wish['policy']['request'] = number
        bench.tick()
        assert bench.code == code


def test_a_request_that_is_already_there_when_safety_starts_is_void(
    small: Any, bench_on: Any
) -> None:
    bench = bench_on(small.robot)
    for name in ('policy', 'reset'):
        bench.wish[name]['request'] = 5
    bench.tick(20)
    assert bench.code == 'S'
    bench.ask('policy')
    bench.tick()
    assert bench.code == 'P'
    assert bench.command.request == 6


@pytest.mark.parametrize('number', [0, -1, -9])
def test_no_number_below_one_is_a_wish_to_drive(small: Any, bench_on: Any, number: int) -> None:
    bench = bench_on(small.robot)
    for asked in (-10, number):
        for name in ('policy', 'reset'):
            bench.wish[name]['request'] = asked
        bench.tick(2)
    assert bench.code == 'S'


def test_a_request_made_before_a_trip_does_not_end_it(make_bench: Any) -> None:
    bench = make_bench('P')
    bench.ask('reset')
    bench.lean(roll=1.5)
    bench.tick(2)
    bench.lean()
    bench.tick(100)
    assert bench.code == 'T'
    bench.ask('reset')
    bench.tick()
    assert bench.code == 'R'


def test_a_stuck_request_does_not_end_a_stop(make_bench: Any) -> None:
    bench = make_bench('T')
    bench.tick(500)
    assert bench.code == 'T'


def test_reset_may_drive_a_fallen_robot_and_policy_may_not(make_bench: Any) -> None:
    bench = make_bench('P')
    bench.lean(pitch=-1.2)
    bench.tick(2)
    bench.ask('policy')
    bench.tick(80)
    assert bench.code == 'T'
    assert bench.command.reasons == Reason.TILT | Reason.NOT_ARMED
    bench.ask('reset')
    bench.tick()
    assert bench.code == 'R'


def test_policy_takes_over_from_reset_once_the_robot_has_stood_for_the_clear_time(
    make_bench: Any,
) -> None:
    bench = make_bench('R')
    bench.lean(roll=2.0)
    bench.tick(10)
    bench.ask('policy')
    bench.tick()
    bench.lean()
    # 0.5 s after the last tilted sample, at 100 ticks a second.
    bench.tick(49)
    assert bench.code == 'R'
    bench.tick()
    assert bench.code == 'P'
    assert bench.command.reasons & ~CLIPS == Reason.NONE


# Handover: within 0.3 rad of level, each joint within 0.4 rad of its stance.
@pytest.mark.parametrize(
    ('roll', 'joint', 'code'),
    [(0.29, 0.0, 'P'), (0.31, 0.0, 'S'), (-0.31, 0.0, 'S'), (0, 0.39, 'P'), (0, -0.41, 'S')],
)
def test_policy_begins_only_with_a_robot_that_stands(
    bench: Bench, roll: float, joint: float, code: str
) -> None:
    bench.sample['joint_position'] = stance_of(bench) + np.array([0.0, joint])
    bench.lean(roll=roll)
    bench.ask('policy')
    bench.tick()
    assert bench.code == code
    assert code == 'P' or bench.command.reasons == Reason.NOT_ARMED


def test_a_refused_request_is_granted_as_soon_as_nothing_speaks_against_it(bench: Bench) -> None:
    bench.estimate['healthy'] = False
    bench.ask('policy')
    bench.tick()
    assert bench.code == 'S'
    assert bench.command.reasons == Reason.NOT_ARMED | Reason.ESTIMATE_UNHEALTHY
    bench.estimate['healthy'] = True
    bench.tick(51)
    assert bench.code == 'P'


def test_a_stop_ends_only_when_its_cause_has_been_gone_for_the_clear_time(
    make_bench: Any,
) -> None:
    bench = make_bench('R')
    bench.silent = {'sample'}
    bench.tick(6)
    assert bench.code == 'T'
    bench.silent = set()
    bench.ask('reset')
    # The last silent step is 0.01 s before the first good one; 0.5 s after it the way is free.
    bench.tick(49)
    assert bench.code == 'T'
    assert bench.command.reasons == Reason.SENSORS_STALE | Reason.NOT_ARMED
    bench.tick()
    assert bench.code == 'R'


def test_stops_do_not_end_more_often_than_every_two_seconds(make_bench: Any) -> None:
    bench = make_bench('T')
    bench.ask('reset')
    bench.tick()
    began_ns = bench.now_ns
    bench.silent = {'reset'}
    bench.tick(9)
    bench.silent = set()
    bench.ask('reset')
    bench.tick()
    while bench.code == 'T':
        bench.tick()
    assert bench.code == 'R'
    assert bench.now_ns - began_ns == 2_000_000_000


@pytest.mark.parametrize('wrong', ['shape', 'source', 'kp', 'kd'])
def test_a_target_that_makes_no_sense_is_refused_and_stops_its_driver(
    make_bench: Any, wrong: str
) -> None:
    changes: dict[str, Any] = {
        'shape': {'position': np.zeros(3)},
        'source': {'source': Authority.RESET},
        'kp': {'kp': np.array([np.inf, 1.0])},
        'kd': {'kd': np.array([1.0, np.nan])},
    }
    for mode in 'PS':
        bench = make_bench(mode)
        bench.wish['policy'].update(changes[wrong])
        bench.wish['policy']['request'] = 1
        bench.tick()
        assert bench.code == ('T' if mode == 'P' else 'S')
        assert bench.command.reasons & Reason.TARGET_INVALID


def test_a_driver_that_was_never_heard_cannot_drive(small: Any, bench_on: Any) -> None:
    bench = bench_on(small.robot)
    bench.silent = {'policy', 'reset'}
    bench.tick(50)
    assert bench.code == 'S'


def test_a_driver_whose_target_is_gone_is_stopped(make_bench: Any) -> None:
    bench = make_bench('P')
    bench.silent = {'policy'}
    object.__setattr__(bench.inputs, 'policy', None)
    bench.tick()
    assert (bench.code, bench.command.reasons) == ('T', Reason.TARGET_STALE)


def test_only_the_operator_ends_a_latched_stop_and_then_a_fresh_request_is_needed(
    make_bench: Any,
) -> None:
    bench = make_bench('P')
    bench.stop = True
    bench.tick()
    assert bench.code == 'L'
    assert bench.command.reasons == Reason.OPERATOR
    for _ in range(300):
        bench.ask('policy')
        bench.ask('reset')
        bench.tick()
        assert bench.code == 'L'
    bench.resume = True
    bench.tick()
    assert bench.code == 'S'
    bench.tick(50)
    assert bench.code == 'S'
    bench.ask('reset')
    bench.tick()
    assert bench.code == 'R'


def test_a_resume_that_is_held_down_acts_once(make_bench: Any) -> None:
    bench = make_bench('S')
    bench.resume = True
    bench.tick()
    bench.stop = bench.resume = True
    bench.tick()
    for _ in range(5):
        bench.resume = True
        bench.tick()
    assert bench.code == 'L'
    bench.tick()
    bench.resume = True
    bench.tick()
    assert bench.code == 'S'


def test_a_resume_is_refused_while_a_cause_lasts_and_says_so(make_bench: Any) -> None:
    bench = make_bench('L')
    bench.health['battery_charge'] = 0.1
    bench.tick()
    bench.resume = True
    bench.tick()
    assert bench.code == 'L'
    assert bench.command.reasons == Reason.OPERATOR | Reason.LOW_BATTERY


def test_an_operator_stop_on_top_of_a_stop_keeps_both_reasons(make_bench: Any) -> None:
    bench = make_bench('T')
    bench.stop = True
    bench.tick()
    assert bench.command.reasons == Reason.TARGET_INVALID | Reason.OPERATOR
    since_ns = bench.state.course.since_ns
    bench.stop = True
    bench.tick()
    assert bench.state.course.since_ns == since_ns


def test_every_step_that_ends_a_session_shows(make_bench: Any) -> None:
    bench = make_bench('P')
    bench.wish['policy']['request'] = 0
    bench.ask('reset')
    bench.tick()
    assert (bench.command.mode, bench.command.reasons) == (Mode.STANDBY, Reason.RELEASED)
    bench.tick()
    assert bench.code == 'R'


def test_a_driver_that_is_first_heard_voids_its_own_request_alone(
    small: Any, bench_on: Any
) -> None:
    bench = bench_on(small.robot)
    bench.silent = {'reset'}
    bench.tick(100)
    bench.silent = set()
    bench.wish['reset']['request'] = 4
    bench.ask('policy')
    bench.tick()
    assert bench.code == 'P'


def test_who_drives_hears_nothing_of_a_refusal_to_another(make_bench: Any) -> None:
    bench = make_bench('R')
    bench.lean(roll=0.5)  # policy may begin below 0.3
    bench.tick(2)
    bench.ask('policy')
    bench.tick()
    assert bench.code == 'R'
    assert not bench.command.reasons & (Reason.NOT_ARMED | Reason.TILT)


def test_a_pose_is_held_for_its_time_and_then_let_go(make_bench: Any) -> None:
    bench = make_bench('P')
    bench.silent = {'policy'}
    bench.tick(8)
    while bench.code == 'P':
        bench.tick()
    for _ in range(19):  # of 20 periods, the one of the stop is the first
        bench.tick()
        assert bench.command.kp.all()
    bench.tick()
    assert not bench.command.kp.any()
    np.testing.assert_array_equal(bench.command.kd, bench.robot.kd_damping)


@pytest.mark.parametrize(
    'health', [{'battery_charge': 0.1}, {'motor_temperature': np.array([40.0, 100.5])}]
)
def test_who_is_tired_is_let_down_gently(make_bench: Any, health: dict[str, Any]) -> None:
    bench = make_bench('P')
    bench.health |= health
    while bench.code == 'P':
        bench.tick()
    for _ in range(19):
        bench.tick()
        assert bench.command.kp.all()
    bench.tick()
    assert not bench.command.kp.any()


def test_a_pose_that_one_joint_held_is_held_in_a_gentle_stop(make_bench: Any) -> None:
    bench = make_bench('P')
    bench.wish['policy']['kp'] = np.array([10.0, 0.0])
    bench.tick()
    bench.silent = {'policy'}
    while bench.code == 'P':
        bench.tick()
    assert bench.code == 'T'
    assert bench.command.kp.any()
