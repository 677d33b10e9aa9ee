"""Builders of sensor samples whose truth is known in closed form: no simulator in between."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from quad_learner import configuration
from quad_learner.estimation.config import EstimatorConfig
from quad_learner.estimation.estimator import Estimator
from quad_learner.resources import config_directory
from quad_learner.robot.kinematics import LegKinematics
from quad_learner.robot.model import RobotModel, load
from quad_learner.robot.signals import SensorSample

A1_WEIGHT_N = 12.458 * 9.81
"""sum of the link masses in its URDF"""

Build = Callable[..., SensorSample]


@pytest.fixture(scope='session')
def a1() -> RobotModel:
    """Returns the A1 at 120 samples a second: tests count them."""
    return replace(load('a1'), physics_hz=600, command_hz=120, policy_hz=40)


@pytest.fixture(scope='session')
def estimator_config() -> EstimatorConfig:
    """Returns the shipped parameters."""
    return configuration.read(EstimatorConfig, config_directory() / 'estimator.yaml')


@pytest.fixture
def estimator(a1: RobotModel, estimator_config: EstimatorConfig) -> Estimator:
    """Returns a fresh estimator of the A1."""
    return Estimator(a1, estimator_config)


@pytest.fixture(scope='session')
def standing(a1: RobotModel) -> Build:
    """Returns `build(tick, **changed)`: the sample of an A1 that stands still, some of it changed.

    The torques are those that carry a quarter of the weight on each foot.
    """
    still = np.zeros_like(a1.stance)
    legs = LegKinematics(a1).solve(a1.stance, still)
    push = np.tile((0.0, 0.0, A1_WEIGHT_N / 4.0), len(a1.feet))
    rest = SensorSample(
        time_ns=0,
        joint_position=a1.stance,
        joint_velocity=still,
        joint_effort=-push @ legs.jacobian.reshape(push.size, still.size),
        orientation=np.array((0.0, 0.0, 0.0, 1.0)),
        angular_velocity=np.zeros(3),
        specific_force=np.array((0.0, 0.0, 9.81)),
        foot_force=np.full(len(a1.feet), A1_WEIGHT_N / 4.0),
    )

    def build(tick: int, **changed: object) -> SensorSample:
        stamp = tick * 1_000_000_000 // a1.command_hz
        return dataclasses.replace(rest, **{'time_ns': stamp, **changed})

    return build
