"""What the robot is to do, from whoever commands it: the newest command, while it is fresh.

A game controller counts while its button is held, and then before everything else; letting the
button go means stand. Where it needs no button it counts while a stick is off its middle: one that
lies about, and says so again and again, is in nobody's way. A command that is too old means stand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quad_learner.drive.config import DriveConfig
from quad_learner.robot.signals import NANOSECONDS
from quad_learner.task.commander import REST

Array = NDArray[np.float64]


class Steering:
    """Keeps the newest command."""

    def __init__(self, config: DriveConfig, largest: Array) -> None:
        """Args:
        config: how old, which axes.
        largest: velocity ahead, to the left [m/s] and yaw rate [rad/s] of a full stick, (3,).
        """
        self._config = config
        self._largest = largest
        self._age_ns = round(config.command_age_max_s * NANOSECONDS)
        self._command = REST
        self._came_ns: int | None = None
        self._held = False

    def twist(self, ahead: float, left: float, turn: float, now_ns: int) -> bool:
        """Takes in a velocity [m/s, m/s, rad/s]; tells whether it counts."""
        if self._held and self._is_fresh(now_ns):
            return False
        self._held = False
        return self._take(np.array((ahead, left, turn)), now_ns)

    def joy(self, axes: Sequence[float], buttons: Sequence[int], now_ns: int) -> bool:
        """Takes in a game controller's axes, −1 … 1, and buttons; tells whether it counts."""
        config = self._config
        if max(config.joy_axes) >= len(axes) or config.joy_enable >= len(buttons):
            return False
        share = np.array([axes[index] for index in config.joy_axes], np.float64)
        if config.joy_enable < 0:
            held = bool((np.abs(share) > config.dead_share).any())
        else:
            held = bool(buttons[config.joy_enable])
        released = self._held and not held
        self._held = held
        if not held:
            return released and self._take(REST, now_ns)
        return self._take(share * self._largest, now_ns)

    def wanted(self, now_ns: int) -> Array:
        """Returns the command that counts now, (3,), no component beyond the largest."""
        return self._command if self._is_fresh(now_ns) else REST

    def _take(self, command: Array, now_ns: int) -> bool:
        if not all(math.isfinite(number) for number in command.tolist()):
            return False
        self._command = np.minimum(np.maximum(command, -self._largest), self._largest)
        self._came_ns = now_ns
        return True

    def _is_fresh(self, now_ns: int) -> bool:
        return self._came_ns is not None and 0 <= now_ns - self._came_ns <= self._age_ns
