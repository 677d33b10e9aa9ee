"""A mean that forgets."""

from __future__ import annotations

import pytest

from quad_learner.learning.running_mean import RunningMean


def test_it_starts_as_the_plain_mean() -> None:
    mean = RunningMean(100)
    for number in (1.0, 2.0, 6.0):
        mean.observe(number)
    assert mean.value == pytest.approx(3.0)


def test_it_forgets_after_its_memory() -> None:
    mean = RunningMean(10)
    for _ in range(1000):
        mean.observe(5.0)
    for _ in range(10):
        mean.observe(0.0)
    # (1 − 1/10)^10 = 0.349 of the old is left
    assert mean.value == pytest.approx(5.0 * 0.348678, abs=1e-4)


def test_a_state_taken_up_goes_on_the_same() -> None:
    first, second = RunningMean(10), RunningMean(10)
    first.observe(3.0)
    second.restore(first.state())
    for mean in (first, second):
        mean.observe(4.0)
    assert second.value == first.value == pytest.approx(3.5)
