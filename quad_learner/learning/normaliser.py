"""Running mean and deviation of the observations, so that each input counts alike.

Counted over every step ever ingested (Welford 1962), in double precision.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Normaliser:
    """(x − mean) / max(deviation, floor) for each number of an observation."""

    def __init__(self, size: int, floor: float) -> None:
        """Args:
        size: numbers in an observation.
        floor: smallest deviation divided by: a nearly constant input is not blown up.
        """
        self._floor = floor
        self.count = 0
        """observations seen"""
        self.mean: Array = np.zeros(size)
        self.squares: Array = np.zeros(size)
        """sum of squared distances from the mean"""

    def observe(self, observation: NDArray[np.float32]) -> None:
        """Takes `observation` into the mean and the deviation."""
        self.count += 1
        distance = observation - self.mean
        self.mean = self.mean + distance / self.count
        self.squares = self.squares + distance * (observation - self.mean)

    @property
    def deviation(self) -> Array:
        """What is divided by: at least the floor; 1 before two observations were seen."""
        if self.count < 2:
            return np.ones_like(self.mean)
        return np.maximum(np.sqrt(self.squares / self.count), self._floor)
