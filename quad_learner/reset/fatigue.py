"""Tells when motors or battery ask for a rest, before safety would have to stop the robot.

A stop comes in the middle of a step and lets the robot fall; a rest comes between two episodes.
Safety stops a robot whose voltage falls below that of the empty battery, and the current of
walking pulls it down long before the charge is used up. So the voltage is looked at as well. It is
higher as soon as the robot lies, which says nothing: such a rest, too, lasts until charge was
gained.
"""

from __future__ import annotations

import math

import numpy as np

from quad_learner.reset.config import ResetConfig
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import NANOSECONDS, Health

FIT = ''
SAGGING_NS = 2 * NANOSECONDS
"""[ns] that the voltage must be low: one reading may be that of a stumble, or wrong"""
FULL = 0.95
"""charge of a battery that is charged: not every charger says 1"""


class Fatigue:
    """Fed with battery and warmth; what is unknown asks for no rest: safety decides on that."""

    def __init__(self, robot: RobotModel, config: ResetConfig) -> None:
        """Stores.

        Args:
            robot: gives the motors' limit and the battery's voltages.
            config: how far from the limits to rest, and for how long.
        """
        self._joints = robot.joints
        self._hot = robot.motor_temperature_max - config.rest_temperature_margin
        self._cool = self._hot - config.rest_cooling
        self._empty_v = robot.battery_empty_voltage
        self._span_v = robot.battery_full_voltage - robot.battery_empty_voltage
        self._sagging = config.rest_voltage
        self._low = config.rest_charge
        self._gain = config.rest_charge_gain
        self._enough = 0.0
        """charge that ends the rest of a low battery"""
        self._sags_since_ns: int | None = None
        self._felt: Health | None = None
        self.cause = FIT
        """why the robot should rest, for people; empty while it need not"""

    @property
    def tired(self) -> bool:
        """Whether the robot should rest."""
        return self.cause != FIT

    def feel(self, health: Health | None) -> None:
        """Takes in the newest of battery and motors; None: nothing was told yet."""
        if health is None or health is self._felt:  # felt again it says the same
            return
        self._felt = health
        causes = [
            *self._heat(health, self._cool if self.tired else self._hot),
            *self._hunger(health),
        ]
        self.cause = ', '.join(causes)

    def _heat(self, health: Health, limit: float) -> list[str]:
        known = np.where(np.isfinite(health.motor_temperature), health.motor_temperature, -np.inf)
        warmest = int(np.argmax(known))
        if not known[warmest] > limit:
            return []
        return [f'motor of {self._joints[warmest]} at {known[warmest]:.0f} °C']

    def _hunger(self, health: Health) -> list[str]:
        share = (health.battery_voltage - self._empty_v) / self._span_v
        charge = health.battery_charge
        # Who tells no charge is taken to have as much as its voltage says.
        left = share if math.isnan(charge) else charge
        if left < self._low or self._sags(health.time_ns, share):
            enough = min(max(left, self._low) + self._gain, FULL)
            self._enough = max(self._enough, enough)
        elif not self.tired:
            return []
        # Who rests, whatever for, is charged as well.
        if not left < max(self._enough, self._low + self._gain):
            self._enough = 0.0
            return []
        return [f'battery at {100.0 * left:.0f} %, {health.battery_voltage:.1f} V']

    def _sags(self, time_ns: int, share: float) -> bool:
        """Tells whether the voltage, as a share of the way from empty to full, has been low for
        long enough."""
        if not share < self._sagging:
            self._sags_since_ns = None
            return False
        if self._sags_since_ns is None:
            self._sags_since_ns = time_ns
        return time_ns - self._sags_since_ns >= SAGGING_NS
