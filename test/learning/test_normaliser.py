"""Running statistics against those of all the numbers at once."""

from __future__ import annotations

import numpy as np

from quad_learner.learning.normaliser import Normaliser


def test_running_statistics_equal_those_of_the_whole() -> None:
    seen = np.random.default_rng(0).normal([1.0, -5.0], [0.3, 20.0], (500, 2)).astype(np.float32)
    normaliser = Normaliser(2, 0.01)
    for observation in seen:
        normaliser.observe(observation)
    np.testing.assert_allclose(normaliser.mean, seen.astype(np.float64).mean(0), rtol=1e-10)
    np.testing.assert_allclose(normaliser.deviation, seen.astype(np.float64).std(0), rtol=1e-10)


def test_a_constant_input_is_not_blown_up() -> None:
    normaliser = Normaliser(1, 0.05)
    for _ in range(10):
        normaliser.observe(np.array([3.0], np.float32))
    assert normaliser.deviation[0] == 0.05


def test_before_two_observations_nothing_is_scaled() -> None:
    normaliser = Normaliser(2, 0.05)
    np.testing.assert_array_equal(normaliser.deviation, [1.0, 1.0])
    normaliser.observe(np.array([3.0, 4.0], np.float32))
    np.testing.assert_array_equal(normaliser.deviation, [1.0, 1.0])
