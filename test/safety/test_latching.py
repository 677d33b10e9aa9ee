"""Which stops need an operator: causes that nobody can explain, where they last or come again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quad_learner.safety.modes import Reason

Bench = Any
"""The bench of conftest.py."""


def stance_of(bench: Bench) -> Any:
    return bench.robot.stance.copy()


def test_an_unexplained_cause_that_lasts_needs_an_operator(make_bench: Any) -> None:
    bench = make_bench('R')
    bench.sample['joint_velocity'] = np.array([40.0, 0.0])
    bench.tick(2)
    assert bench.code == 'T'
    bench.tick(100)
    assert bench.code == 'T'
    bench.tick()
    assert bench.code == 'L'
    assert bench.command.reasons == Reason.OVER_SPEED


@pytest.mark.parametrize(
    ('roll', 'health'),
    [
        (1.5, {}),
        (0.0, {'battery_charge': 0.19}),
        (0.0, {'motor_temperature': np.array([40.0, 101.0])}),
    ],
)
def test_an_explained_cause_that_lasts_needs_no_operator(
    make_bench: Any, roll: float, health: dict[str, Any]
) -> None:
    bench = make_bench('P')
    bench.lean(roll=roll)
    bench.health.update(health)
    bench.tick(502)
    assert bench.code == 'T'


def test_the_third_unexplained_trip_within_the_window_needs_an_operator(make_bench: Any) -> None:
    bench = make_bench('S', rearm_interval_s=0.0)
    codes = ''
    for _ in range(3):
        bench.ask('reset')
        bench.tick()
        bench.wish['reset']['position'] = np.array([0.0, np.nan])
        bench.tick()
        codes += bench.code
        bench.wish['reset']['position'] = stance_of(bench)
        bench.tick(60)
    assert codes == 'TTL'


def test_trips_that_are_far_apart_or_explained_need_no_operator(make_bench: Any) -> None:
    bench = make_bench('S', rearm_interval_s=0.0, latch_window_s=1.0)
    for i in range(8):
        bench.ask('reset')
        bench.tick()
        if i % 2:
            bench.wish['reset']['position'] = np.array([0.0, np.nan])
            bench.tick()
        else:
            bench.silent = {'reset'}
            bench.tick(9)
        assert bench.code == 'T'
        bench.silent = set()
        bench.wish['reset']['position'] = stance_of(bench)
        bench.tick(110)


def test_falls_alone_never_latch(make_bench: Any) -> None:
    bench = make_bench('P', rearm_interval_s=0.0)
    for _ in range(5):
        bench.lean(roll=1.5)
        bench.tick(3)
        assert bench.code == 'T'
        bench.lean()
        bench.tick(100)
        bench.ask('policy')
        bench.tick()
        assert bench.code == 'P'


def trip(bench: Bench, cause: str) -> str:
    """Lets reset drive, stops it by `cause`, lets all be well again; returns the stop's code."""
    bench.ask('reset')
    bench.tick()
    assert bench.code == 'R'
    well = {name: bench.sample[name].copy() for name in ('joint_velocity', 'joint_position')}
    if cause == 'silent':
        bench.silent = {'reset'}
        bench.tick(9)
    elif cause == 'frozen':
        bench.frozen = True
        bench.wish['reset']['position'] = stance_of(bench) + 0.3
        bench.tick(40)
    else:
        field = 'joint_velocity' if cause == 'fast' else 'joint_position'
        bench.sample[field] = np.array([40.0, 0.0])
        bench.tick(2)
    code = str(bench.code)
    bench.silent, bench.frozen = set(), False
    bench.sample.update(well)
    bench.wish['reset']['position'] = stance_of(bench)
    bench.tick(60)
    return code


@pytest.mark.parametrize('cause', ['fast', 'invalid', 'frozen'])
def test_each_cause_that_a_sensor_cannot_explain_counts(make_bench: Any, cause: str) -> None:
    bench = make_bench('S', rearm_interval_s=0.0)
    assert ''.join(trip(bench, cause) for _ in range(3)) == 'TTL'


def test_explained_trips_do_not_count_towards_the_third(make_bench: Any) -> None:
    bench = make_bench('S', rearm_interval_s=0.0)
    causes = ('silent', 'silent', 'fast', 'silent', 'fast', 'silent', 'fast')
    assert ''.join(trip(bench, cause) for cause in causes) == 'TTTTTTL'


def test_a_cause_that_went_away_begins_anew_when_it_comes_again(make_bench: Any) -> None:
    """Latched after a second in which it lasts; each time it lasts for 0.6 s here."""
    bench = make_bench('R', latch_trips=9)
    for _ in range(3):
        bench.sample['joint_velocity'] = np.array([40.0, 0.0])
        bench.tick(61)
        assert bench.code == 'T'
        bench.sample['joint_velocity'] = np.zeros(2)
        bench.tick(20)
        assert bench.code == 'T'
