"""The critics' law against the same law written out for one step."""

from __future__ import annotations

import numpy as np

from quad_learner.learning.bellman import bellman_slope

BATCH = 5


def test_the_errors_are_those_of_the_written_law() -> None:
    chance = np.random.default_rng(0)
    value = chance.standard_normal((2, BATCH)).astype(np.float32)
    now, future = chance.standard_normal((2, BATCH)).astype(np.float32)
    ended = np.array([0, 1, 0, 1, 0], np.float32)
    discount = np.array([0.9, 0.9, 0.5, 0.5, 0.0], np.float32)
    slope, squares = np.empty_like(value), []
    loss = bellman_slope(value, now, future, ended, -7.0, discount, 1e6, slope)
    for i in range(BATCH):
        error = value[:, i] - now[i] - discount[i] * (-7.0 if ended[i] else future[i])
        np.testing.assert_allclose(slope[:, i], error / BATCH, rtol=1e-4)
        squares += list(error**2)
    np.testing.assert_allclose(loss, np.mean(squares) / 2, rtol=1e-4)


def test_an_error_beyond_the_bound_pulls_no_harder() -> None:
    zeros, slope = np.zeros(4, np.float32), np.empty((1, 4), np.float32)
    value = np.array([[0.5, -1.5, 40.0, -1e9]], np.float32)
    bellman_slope(value, zeros, zeros, zeros, 0.0, zeros, 2.0, slope)
    np.testing.assert_allclose(slope[0] * 4, [0.5, -1.5, 2.0, -2.0], rtol=1e-6)


def test_the_bound_hides_nothing_that_is_not_a_number() -> None:
    zeros, slope = np.zeros(2, np.float32), np.empty((1, 2), np.float32)
    bellman_slope(
        np.array([[np.nan, 1.0]], np.float32), zeros, zeros, zeros, 0.0, zeros, 2.0, slope
    )
    assert np.isnan(slope[0, 0])
