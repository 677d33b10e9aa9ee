"""A driver that shakes the legs within all limits is stopped.

The small robot's action is a radian wide, and it decides 50 times a second. Bang-bang from end to
end is one swing a decision: its mean reaches 0.6 after -ln(0.4) = 0.92 s.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quad_learner.safety.modes import Reason

Bench = Any
EITHER = pytest.mark.parametrize('name, code', [('policy', 'P'), ('reset', 'R')])


def asks(bench: Bench, name: str, offsets: Any) -> str:
    """Lets `name` ask for each offset from the stance [rad] for a decision; returns the code."""
    for offset in offsets:
        bench.wish[name]['position'] = bench.robot.stance + offset
        bench.tick(2)
    return str(bench.code)


def bang_bang(decisions: int, reach: float, joint: int = 0) -> Any:
    """Offsets of one joint from one side to the other."""
    return [reach * (-1.0) ** k * np.eye(2)[joint] for k in range(decisions)]


@EITHER
@pytest.mark.parametrize('joint', [0, 1])
def test_bang_bang_is_stopped_within_a_second(
    make_bench: Any, name: str, code: str, joint: int
) -> None:
    bench = make_bench(code)
    assert asks(bench, name, bang_bang(44, 0.5, joint)) == code
    assert asks(bench, name, bang_bang(5, 0.5, joint)) == 'T'
    assert Reason.TARGET_INVALID in bench.command.reasons


@pytest.mark.parametrize(('reach', 'code'), [(0.29, 'P'), (0.31, 'T')])
def test_it_counts_how_far_it_swings(make_bench: Any, reach: float, code: str) -> None:
    """0.58 and 0.62 of the width, for ten seconds: a mean of seven time constants."""
    bench = make_bench('P')
    asks(bench, 'policy', bang_bang(500, reach)[:50])
    for _ in range(9):
        if bench.code == 'P':
            asks(bench, 'policy', bang_bang(50, reach))
    assert bench.code == code


def test_noise_over_the_whole_width_is_no_shaking(make_bench: Any) -> None:
    """The mean distance of two numbers from 0 to 1 is a third."""
    bench = make_bench('P')
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (3000, 2))
    assert asks(bench, 'policy', noise) == 'P'


def test_one_leap_is_one_swing_however_far(make_bench: Any) -> None:
    bench = make_bench('P')
    asks(bench, 'policy', np.tile(((1e150, 0.0), (0.0, 0.0)), (10, 1)))
    assert bench.code == 'P'
    assert bench.state.shaken[0] < 20 / 50


def test_what_was_shaken_before_is_forgotten_in_time(make_bench: Any) -> None:
    bench = make_bench('P')
    for _ in range(5):
        asks(bench, 'policy', bang_bang(40, 0.5))
        bench.tick(300)
    assert bench.code == 'P'


def test_who_shakes_again_and_again_is_stopped_for_good(make_bench: Any) -> None:
    bench = make_bench('P')
    for _ in range(3):
        asks(bench, 'policy', bang_bang(60, 0.5))
        assert bench.code in 'TL'
        asks(bench, 'policy', np.zeros((150, 2)))
        bench.ask('policy')
        bench.tick(2)
    assert bench.code == 'L'
