"""What months do to a robot and its floor, in the hours of one run.

Motors weaken and joints grow stiffer by one rate: both e-fold in 1 / `motor_wear_per_h`. The
battery holds less in the same way. The friction of the ground walks at random between its bounds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from quad_learner.simulation.config import SimulationConfig

PERIOD_S = 10.0
"""[s] between two looks at the clock: the least that a rate per hour is felt after"""
_SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True)
class Age:
    """What is left."""

    torque: float
    """share of the motors' torque that they still make"""
    drag: float
    """joint damping, as a multiple of its first"""
    capacity: float
    """share of the battery's capacity"""
    friction: float
    """coefficient of the ground"""


class Ageing:
    """Grows older as time is told to it."""

    def __init__(
        self, config: SimulationConfig, friction: float, generator: np.random.Generator
    ) -> None:
        """Starts new.

        Args:
            config: the rates, and the bounds of the friction.
            friction: of the ground at the start, without unit.
            generator: draws the friction's steps.
        """
        self._wear = config.motor_wear_per_h
        self._fade = config.battery_fade_per_h
        self._drift = config.friction_drift
        self._bounds = config.ground_friction_min, config.ground_friction_max
        self._friction = friction
        self._generator = generator
        self._periods = 0

    def at(self, time_s: float) -> Age | None:
        """Returns the age at `time_s` [s], None where it is what it was at the last call."""
        if not (self._wear or self._fade or self._drift):
            return None
        due = math.floor(time_s / PERIOD_S)
        if due == self._periods:
            return None
        while self._periods < due:
            self._periods += 1
            self._walk()
        hours = self._periods * PERIOD_S / _SECONDS_PER_HOUR
        worn = math.exp(-self._wear * hours)
        return Age(worn, 1.0 / worn, math.exp(-self._fade * hours), self._friction)

    def _walk(self) -> None:
        if not self._drift:
            return
        deviation = self._drift * math.sqrt(PERIOD_S / _SECONDS_PER_HOUR)
        low, high = self._bounds
        found = self._friction + deviation * float(self._generator.standard_normal())
        self._friction = min(max(found, low), high)
