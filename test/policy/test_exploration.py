from __future__ import annotations

import math

import numpy as np
import pytest

from quad_learner.policy.exploration import SmoothNoise

PERIOD_S = 0.025


def sequence(correlation_s: float, length: int = 20_000, size: int = 4) -> np.ndarray:
    noise = SmoothNoise(size, correlation_s, PERIOD_S, np.random.default_rng(1))
    noise.begin()
    return np.array([noise.next().copy() for _ in range(length)])


@pytest.mark.parametrize('correlation_s', [0.0, 0.05, 0.2])
def test_every_step_has_unit_variance_and_no_mean(correlation_s: float) -> None:
    values = sequence(correlation_s)
    # Correlated samples are worth fewer: some 2·0.2/0.025 = 16 of them one.
    assert abs(values.mean()) < 0.06
    assert values.var() == pytest.approx(1.0, abs=0.06)


def test_the_first_step_of_an_episode_is_as_wide_as_any_other() -> None:
    noise = SmoothNoise(1000, 0.2, PERIOD_S, np.random.default_rng(2))
    firsts = []
    for _ in range(20):
        noise.begin()
        firsts.append(noise.next().copy())
    assert np.var(firsts) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize('correlation_s', [0.05, 0.2])
def test_neighbours_are_alike_by_the_exponential_of_time(correlation_s: float) -> None:
    values = sequence(correlation_s)[:, 0]
    for lag in (1, 4):
        seen = np.corrcoef(values[:-lag], values[lag:])[0, 1]
        assert seen == pytest.approx(math.exp(-lag * PERIOD_S / correlation_s), abs=0.04)


def test_without_correlation_neighbours_are_strangers() -> None:
    values = sequence(0.0)[:, 0]
    assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 0.03


def test_the_actions_are_strangers_to_each_other() -> None:
    values = sequence(0.05)
    assert abs(np.corrcoef(values[:, 0], values[:, 1])[0, 1]) < 0.06


def test_one_episode_says_nothing_about_the_next() -> None:
    noise = SmoothNoise(5000, 5.0, PERIOD_S, np.random.default_rng(3))
    noise.begin()
    last = noise.next().copy()
    noise.begin()
    assert abs(np.corrcoef(last, noise.next())[0, 1]) < 0.06


def test_the_same_generator_gives_the_same_noise() -> None:
    np.testing.assert_array_equal(sequence(0.1, 10), sequence(0.1, 10))
