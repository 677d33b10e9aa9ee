"""Builders of simulated robots."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from quad_learner import configuration
from quad_learner.resources import config_directory
from quad_learner.robot import model
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import JointCommand
from quad_learner.safety.modes import Authority, Mode, Reason
from quad_learner.simulation.config import SimulationConfig
from quad_learner.simulation.robot import SimulatedRobot

_EXACT: dict[str, Any] = {
    'command_latency_s': 0.0,
    'command_jitter_s': 0.0,
    'joint_damping_nms_rad': 0.0,
    'encoder_noise_rad': 0.0,
    'encoder_resolution_rad': 0.0,
    'velocity_noise_rad_s': 0.0,
    'effort_noise_nm': 0.0,
    'gyro_noise_rad_s': 0.0,
    'gyro_bias_rad_s': 0.0,
    'gyro_bias_walk': 0.0,
    'accelerometer_noise_m_s2': 0.0,
    'accelerometer_bias_m_s2': 0.0,
    'accelerometer_bias_walk': 0.0,
    'tilt_error_rad': 0.0,
    'yaw_drift': 0.0,
    'orientation_noise_rad': 0.0,
    'foot_force_noise_n': 0.0,
}

_SHIPPED = configuration.read_values(config_directory() / 'simulation.yaml')

Build = Callable[..., SimulatedRobot]
Configure = Callable[..., SimulationConfig]
Order = Callable[..., JointCommand]


def _config(**overrides: object) -> SimulationConfig:
    return configuration.build(SimulationConfig, _SHIPPED | overrides, 'test')


def _command(robot: RobotModel, **parts: object) -> JointCommand:
    whole: dict[str, Any] = {
        'time_ns': 0,
        'epoch': 1,
        'sequence': 1,
        'lifetime_ns': 1_000_000_000,
        'joints_hash': robot.joints_hash,
        'mode': Mode.ACTIVE,
        'authority': Authority.POLICY,
        'request': 1,
        'reasons': Reason.NONE,
        'position': robot.stance,
        'kp': robot.kp,
        'kd': robot.kd,
        'effort': np.zeros(len(robot.joints)),
    }
    return JointCommand(**(whole | parts))


def _at_120_hz(robot: str) -> RobotModel:
    """Returns a robot whose rates do not change with what is shipped: tests count its ticks."""
    return replace(model.load(robot), physics_hz=600, command_hz=120, policy_hz=40)


@pytest.fixture(scope='session')
def a1() -> RobotModel:
    return _at_120_hz('a1')


@pytest.fixture(scope='session')
def exact() -> dict[str, float]:
    """Overrides that leave no latency and no sensor error."""
    return dict(_EXACT)


@pytest.fixture(scope='session')
def configure() -> Configure:
    """Gives `configure(**overrides)`: the shipped parameters with some replaced."""
    return _config


@pytest.fixture(scope='session')
def order() -> Order:
    """Gives `order(robot, **parts)`: a command to hold the stance, with some parts replaced."""
    return _command


@pytest.fixture
def build() -> Iterator[Build]:
    """Gives `build(robot='a1', seed=0, **overrides)`: a connected robot, closed after the test."""
    opened: list[SimulatedRobot] = []

    def make(robot: str = 'a1', seed: int = 0, **overrides: object) -> SimulatedRobot:
        generator = np.random.default_rng(seed)
        simulated = SimulatedRobot(_at_120_hz(robot), _config(**overrides), generator)
        simulated.connect()
        opened.append(simulated)
        return simulated

    yield make
    for simulated in opened:
        simulated.close()
