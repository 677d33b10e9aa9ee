from __future__ import annotations

import math

from quad_learner.ros.latency import KEPT, Latency

MS = 1_000_000


def test_mean_and_largest_of_what_was_answered_since() -> None:
    latency = Latency()
    for stamp, wait in ((0, 2), (1, 4), (2, 9)):
        latency.told(stamp, 100 * MS)
        latency.answered(stamp, (100 + wait) * MS)
    assert latency.take() == (5.0, 9.0)
    assert all(map(math.isnan, latency.take()))


def test_the_first_telling_and_the_first_answer_count() -> None:
    latency = Latency()
    latency.told(7, 0)
    latency.told(7, 5 * MS)
    latency.answered(7, 6 * MS)
    latency.answered(7, 90 * MS)
    assert latency.take() == (6.0, 6.0)


def test_what_was_never_told_or_long_ago_is_not_measured() -> None:
    latency = Latency()
    for stamp in range(KEPT + 1):
        latency.told(stamp, 0)
    latency.answered(0, MS)
    latency.answered(99, MS)
    assert all(map(math.isnan, latency.take()))
