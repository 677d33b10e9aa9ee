"""Claims about the velocity filter: motions whose velocity is known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from quad_learner.estimation.config import EstimatorConfig
from quad_learner.estimation.velocity import VelocityFilter

DT = 1.0 / 120.0
LEVEL = np.eye(3)
REST = np.array((0.0, 0.0, 9.81))
OFFSET = np.array((0.1, 0.0, 9.81))
SURE = np.ones(4)


@pytest.fixture
def velocity(estimator_config: EstimatorConfig) -> VelocityFilter:
    return VelocityFilter(estimator_config)


def _run(velocity: VelocityFilter, seconds: float, force: np.ndarray, told: np.ndarray) -> None:
    for _ in range(round(seconds / DT)):
        velocity.predict(force, LEVEL, DT)
        velocity.correct(told, SURE, LEVEL)


def test_constant_acceleration_without_feet_is_integrated(velocity: VelocityFilter) -> None:
    for _ in range(60):
        velocity.predict(np.array((2.0, 0.0, 9.81)), LEVEL, DT)
    # v = a t = 1 m/s and p = a t²/2 = 0.25 m after half a second.
    np.testing.assert_allclose(velocity.velocity, (1.0, 0.0, 0.0), atol=1e-9)
    np.testing.assert_allclose(velocity.position, (0.25, 0.0, 0.0), atol=1e-9)


def test_variance_without_feet_grows_by_the_noise_and_the_offset(
    velocity: VelocityFilter, estimator_config: EstimatorConfig
) -> None:
    before = velocity.velocity_variance
    for _ in range(120):
        velocity.predict(REST, LEVEL, DT)
    # After T = 1 s: n white samples of sigma dt each, and an offset of deviation b times T.
    white = 120 * (estimator_config.specific_force_noise_m_s2 * DT) ** 2
    offset = estimator_config.force_bias_m_s2**2
    assert velocity.velocity_variance - before == pytest.approx(white + offset, rel=0.1)


def test_feet_that_agree_set_the_velocity(velocity: VelocityFilter) -> None:
    _run(velocity, 1.0, REST, np.tile((0.2, -0.1, 0.0), (4, 1)))
    np.testing.assert_allclose(velocity.velocity, (0.2, -0.1, 0.0), atol=0.01)


def test_an_offset_of_the_accelerometer_is_found(velocity: VelocityFilter) -> None:
    _run(velocity, 20.0, OFFSET, np.zeros((4, 3)))
    for _ in range(60):
        velocity.predict(OFFSET, LEVEL, DT)
    # Unknown, the offset would have made 0.05 m/s in half a second.
    assert abs(velocity.velocity[0]) < 0.015


def test_one_sliding_foot_of_four_hardly_counts(velocity: VelocityFilter) -> None:
    told = np.zeros((4, 3))
    told[2] = (0.6, 0.0, 0.0)
    _run(velocity, 2.0, REST, told)
    # A plain mean would say 0.15 m/s.
    assert abs(velocity.velocity[0]) < 0.015


def test_a_foot_that_moves_up_or_down_does_not_stand(velocity: VelocityFilter) -> None:
    _run(velocity, 0.5, REST, np.zeros((4, 3)))
    _run(velocity, 0.1, REST, np.tile((0.5, 0.0, 0.8), (4, 1)))
    assert abs(velocity.velocity[0]) < 0.02


def test_a_filter_that_is_wrong_comes_back(velocity: VelocityFilter) -> None:
    velocity.velocity = np.array((1.5, 0.0, 0.0))
    _run(velocity, 4.0, REST, np.zeros((4, 3)))
    assert abs(velocity.velocity[0]) < 0.05


def test_feet_without_trust_say_nothing(velocity: VelocityFilter) -> None:
    velocity.predict(REST, LEVEL, DT)
    before = velocity.velocity_variance
    velocity.correct(np.ones((4, 3)), np.zeros(4), LEVEL)
    assert velocity.velocity_variance == before
    np.testing.assert_array_equal(velocity.velocity, 0.0)


def test_a_robot_that_no_foot_carries_does_not_run_away(
    velocity: VelocityFilter, estimator_config: EstimatorConfig
) -> None:
    for _ in range(120 * 120):
        velocity.predict(OFFSET, LEVEL, DT)
        velocity.assume_still(LEVEL)
    # Two minutes on its back with a poor accelerometer: unbounded, it would be 12 m/s.
    assert np.abs(velocity.velocity).max() < 0.3
    assert velocity.velocity_variance < estimator_config.velocity_deviation_max_m_s**2


def test_variances_stay_positive(velocity: VelocityFilter) -> None:
    _run(velocity, 60.0, REST, np.zeros((4, 3)))
    assert velocity.velocity_variance > 0.0
    assert velocity.position_variance > 0.0
