"""How closely a commanded velocity is followed, by the truth."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SETTLE_S = 1.0
"""[s] after a new command that do not count: a body takes two strides to change its speed"""
LEAST_S = 1.0
"""[s] of one command, after that, whose mean tells: two strides even out the trot's own sway"""
LAST = 30
"""commands that the figures are the mean of"""


class Following:
    """Takes in the true motion step by step, and compares its mean with each command."""

    def __init__(self, period_s: float) -> None:
        """Begins; a step lasts `period_s` [s]."""
        self._settle = round(SETTLE_S / period_s)
        self._least = round(LEAST_S / period_s)
        self._command: Array | None = None
        self._motions: list[tuple[float, float, float]] = []
        self._errors: list[tuple[float, float]] = []

    def note(self, command: Array, velocity_world: Array, yaw: float, yaw_rate: float) -> None:
        """Takes in a step.

        Args:
            command: ahead, to the left [m/s], yaw rate [rad/s], (3,).
            velocity_world: of the body [m/s], (3,).
            yaw: heading [rad].
            yaw_rate: about the vertical [rad/s].
        """
        if self._command is None or not np.array_equal(command, self._command):
            self.end()
            self._command = command
        x, y = velocity_world[:2].tolist()
        cos, sin = math.cos(yaw), math.sin(yaw)
        self._motions.append((cos * x + sin * y, cos * y - sin * x, yaw_rate))

    def end(self) -> None:
        """Ends the command that was followed, as an episode does."""
        counted = self._motions[self._settle :]
        self._motions = []
        if self._command is None or len(counted) < self._least:
            return
        missing = np.mean(counted, axis=0) - self._command
        self._errors.append((math.hypot(missing[0], missing[1]), abs(float(missing[2]))))

    def figures(self) -> dict[str, float]:
        """Returns the mean errors of the last commands; empty where there were too few."""
        last: Sequence[tuple[float, float]] = self._errors[-LAST:]
        if len(last) < LAST:
            return {}
        velocity, turn = np.mean(last, axis=0).round(3).tolist()
        return {'velocity_error_m_s': velocity, 'yaw_rate_error_rad_s': turn}
