"""Builders for the reset tests: a robot, the shipped parameters, samples, safety's commands."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from quad_learner import configuration
from quad_learner.reset.config import ResetConfig
from quad_learner.reset.get_up import GetUp
from quad_learner.reset.state import State
from quad_learner.resources import config_directory
from quad_learner.robot import model
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import Health, JointCommand, JointTarget, SensorSample
from quad_learner.safety.modes import Authority, Mode, Reason

SampleBuilder = Callable[..., SensorSample]
CommandBuilder = Callable[..., JointCommand]

TICK_NS = 25_000_000
FRAMES = {
    'fold': [0.0, 1.4, -2.6],
    'fold_first': ['FR_hip_joint', 'FL_hip_joint', 'RR_hip_joint', 'RL_hip_joint'],
    'right_feet': ['FR_toe', 'RR_toe'],
    'from_side': [{'seconds': 0.2, 'right': [0.3, 3.0, -1.0], 'left': [0.0, 1.0, -2.0]}],
    'from_back': [
        {'seconds': 0.2, 'right': [0.0, 1.0, -2.6], 'left': [0.3, 3.0, -2.6]},
        {'seconds': 0.1, 'right': [0.0, 1.0, -2.6], 'left': [0.3, 3.0, -1.0]},
    ],
}
MIRROR = {'leg_swap': [1, 0, 3, 2], 'joint_swap': [0, 1, 2], 'joint_sign': [-1, 1, 1]}


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


class Body:
    """A robot that obeys, a safety layer that grants at once, and a machine between them."""

    def __init__(
        self,
        robot: RobotModel,
        config: ResetConfig,
        make_sample: Callable[..., SensorSample],
        make_command: Callable[..., JointCommand],
    ) -> None:
        self.robot = robot
        self.config = config
        self.machine = GetUp(robot, config)
        self.make_sample = make_sample
        self.make_command = make_command
        self.executed = make_command()
        self.joints = robot.stance.copy()
        self.roll = 0.0
        self.changes: dict[str, object] = {}
        self.health: Health | None = None
        self.ticks = 0
        self.states: list[State] = []

    def step(self, ticks: int = 1) -> JointTarget:
        for _ in range(ticks):
            target = self._once()
        return target

    def _once(self) -> JointTarget:
        sample = self.make_sample(
            self.roll,
            time_ns=self.ticks * TICK_NS,
            **{'joint_position': self.joints, **self.changes},
        )
        target = self.machine.step(sample, self.executed, self.health)
        if self.executed.authority is Authority.RESET and target.kp.any():
            self.joints = target.position
        if self.executed.authority is not Authority.POLICY:
            driver = Authority.RESET if target.request else Authority.NOBODY
            self.executed = self.make_command(driver, target.request)
        self.ticks += 1
        if not self.states or self.states[-1] is not self.machine.state:
            self.states.append(self.machine.state)
        return target

    def until(self, state: State, ticks: int = 4000) -> JointTarget:
        for _ in range(ticks):
            target = self.step()
            if self.machine.state is state:
                return target
        raise AssertionError(f'{state} not reached: {self.states}, {self.machine.reason}')

    @property
    def seconds(self) -> float:
        return self.ticks * TICK_NS * 1e-9


@pytest.fixture
def hasty(config: ResetConfig) -> ResetConfig:
    """Short budgets: the same logic in fewer ticks."""
    return replace(config, attempt_time=1.5, round_time=4.5, cool_down=2.0, upright_rest=0.5)


@pytest.fixture
def body(
    robot: RobotModel,
    hasty: ResetConfig,
    make_sample: SampleBuilder,
    make_command: CommandBuilder,
) -> Body:
    """Returns a robot that can roll over both ways, in a hurry."""
    own = replace(robot, sections={'reset': FRAMES, 'mirror': MIRROR})
    return Body(own, hasty, make_sample, make_command)
