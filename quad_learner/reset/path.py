"""A straight line in joint space, gone along at constant speed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class JointPath:
    """Where the joints should be on the way from one pose to the next."""

    def __init__(self, position: Array) -> None:
        """Stands still at `position` [rad], (joints,)."""
        self._start = position
        self._goal = position
        self._seconds = 0.0
        self._elapsed = 0.0

    @property
    def seconds(self) -> float:
        """Time that the whole line takes [s]."""
        return self._seconds

    @property
    def done(self) -> bool:
        """Whether the goal has been reached."""
        return self._elapsed >= self._seconds

    @property
    def position(self) -> Array:
        """Where the joints should be now [rad], (joints,)."""
        if self.done:
            return self._goal
        return self._start + (self._goal - self._start) * (self._elapsed / self._seconds)

    def go(self, goal: Array, seconds: float) -> None:
        """Heads for `goal` [rad], (joints,), from where the path is now, in `seconds` >= 0."""
        self._start, self._goal = self.position, goal
        self._seconds, self._elapsed = seconds, 0.0

    def advance(self, dt: float) -> None:
        """Lets `dt` [s] pass."""
        self._elapsed += dt

    def follow(self, joints: NDArray[np.bool_], position: Array) -> None:
        """Lets some `joints`, (joints,), go where they are: `position` [rad], (joints,)."""
        self._start = np.where(joints, position, self._start)
        self._goal = np.where(joints, position, self._goal)


def furthest(position: Array, goal: Array) -> float:
    """Returns how far the joint that is furthest from `goal` is from it [rad]."""
    return float(np.max(np.abs(position - goal)))
