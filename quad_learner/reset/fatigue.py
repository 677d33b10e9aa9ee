"""Tells when motors or battery ask for a rest, before safety would have to stop the robot.

A stop comes in the middle of a step and lets the robot fall; a rest comes between two episodes.
"""

from __future__ import annotations

import numpy as np

from quad_learner.reset.config import ResetConfig
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import Health

FIT = ''


class Fatigue:
    """Fed with battery and warmth; what is unknown asks for no rest: safety decides on that."""

    def __init__(self, robot: RobotModel, config: ResetConfig) -> None:
        """Stores.

        Args:
            robot: gives the motors' limit.
            config: how far from the limits to rest, and for how long.
        """
        self._joints = robot.joints
        self._hot = robot.motor_temperature_max - config.rest_temperature_margin
        self._cool = self._hot - config.rest_cooling
        self._low = config.rest_charge
        self._charged = config.rest_charge + config.rest_charge_gain
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
            *self._hunger(health, self._charged if self.tired else self._low),
        ]
        self.cause = ', '.join(causes)

    def _heat(self, health: Health, limit: float) -> list[str]:
        known = np.where(np.isfinite(health.motor_temperature), health.motor_temperature, -np.inf)
        warmest = int(np.argmax(known))
        if not known[warmest] > limit:
            return []
        return [f'motor of {self._joints[warmest]} at {known[warmest]:.0f} °C']

    def _hunger(self, health: Health, limit: float) -> list[str]:
        if not health.battery_charge < limit:
            return []
        return [f'battery at {100.0 * health.battery_charge:.0f} %']
