"""The motors: what torque a joint command really makes, and when.

torque = kp (q* − q) − kd q̇ + effort, limited by the motor. The limit is `torque_max` up to the
share `speed_knee` of `speed_max` and falls in a straight line to zero at `speed_max`; braking is
not weakened. A worn motor makes `strength` of that torque, at any speed.
A command takes effect one latency after it is given; the one before it holds until then.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Sequence

import numpy as np

from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import JointCommand
from quad_learner.simulation.config import SimulationConfig

_Law = tuple[tuple[float, float, float, float, float, float, float, float], ...]
"""One command as the motor board holds it. Of each joint: wanted angle, kp, kd and effort; and of
its motor: torque_max [N·m], knee [rad/s], speed_max [rad/s], torque lost a rad/s past the knee."""


class Actuators:
    """All motors of one robot."""

    def __init__(
        self, robot: RobotModel, config: SimulationConfig, generator: np.random.Generator
    ) -> None:
        """Starts with every joint damped.

        Args:
            robot: whose joints these are.
            config: latency, knee and drag.
            generator: draws the jitter of each command.
        """
        self._generator = generator
        self._latency = config.command_latency_s * robot.physics_hz
        self._jitter = config.command_jitter_s * robot.physics_hz
        self._drag = self._first_drag = config.joint_damping_nms_rad
        self._strength = 1.0
        self._shape = robot.stance.shape
        knee = config.speed_knee * robot.speed_max
        fall = robot.torque_max / (robot.speed_max - knee)
        limits = (robot.torque_max, knee, robot.speed_max, fall)
        self._limits = tuple(limit.tolist() for limit in limits)
        nothing = [0.0] * robot.stance.size
        self._damping = self._law_of((nothing, nothing, robot.kd_damping.tolist(), nothing))
        self._step = 0
        self._law = self._damping
        self._pending: deque[tuple[int, _Law]] = deque()

    def accept(self, command: JointCommand | None) -> None:
        """Takes a command that acts one latency from now.

        Args:
            command: the command; None means joint damping, and so does one with a wrong length or
                a number that is not finite.
        """
        delay = round(self._latency + self._jitter * self._generator.random())
        due = self._step + delay
        if self._pending:
            due = max(due, self._pending[-1][0])  # commands do not overtake each other
        self._pending.append((due, self._read(command)))

    def wear(self, strength: float, drag: float) -> None:
        """Makes the motors as old as they are now.

        Args:
            strength: share of its torque that each motor makes.
            drag: joint damping, as a multiple of the configured one.
        """
        self._strength = strength
        self._drag = drag * self._first_drag

    def torque(self, position: Sequence[float], velocity: Sequence[float]) -> list[float]:
        """Returns the torque at each joint for the next physics step [N·m], and counts that step.

        Plain numbers: for a dozen joints that is faster than arrays.

        Args:
            position: true joint angles [rad].
            velocity: true joint velocities [rad/s].
        """
        while self._pending and self._pending[0][0] <= self._step:
            self._law = self._pending.popleft()[1]
        self._step += 1
        drag, strength = self._drag, self._strength
        torques = []
        for q, v, law in zip(position, velocity, self._law, strict=True):
            wanted, kp, kd, effort, torque_max, knee, speed_max, fall = law
            torque = kp * (wanted - q) - kd * v + effort
            if not (-torque_max <= torque <= torque_max and -knee <= v <= knee):
                torque = _limited(torque, v, torque_max, speed_max, fall)
            torques.append(strength * torque - drag * v)
        return torques

    def _read(self, command: JointCommand | None) -> _Law:
        if command is None:
            return self._damping
        parts = (command.position, command.kp, command.kd, command.effort)
        if any(part.shape != self._shape for part in parts):
            return self._damping
        numbers = tuple(part.tolist() for part in parts)
        usable = all(map(math.isfinite, itertools.chain(*numbers)))
        return self._law_of(numbers) if usable else self._damping

    def _law_of(self, numbers: Sequence[list[float]]) -> _Law:
        return tuple(zip(*numbers, *self._limits, strict=True))


def _limited(
    torque: float, velocity: float, torque_max: float, speed_max: float, fall: float
) -> float:
    """Returns the part of `torque` [N·m] that the motor has at `velocity` [rad/s]."""
    high = min(max(fall * (speed_max - velocity), 0.0), torque_max)
    low = -min(max(fall * (speed_max + velocity), 0.0), torque_max)
    return min(max(torque, low), high)
