"""Puts battery and motor warmth together: two topics, each of which may fall silent by itself.

Each quantity keeps its own stamp and its own time of receipt, so that news of one never passes for
news of the other. What was never told is NaN.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from rclpy.node import Node

from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import NANOSECONDS, Health
from quad_learner.ros import topics
from quad_learner.ros.clock import LONG_AGO_NS, steady_ns
from quad_learner.ros.messages import MessageError, stamp_from
from quad_learner.ros.packed import Records

DELAY_NS = NANOSECONDS // 2
"""[ns] after which all nodes have surely heard what is told once a second: in lockstep, where the
same must be known at the same tick in each run, health is used that long after its stamp"""
KEPT = 3
"""words of each quantity that are kept, the newest last: more than can be under way within the
delay"""


class Told(NamedTuple):
    """What is known of battery and motors."""

    health: Health | None
    """the newest of both; None: neither was ever told"""
    battery_ns: int
    """when battery was told: its receipt; in lockstep, where that is chance, its stamp [ns]"""
    warmth_ns: int
    """the same of the motors' warmth"""

    def not_before(self, time_ns: int) -> Health | None:
        """Returns what was told at `time_ns` [ns] or later; the other quantity is NaN."""
        health = self.health
        if health is not None and self.battery_ns < time_ns:
            health = replace(health, battery_voltage=np.nan, battery_charge=np.nan)
        if health is not None and self.warmth_ns < time_ns:
            health = replace(health, motor_temperature=health.motor_temperature * np.nan)
        return health


class _Word(NamedTuple):
    """One message: a Health of which one quantity counts."""

    health: Health
    received_ns: int


class HealthListener:
    """Hears of battery and motors."""

    def __init__(self, node: Node, robot: RobotModel, records: Records) -> None:
        self._records = records
        self._unknown = np.full(len(robot.joints), np.nan)
        self._battery: list[_Word] = []
        self._warmth: list[_Word] = []
        self._parts: tuple[_Word | None, _Word | None] = (None, None)
        self._whole: Health | None = None
        self.problem = ''
        """why the last unreadable message was refused"""
        topics.BATTERY.subscribe(node, self._on_battery)
        if robot.has_motor_temperature:
            topics.MOTOR_TEMPERATURE.subscribe(node, self._on_temperature)

    @property
    def newest(self) -> Health | None:
        """What was told last, of either quantity."""
        return self.told().health

    def told(self, time_ns: int | None = None) -> Told:
        """Returns what is known of each quantity, and since when.

        Args:
            time_ns: robot time [ns] in lockstep: only what every node has surely heard by then,
                and by its stamp; None: all that came, by its receipt.
        """
        battery, warmth = _known(self._battery, time_ns), _known(self._warmth, time_ns)
        if battery is not self._parts[0] or warmth is not self._parts[1]:
            self._parts, self._whole = (battery, warmth), self._merged(battery, warmth)
        return Told(self._whole, _since(battery, time_ns), _since(warmth, time_ns))

    def for_decision(self, time_ns: int, lockstep: bool) -> Health | None:
        """Returns what a decision on the sample of `time_ns` [ns, robot time] is to be made on."""
        return self.told(time_ns if lockstep else None).health

    def _on_battery(self, message: Any) -> None:
        charge = (message.voltage, message.percentage)
        _keep(self._battery, Health(stamp_from(message), *charge, self._unknown))

    def _on_temperature(self, message: Any) -> None:
        try:
            _keep(self._warmth, self._records.temperature_from(message))
        except MessageError as error:
            self.problem = f'motor_temperature: {error}'

    def _merged(self, battery: _Word | None, warmth: _Word | None) -> Health | None:
        if battery is None or warmth is None:
            known = battery or warmth
            return None if known is None else known.health
        return Health(
            max(battery.health.time_ns, warmth.health.time_ns),
            battery.health.battery_voltage,
            battery.health.battery_charge,
            warmth.health.motor_temperature,
        )


def _keep(words: list[_Word], health: Health) -> None:
    """Adds a word to those with older stamps; one that is said again is as old as at first."""
    again = [word.received_ns for word in words if word.health.time_ns == health.time_ns]
    earlier = [word for word in words if word.health.time_ns < health.time_ns]
    words[:] = [*earlier, _Word(health, again[0] if again else steady_ns())][-KEPT:]


def _known(words: list[_Word], time_ns: int | None) -> _Word | None:
    latest_ns = None if time_ns is None else time_ns - DELAY_NS
    known = (w for w in reversed(words) if latest_ns is None or w.health.time_ns <= latest_ns)
    return next(known, None)


def _since(word: _Word | None, time_ns: int | None) -> int:
    if word is None:
        return LONG_AGO_NS
    return word.received_ns if time_ns is None else word.health.time_ns
