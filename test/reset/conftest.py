"""Builders for the reset tests: a robot, the shipped parameters, samples, safety's commands."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from quad_learner import configuration
from quad_learner.reset.config import ResetConfig
from quad_learner.resources import config_directory
from quad_learner.robot import model
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import JointCommand, SensorSample
from quad_learner.safety.modes import Authority, Mode, Reason

SampleBuilder = Callable[..., SensorSample]
CommandBuilder = Callable[..., JointCommand]


@pytest.fixture
def robot() -> RobotModel:
    return model.load('a1')


@pytest.fixture
def config() -> ResetConfig:
    return configuration.read(ResetConfig, config_directory() / 'reset.yaml')


@pytest.fixture
def make_sample(robot: RobotModel) -> SampleBuilder:
    """A robot at rest in its stance, feet loaded with 30 N each, rolled by `roll` [rad]."""

    def build(roll: float = 0.0, pitch: float = 0.0, **changes: object) -> SensorSample:
        # roll about x, or pitch about y, never both: half-angle quaternions
        half = roll / 2.0, pitch / 2.0
        length = math.cos(half[0]) if roll else math.cos(half[1])
        values: dict[str, object] = {
            'time_ns': 0,
            'joint_position': robot.stance.copy(),
            'joint_velocity': np.zeros(12),
            'joint_effort': np.zeros(12),
            'orientation': np.array([math.sin(half[0]), math.sin(half[1]), 0.0, length]),
            'angular_velocity': np.zeros(3),
            'specific_force': np.array([0.0, 0.0, 9.81]),
            'foot_force': np.full(4, 30.0),
        }
        return SensorSample(**{**values, **changes})  # type: ignore[arg-type]

    return build


@pytest.fixture
def make_command() -> CommandBuilder:
    """The last command of a safety layer that holds zeros, with `authority` driving."""

    def build(
        authority: Authority = Authority.NOBODY, request: int = 0, mode: Mode | None = None
    ) -> JointCommand:
        if mode is None:
            mode = Mode.STANDBY if authority is Authority.NOBODY else Mode.ACTIVE
        zeros = np.zeros(12)
        return JointCommand(
            time_ns=0,
            epoch=1,
            sequence=1,
            lifetime_ns=1,
            joints_hash=0,
            mode=mode,
            authority=authority,
            request=request,
            reasons=Reason.NONE,
            position=zeros,
            kp=zeros,
            kd=zeros,
            effort=zeros,
        )

    return build
