"""Claims about the attitude filter."""

from __future__ import annotations

import math

import numpy as np
import pytest

from quad_learner.estimation.attitude import AttitudeFilter
from quad_learner.estimation.config import EstimatorConfig
from quad_learner.robot.rotations import quaternion_from_rpy, roll_pitch_yaw

DT = 1.0 / 120.0


def test_a_steady_turn_is_followed_without_lag(estimator_config: EstimatorConfig) -> None:
    attitude = AttitudeFilter(estimator_config)
    for tick in range(1, 121):
        reported = quaternion_from_rpy(0.0, 0.0, 2.0 * tick * DT)
        attitude.update(reported, np.array((0.0, 0.0, 2.0)), DT)
    assert roll_pitch_yaw(attitude.orientation)[2] == pytest.approx(2.0, abs=1e-6)


def test_the_middle_of_the_period_is_half_a_turn_behind(estimator_config: EstimatorConfig) -> None:
    attitude = AttitudeFilter(estimator_config)
    attitude.update(quaternion_from_rpy(0.3, 0.0, 0.0), np.array((0.3 / DT, 0.0, 0.0)), DT)
    # The second row of a turn about x by a is (0, cos a, −sin a).
    np.testing.assert_allclose(attitude.midway[1], (0.0, math.cos(0.15), -math.sin(0.15)))


def test_an_offset_of_the_gyro_is_learnt(estimator_config: EstimatorConfig) -> None:
    attitude = AttitudeFilter(estimator_config)
    level, offset = np.array((0.0, 0.0, 0.0, 1.0)), np.array((0.02, -0.01, 0.005))
    for _ in range(round(5 * estimator_config.gyro_bias_time_s / DT)):
        rate = attitude.update(level, offset, DT)
    np.testing.assert_allclose(rate, 0.0, atol=5e-4)


def test_an_offset_beyond_the_limit_is_not_believed(estimator_config: EstimatorConfig) -> None:
    attitude = AttitudeFilter(estimator_config)
    for _ in range(round(5 * estimator_config.gyro_bias_time_s / DT)):
        rate = attitude.update(np.array((0.0, 0.0, 0.0, 1.0)), np.array((1.0, 0.0, 0.0)), DT)
    assert rate[0] >= 1.0 - estimator_config.gyro_bias_max_rad_s - 1e-9


def test_noise_of_the_reported_orientation_is_averaged(estimator_config: EstimatorConfig) -> None:
    attitude = AttitudeFilter(estimator_config)
    generator, rolls = np.random.default_rng(1), []
    for _ in range(600):
        reported = quaternion_from_rpy(0.02 * generator.standard_normal(), 0.0, 0.0)
        attitude.update(reported, np.zeros(3), DT)
        rolls.append(roll_pitch_yaw(attitude.orientation)[0])
    assert np.std(rolls[60:]) < 0.02 / 3.0


def test_a_jump_is_ignored_until_it_has_lasted(estimator_config: EstimatorConfig) -> None:
    attitude = AttitudeFilter(estimator_config)
    jumped = quaternion_from_rpy(1.0, 0.0, 0.0)
    before = math.floor(estimator_config.orientation_patience_s / DT)
    for _ in range(before):
        attitude.update(jumped, np.zeros(3), DT)
        assert not attitude.agrees
        assert roll_pitch_yaw(attitude.orientation)[0] == pytest.approx(0.0, abs=1e-6)
    for _ in range(3):
        attitude.update(jumped, np.zeros(3), DT)
    assert attitude.agrees
    assert roll_pitch_yaw(attitude.orientation)[0] == pytest.approx(1.0)


def test_the_sign_of_the_reported_quaternion_does_not_matter(
    estimator_config: EstimatorConfig,
) -> None:
    one, other = AttitudeFilter(estimator_config), AttitudeFilter(estimator_config)
    for tick in range(50):
        reported = quaternion_from_rpy(0.1, 0.002 * tick, 0.0)
        one.update(reported, np.zeros(3), DT)
        other.update(-reported, np.zeros(3), DT)
    np.testing.assert_allclose(roll_pitch_yaw(one.orientation), roll_pitch_yaw(other.orientation))
