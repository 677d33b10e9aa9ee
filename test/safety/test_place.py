"""Policy is stopped where the estimated place leaps, and before it leaves the fence.

The small robot's place may jump by 0.1 m beyond what 2 m/s explain; a stop brakes with 2 m/s², and
an estimate may be 60 ms old. It estimates each 10 ms.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quad_learner.safety.modes import Mode, Reason

Bench = Any


def at(bench: Bench, x: float, y: float = 0.0, speed: float = 0.0) -> None:
    """Lets the estimate say where it is [m], and how fast ahead [m/s]; a step passes."""
    bench.estimate['position'] = np.array((x, y, 0.3))
    bench.estimate['velocity_body'] = np.array((speed, 0.0, 0.0))
    bench.tick()


def is_stopped(bench: Bench, reason: Reason) -> bool:
    return bench.command.mode is Mode.SOFT_STOP and bench.command.reasons == reason


@pytest.fixture
def driven(make_bench: Any) -> Any:
    """Returns a bench that policy drives, at the origin, with changed parameters."""

    def drive(**changes: Any) -> Bench:
        bench = make_bench('S', **changes)
        at(bench, 0.0)
        bench.tick(60)
        bench.ask('policy')
        bench.tick()
        assert bench.code == 'P'
        return bench

    return drive


@pytest.mark.parametrize(('metres', 'leaps'), [(0.119, False), (0.121, True), (-0.121, True)])
def test_a_place_leaps_where_no_motion_leads(driven: Any, metres: float, leaps: bool) -> None:
    bench = driven()
    at(bench, 0.0, metres)
    assert is_stopped(bench, Reason.ESTIMATE_UNHEALTHY) is leaps
    assert (bench.code == 'P') is not leaps


def test_a_longer_silence_explains_a_longer_way(driven: Any) -> None:
    bench = driven()
    bench.silent.add('estimate')
    bench.tick(5)
    bench.silent.clear()
    at(bench, 0.21)
    assert bench.code == 'P'


def test_after_a_leap_policy_may_begin_again_where_it_led(driven: Any) -> None:
    bench = driven()
    at(bench, 3.0)
    bench.tick(60)
    bench.ask('policy')
    bench.tick()
    assert bench.code == 'P'


@pytest.mark.parametrize('place', [(np.nan, 0.0), (0.0, np.inf)])
def test_a_place_that_is_no_place_is_not_healthy(driven: Any, place: Any) -> None:
    bench = driven()
    at(bench, *place)
    assert is_stopped(bench, Reason.ESTIMATE_UNHEALTHY)


@pytest.mark.parametrize('side', [(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)])
@pytest.mark.parametrize(
    ('metres', 'speed', 'beyond'),
    [
        (0.09, 0.0, False),
        (0.11, 0.0, True),
        # 0.3 m/s: 0.018 m until it is heard, 0.0225 m of braking
        (0.059, 0.3, False),
        (0.060, 0.3, True),
    ],
)
def test_policy_is_stopped_where_it_could_not_stop_within_the_fence(
    driven: Any, metres: float, speed: float, beyond: bool, side: Any
) -> None:
    bench = driven(fence_m=0.1, place_jump_m=1.0)
    at(bench, metres * side[0], metres * side[1], speed)
    assert is_stopped(bench, Reason.FENCE) is beyond
    assert (bench.code == 'P') is not beyond


def test_without_a_fence_it_may_go_anywhere(driven: Any) -> None:
    bench = driven(place_jump_m=10.0, place_speed_max_m_s=20.0)
    for step in range(1, 300):
        at(bench, 10.0 * step, speed=5.0)
    assert bench.code == 'P'


def test_the_fence_is_for_policy_alone(make_bench: Any) -> None:
    """Reset may get a robot up wherever it lies."""
    bench = make_bench('R', fence_m=0.1)
    at(bench, 5.0)
    bench.tick(100)
    assert bench.code == 'R'
