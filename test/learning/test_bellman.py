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
    loss = bellman_slope(value, now, future, ended, -7.0, discount, slope)
    for i in range(BATCH):
        error = value[:, i] - now[i] - discount[i] * (-7.0 if ended[i] else future[i])
        np.testing.assert_allclose(slope[:, i], error / BATCH, rtol=1e-4)
        squares += list(error**2)
    np.testing.assert_allclose(loss, np.mean(squares) / 2, rtol=1e-4)
