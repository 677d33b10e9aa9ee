"""An episode of walking, of a robot that does what a test says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import Estimate, JointCommand, SensorSample
from quad_learner.safety.modes import Authority, Mode
from quad_learner.task.commander import REST
from quad_learner.task.config import TaskConfig
from quad_learner.task.kinds import FORWARD, Kind
from quad_learner.task.walk import Outcome, WalkTask

Samples = Callable[..., SensorSample]
Estimates = Callable[..., Estimate]
Commands = Callable[..., JointCommand]
PERIOD_NS = 25_000_000  # the A1 decides at 40 Hz
STOPPED = {'mode': Mode.SOFT_STOP, 'authority': Authority.NOBODY, 'request': 0}
"""what safety's command says once it has stopped the robot"""
SENSED = {
    'joint_position': 'joint_position',
    'joint_velocity': 'joint_velocity',
    'joint_effort': 'joint_effort',
    'foot_force': 'foot_force',
    'sensed_orientation': 'orientation',
}
ESTIMATED = {
    'estimated': 'position',
    'orientation': 'orientation',
    'velocity_body': 'velocity_body',
    'angular_velocity': 'angular_velocity',
    'healthy': 'healthy',
}
COMMANDED = {name: name for name in ('mode', 'authority', 'request', 'reasons', 'position')}
"""what a test may change of each signal, and what it is called there"""


class Walk:
    """An episode, step by step, of a robot that does what `changed` says."""

    def __init__(
        self, robot: RobotModel, config: TaskConfig, builders: tuple[Samples, Estimates, Commands]
    ) -> None:
        self.task = WalkTask(robot, config)
        self._samples, self._estimates, self._commands = builders
        self._time_ns = 10 * PERIOD_NS

    def begin(self, kind: Kind = FORWARD, wanted: Any = REST, **changed: Any) -> Any:
        """Returns what is observed first."""
        return self.task.begin(*self._signals(changed), kind, wanted)

    def step(
        self, action: Any = None, wanted: Any = REST, is_over: bool = False, **changed: Any
    ) -> Outcome:
        """Returns what comes of one step, with `action` or with none."""
        self.task.target(np.zeros(12) if action is None else action, self._time_ns)
        self._time_ns += PERIOD_NS
        return self.task.step(*self._signals(changed), wanted, is_over)

    def _signals(self, changed: dict[str, Any]) -> tuple[SensorSample, Estimate, JointCommand]:
        sensed, estimated, commanded = (
            {there: changed[name] for name, there in names.items() if name in changed}
            for names in (SENSED, ESTIMATED, COMMANDED)
        )
        return (
            self._samples(time_ns=self._time_ns, **sensed),
            self._estimates(time_ns=self._time_ns, **estimated),
            self._commands(**commanded),
        )
