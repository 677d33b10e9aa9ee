"""Models made by hand (mean = weight · sum of the observation + bias, deviation as given), and a
driver's seat with a safety layer that the test plays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from quad_learner.policy.driver import Choice, Counters, Driver, Look
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import JointTarget
from quad_learner.safety.modes import Authority
from quad_learner.task.config import TaskConfig
from quad_learner.task.course import Course
from quad_learner.task.walk import WalkTask

Make = Callable[..., bytes]
Configure = Callable[..., TaskConfig]
PERIOD_NS = 25_000_000


def _model(
    observations: int = 5,
    actions: int = 3,
    bias: float = 0.0,
    log_std: float = -1.0,
    weight: float = 0.0,
    deviations: int | None = None,
    outputs: tuple[str, str] = ('mean_raw', 'log_std'),
    kind: int = TensorProto.FLOAT,
    batch: Any = 1,
    **properties: Any,
) -> bytes:
    number = {TensorProto.FLOAT: np.float32, TensorProto.DOUBLE: np.float64}[kind]
    deviations = actions if deviations is None else deviations
    constants = {
        'weight': np.full((observations, actions), weight, number),
        'bias': np.full(actions, bias, number),
        'nothing': np.zeros((observations, deviations), number),
        'spread': np.full(deviations, log_std, number),
    }
    nodes = [
        helper.make_node('Gemm', ['observation', 'weight', 'bias'], [outputs[0]]),
        helper.make_node('Gemm', ['observation', 'nothing', 'spread'], [outputs[1]]),
    ]
    ends = [(outputs[0], actions), (outputs[1], deviations)]
    graph = helper.make_graph(
        nodes,
        'by_hand',
        [helper.make_tensor_value_info('observation', kind, [batch, observations])],
        [helper.make_tensor_value_info(name, kind, [batch, size]) for name, size in ends],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    helper.set_model_props(model, {name: str(value) for name, value in properties.items()})
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


@pytest.fixture(scope='session')
def model() -> Make:
    """Returns a function that makes an ONNX policy; `properties` are what it says of itself."""
    return _model


class Seat:
    """A driver, and a safety layer played by the test."""

    def __init__(
        self,
        robot: RobotModel,
        task: WalkTask,
        course: Course,
        builders: Any,
        counters: Counters,
    ) -> None:
        self.standing = True
        self.driver = Driver(robot, task, course, lambda _: self.standing, counters)
        self.robot = robot
        self._samples, self._estimates, self._commands = builders
        self.decision = 3
        self.velocity = np.zeros(3)
        self.position = np.zeros(3)
        self.roll = 0.0
        self.tired = False
        self.target: JointTarget | None = None

    def decide(
        self,
        action: float | None = None,
        finish: bool = False,
        silent: bool = False,
        **command: Any,
    ) -> Look:
        """One decision: safety's last command was `command`, the model wants `action`."""
        time_ns = self.decision * PERIOD_NS
        self.decision += 1
        lean = np.array([np.sin(self.roll / 2.0), 0.0, 0.0, np.cos(self.roll / 2.0)])
        sample = self._samples(time_ns=time_ns, orientation=lean)
        estimate = self._estimates(
            time_ns=time_ns, velocity_body=self.velocity, position=self.position
        )
        given = None if silent else self._commands(**command)
        look = self.driver.look(sample, estimate, given, finish, self.tired)
        choice = None
        if look.wants_action:
            choice = Choice(np.full(12, 0.0 if action is None else action, np.float32), 5)
        self.target = self.driver.answer(sample, choice)
        return look

    @property
    def request(self) -> int:
        assert self.target is not None
        return self.target.request

    def held_by_reset(self, **more: Any) -> Look:
        return self.decide(authority=Authority.RESET, request=1, **more)

    def driving(self, action: float | None = None, **changed: Any) -> Look:
        command = {'authority': Authority.POLICY, 'request': self.request}
        return self.decide(action, **(command | changed))

    def begin(self) -> Look:
        self.held_by_reset()
        return self.driving()

    def whole_episode(self, velocity: tuple[float, ...] = (0.8, 0.0, 0.0)) -> None:
        self.velocity = np.array(velocity)
        self.begin()
        while self.driving(0.5).end is None:
            pass


@pytest.fixture
def seat(
    robot: RobotModel, task_config: Configure, sample_of: Any, estimate_of: Any, command_of: Any
) -> Callable[..., Seat]:
    """Returns a function that makes a driver's seat in episodes of twenty steps."""

    def make(counters: Counters | None = None, steps: int = 20, **task: Any) -> Seat:
        config = task_config(
            **{'episode_s': steps * 0.025, 'use_oscillator': False, 'halt_s': 0.0, **task}
        )
        builders = (sample_of, estimate_of, command_of)
        course = Course(config, np.random.default_rng(0))
        return Seat(robot, WalkTask(robot, config), course, builders, counters or Counters())

    return make
