"""What is kept of samples, against the samples themselves, and what they take."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

from quad_learner.experience.metrics_table import LARGEST, LAST, MEAN
from quad_learner.experience.quantity import Quantity


def test_the_last_the_mean_and_the_largest_are_kept() -> None:
    values = np.random.default_rng(1).normal(-3.0, 1.0, 1000)
    quantity = Quantity()
    for value in values.tolist():
        quantity.add(value)
    assert quantity.kept(LAST) == values[-1]
    assert quantity.kept(MEAN) == pytest.approx(values.mean())
    assert quantity.kept(LARGEST) == values.max()


@pytest.mark.parametrize('what', [LAST, MEAN, LARGEST])
def test_nothing_is_kept_of_no_samples(what: str) -> None:
    assert math.isnan(Quantity().kept(what))


def test_a_day_of_samples_takes_no_more_than_one() -> None:
    quantity = Quantity()
    quantity.add(0.5)
    tracemalloc.start()
    for number in range(10_000):
        quantity.add(number / 7.0)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # A list of them would take 320 kB.
    assert grown < 1000
