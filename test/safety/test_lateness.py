"""Samples that come late for good are no sign of life, however new their stamps.

The small robot's samples may be 50 ms old. They come each 10 ms, so that one which is 45 ms late
is 55 ms old before the next.
"""

from __future__ import annotations

from typing import Any

import pytest

from quad_learner.safety.modes import Mode, Reason

Bench = Any
MS = 1_000_000
LONG_NS = 40 * MS
"""[ns] from one sample to the next where little but drift is to happen"""


def is_stale(bench: Bench) -> bool:
    """Whether the robot is stopped, and the cause is there on this very step."""
    stopped = bench.command.mode is Mode.SOFT_STOP
    told = Reason.SENSORS_STALE in bench.command.reasons
    return stopped and told and bench.state.watch.body_bad_ns == bench.now_ns


@pytest.mark.parametrize(('late_ms', 'stale'), [(0, False), (50, False), (51, True), (400, True)])
def test_lateness_is_age(bench: Bench, late_ms: int, stale: bool) -> None:
    bench.late_ns = late_ms * MS
    # The first is the next in turn: what is not newer than the last is not looked at.
    bench.tick(1 + late_ms // 10)
    assert is_stale(bench) is stale


def test_it_stops_for_as_long_as_it_lasts_and_no_longer(make_bench: Any) -> None:
    """It begins with stamps out of order, which are not those of a robot that began anew."""
    bench = make_bench('P')
    bench.late_ns = 200 * MS
    bench.tick(25)
    for _ in range(1000):
        bench.ask('policy')
        bench.tick()
        assert is_stale(bench)
    bench.late_ns = 0
    bench.tick(60)
    assert bench.code == 'P'


def test_the_quickest_sample_so_far_is_what_others_are_compared_with(make_bench: Any) -> None:
    """The first samples were 40 ms late, which nobody could know."""
    bench = make_bench('I')
    bench.silent.clear()
    bench.late_ns = 40 * MS
    bench.tick(3)
    assert bench.code == 'S'
    bench.late_ns = 0
    bench.tick(3)
    bench.late_ns = 60 * MS
    bench.tick(10)
    assert is_stale(bench)


def test_the_clock_of_the_robot_may_count_from_anywhere(make_bench: Any) -> None:
    bench = make_bench('I')
    bench.silent.clear()
    bench.late_ns = 59_000 * MS
    bench.tick(3)
    assert bench.code == 'S'
    bench.late_ns += 60 * MS
    bench.tick(10)
    assert is_stale(bench)


@pytest.mark.parametrize(('lost_ppm', 'stale'), [(900, False), (-900, False), (3000, True)])
def test_a_clock_that_drifts_is_followed_up_to_a_thousandth(
    bench: Bench, lost_ppm: int, stale: bool
) -> None:
    """Three minutes: 900 ppm are 162 ms by then; 3,000 ppm leave 2,000, in 25 s 50 ms."""
    for _ in range(180_000 * MS // LONG_NS):
        bench.late_ns += LONG_NS * lost_ppm // 1_000_000
        bench.tick(dt_ns=LONG_NS)
        if is_stale(bench):
            break
    assert is_stale(bench) is stale


def test_lateness_is_not_taken_for_drift_while_it_stops(bench: Bench) -> None:
    bench.late_ns = 60 * MS
    bench.tick(10)
    bench.tick(3000, dt_ns=LONG_NS)
    assert is_stale(bench)


def test_a_robot_that_begins_anew_at_older_stamps_is_judged_anew(bench: Bench) -> None:
    """Its clock begins at zero: a minute's lateness, if it were the same clock."""
    bench.late_ns = 60_000 * MS
    bench.tick(6)
    assert is_stale(bench)
    bench.tick(60)
    bench.ask('policy')
    bench.tick()
    assert bench.code == 'P'
