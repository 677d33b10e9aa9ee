"""Builders that several folders share: the A1, and signals of it at rest in its stance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pytest
from apart import ApartPlugin

from quad_learner import configuration
from quad_learner.experience.transition import Transition
from quad_learner.policy.driver import EpisodeEnd
from quad_learner.resources import config_directory
from quad_learner.robot.model import RobotModel, load
from quad_learner.robot.signals import Estimate, JointCommand, JointTarget, SensorSample
from quad_learner.safety.modes import Authority, Mode, Reason
from quad_learner.task.config import TaskConfig

LEVEL = (0.0, 0.0, 0.0, 1.0)
Config = TypeVar('Config')


def pytest_configure(config: pytest.Config) -> None:
    """Lets pass what the ROS wheels' parser imports, not ours to change; computes on two cores."""
    config.addinivalue_line('filterwarnings', 'ignore:module .sre_.* is deprecated')
    config.pluginmanager.register(ApartPlugin())


def configured(config: type[Config], name: str, **changed: Any) -> Config:
    """Returns `config` with the values of config/<name>.yaml, some of them changed."""
    return configuration.read(config, config_directory() / f'{name}.yaml', changed)


@pytest.fixture(scope='session')
def robot() -> RobotModel:
    """Returns the A1: twelve joints, four feet, 40 decisions a second."""
    return load('a1')


@pytest.fixture(scope='session')
def task_config() -> Callable[..., TaskConfig]:
    """Returns a function that gives the shipped task with some values changed."""
    return lambda **changed: configured(TaskConfig, 'task', **changed)


@pytest.fixture(scope='session')
def sample_of(robot: RobotModel) -> Callable[..., SensorSample]:
    """Returns a function that gives what a robot at rest in its stance senses, parts changed."""

    def make(**changed: Any) -> SensorSample:
        joints = len(robot.joints)
        whole: dict[str, Any] = {
            'time_ns': 0,
            'joint_position': robot.stance,
            'joint_velocity': np.zeros(joints),
            'joint_effort': np.zeros(joints),
            'orientation': np.array(LEVEL),
            'angular_velocity': np.zeros(3),
            'specific_force': np.array([0.0, 0.0, 9.81]),
            'foot_force': np.full(len(robot.feet), 30.0),
        }
        return SensorSample(**(whole | changed))

    return make


@pytest.fixture(scope='session')
def estimate_of(robot: RobotModel) -> Callable[..., Estimate]:
    """Returns a function that gives the healthy estimate of a robot at rest, parts changed."""

    def make(**changed: Any) -> Estimate:
        whole: dict[str, Any] = {
            'time_ns': 0,
            'position': np.zeros(3),
            'orientation': np.array(LEVEL),
            'velocity_body': np.zeros(3),
            'angular_velocity': np.zeros(3),
            'position_covariance': np.eye(3),
            'velocity_covariance': 0.01 * np.eye(3),
            'contact': np.ones(len(robot.feet), np.bool_),
            'healthy': True,
        }
        return Estimate(**(whole | changed))

    return make


@pytest.fixture(scope='session')
def command_of(robot: RobotModel) -> Callable[..., JointCommand]:
    """Returns a function that gives the command of an undisturbed policy session, changed."""

    def make(**changed: Any) -> JointCommand:
        whole: dict[str, Any] = {
            'time_ns': 0,
            'epoch': 1,
            'sequence': 1,
            'lifetime_ns': 100_000_000,
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
        return JointCommand(**(whole | changed))

    return make


@pytest.fixture(scope='session')
def target_of(robot: RobotModel) -> Callable[..., JointTarget]:
    """Returns a function that gives what a driver asks for: the stance, parts changed."""

    def make(**changed: Any) -> JointTarget:
        whole: dict[str, Any] = {
            'time_ns': 0,
            'source': Authority.POLICY,
            'request': 1,
            'position': robot.stance,
            'kp': robot.kp,
            'kd': robot.kd,
        }
        return JointTarget(**(whole | changed))

    return make


@pytest.fixture(scope='session')
def transition_of(robot: RobotModel) -> Callable[..., Transition]:
    """Returns a function that gives a step with observations of five numbers, parts changed."""

    def make(**changed: Any) -> Transition:
        joints = len(robot.joints)
        whole: dict[str, Any] = {
            'sequence': 7,
            'episode': 2,
            'task': 0,
            'step': 3,
            'time_ns': 175_000_000,
            'policy_version': 4,
            'observation': np.arange(5, dtype=np.float32),
            'asked': np.linspace(-1.0, 1.0, joints, dtype=np.float32),
            'action': np.linspace(-0.5, 0.5, joints, dtype=np.float32),
            'reward': 0.75,
            'constraint': 0.125,
            'next_observation': np.arange(5, 10, dtype=np.float32),
            'terminated': False,
            'truncated': True,
            'reasons': Reason.CLIPPED_RATE | Reason.STEP_LATE,
        }
        return Transition(**(whole | changed))

    return make


@pytest.fixture(scope='session')
def end_of() -> Callable[..., EpisodeEnd]:
    """Returns a function that gives the end of a full episode, parts changed."""

    def make(**changed: Any) -> EpisodeEnd:
        whole: dict[str, Any] = {
            'episode': 3,
            'task': 2,
            'start_ns': 1_000_000_000,
            'end_ns': 11_000_000_000,
            'steps': 400,
            'total_reward': 123.456,
            'fell': False,
            'complete': True,
            'left': False,
            'reasons': Reason.NONE,
        }
        return EpisodeEnd(**(whole | changed))

    return make
