"""A driver that keeps asking for what lies outside the joint limits is stopped."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quad_learner.safety.modes import Reason

Bench = Any
OUT, IN = np.array([2.0, 0.5]), np.array([0.1, 0.5])
"""[rad] of the small robot: its left joint ends at 1"""
EITHER = pytest.mark.parametrize('name, code', [('policy', 'P'), ('reset', 'R')])


def wants(bench: Bench, name: str, position: np.ndarray[Any, Any], ticks: int) -> None:
    """Lets `name` ask for `position` for so many hundredths of a second."""
    bench.wish[name]['position'] = position
    bench.tick(ticks)


@EITHER
def test_after_a_second_outside_the_driver_is_stopped(
    make_bench: Any, name: str, code: str
) -> None:
    bench = make_bench(code)
    wants(bench, name, OUT, 100)
    assert bench.code == code
    assert bench.command.reasons & Reason.CLIPPED_POSITION
    bench.tick(2)
    assert bench.code == 'T'
    assert bench.command.reasons & Reason.TARGET_INVALID


def test_who_lets_the_legs_go_may_say_where_they_lie(make_bench: Any) -> None:
    """A folded leg rests on its stop, outside the box: reset that rests says so for hours."""
    bench = make_bench('R')
    bench.wish['reset']['kp'] = np.zeros(2)
    wants(bench, 'reset', OUT, 1000)
    assert bench.code == 'R'


def test_one_stiff_joint_is_enough_to_be_stopped(make_bench: Any) -> None:
    bench = make_bench('R')
    bench.wish['reset']['kp'] = np.array([10.0, 0.0])
    wants(bench, 'reset', OUT, 102)
    assert bench.code == 'T'


def test_a_gap_in_time_counts_for_two_periods_at_most(make_bench: Any) -> None:
    bench = make_bench('R')
    bench.wish['reset']['position'] = OUT
    for ticks, code in ((40, 'R'), (20, 'T')):  # of 40 ms each: 0.8 s, and 1.2 s with the others
        bench.tick(ticks, dt_ns=40_000_000)
        assert bench.code == code


def test_who_is_inside_as_long_as_outside_goes_on(make_bench: Any) -> None:
    bench = make_bench('P')
    for _ in range(10):
        wants(bench, 'policy', OUT, 90)
        wants(bench, 'policy', IN, 90)
    assert bench.code == 'P'


def test_who_is_outside_two_thirds_of_the_time_is_stopped_after_three_seconds(
    make_bench: Any,
) -> None:
    bench = make_bench('P')
    for rounds, code in ((8, 'P'), (2, 'T')):
        for _ in range(rounds):
            wants(bench, 'policy', OUT, 20)
            wants(bench, 'policy', IN, 10)
        assert bench.code == code


def test_who_does_it_again_and_again_is_stopped_for_good(make_bench: Any) -> None:
    """Three unexplained stops within a minute latch."""
    bench = make_bench('P')
    for _ in range(3):
        wants(bench, 'policy', OUT, 110)
        assert bench.code in 'TL'
        wants(bench, 'policy', IN, 300)
        bench.ask('policy')
        bench.tick(2)
    assert bench.code == 'L'
