"""The rhythm of a robot: command ticks, and the decisions that fall on every so many of them.

Tick i has the stamp i / command_hz, rounded down to a nanosecond; ticks are told apart by index,
never by comparing stamps.
"""

from __future__ import annotations

from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import NANOSECONDS


class Ticks:
    """Turns stamps into tick numbers and back for one robot."""

    def __init__(self, robot: RobotModel) -> None:
        self._hz = robot.command_hz
        self._per_decision = robot.ticks_per_decision

    def index(self, time_ns: int) -> int:
        """Returns the number of the tick nearest to `time_ns` [ns]."""
        return (time_ns * self._hz + NANOSECONDS // 2) // NANOSECONDS

    def stamp(self, index: int) -> int:
        """Returns the stamp [ns] of tick `index`."""
        return index * NANOSECONDS // self._hz

    def is_decision(self, time_ns: int) -> bool:
        """Tells whether policy and reset decide on the tick at `time_ns` [ns]."""
        return self.index(time_ns) % self._per_decision == 0

    def decision(self, time_ns: int) -> int:
        """Returns the number of the last decision at or before `time_ns` [ns]: 0, 1, 2, …"""
        return self.index(time_ns) // self._per_decision
