"""Puts battery and motor warmth together: they are told beside each other, in either order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from rclpy.node import Node

from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import NANOSECONDS, Health
from quad_learner.ros import topics
from quad_learner.ros.messages import MessageError, stamp_from
from quad_learner.ros.packed import Records

DELAY_NS = NANOSECONDS // 2
"""[ns] after which all nodes have surely heard what is told once a second: in lockstep, where the
same must be known at the same tick in each run, health is used that long after its stamp"""
KEPT = 3
"""told health that is kept, the newest last: more than can be under way within the delay"""


class HealthListener:
    """Hears of battery and motors; `newest` and `known_at` are what was told."""

    def __init__(
        self,
        node: Node,
        robot: RobotModel,
        records: Records,
        on_health: Callable[[Health], None] = lambda _: None,
    ) -> None:
        self._records = records
        self._on_health = on_health
        self._battery: Any = None
        self._temperature = np.full(len(robot.joints), np.nan)
        self._told: list[Health] = []
        self.problem = ''
        """why the last unreadable message was refused"""
        topics.BATTERY.subscribe(node, self._on_battery)
        if robot.has_motor_temperature:
            topics.MOTOR_TEMPERATURE.subscribe(node, self._on_temperature)

    @property
    def newest(self) -> Health | None:
        """What was told last; unknown warmth is NaN."""
        return self._told[-1] if self._told else None

    def known_at(self, time_ns: int) -> Health | None:
        """Returns the newest that every node has surely heard at `time_ns` [ns, robot time]."""
        known = [health for health in self._told if health.time_ns <= time_ns - DELAY_NS]
        return known[-1] if known else None

    def for_decision(self, time_ns: int, lockstep: bool) -> Health | None:
        """Returns what a decision on the sample of `time_ns` [ns, robot time] is to be made on."""
        return self.known_at(time_ns) if lockstep else self.newest

    def _on_battery(self, message: Any) -> None:
        self._battery = message
        self._tell()

    def _on_temperature(self, message: Any) -> None:
        try:
            self._temperature = self._records.temperature_from(message)
        except MessageError as error:
            self.problem = f'motor_temperature: {error}'
            return
        self._tell()

    def _tell(self) -> None:
        if self._battery is None:
            return
        health = Health(
            stamp_from(self._battery),
            self._battery.voltage,
            self._battery.percentage,
            self._temperature,
        )
        earlier = [each for each in self._told if each.time_ns < health.time_ns]
        self._told = [*earlier, health][-KEPT:]
        self._on_health(health)
