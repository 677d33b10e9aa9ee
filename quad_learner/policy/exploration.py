"""Smooth exploration: noise that lasts, so that legs swing instead of trembling.

An Ornstein-Uhlenbeck sequence with unit variance at every step, z' = ρ z + √(1 − ρ²) ε: each
action on its own has exactly the policy's distribution, but neighbours are alike. Step-wise
independent noise averages out within a stride and wears motors (Raffin et al. 2020, arXiv
2005.05719). As shipped each step is independent all the same: with a stepping rhythm under the
actions that walked sooner in simulation, and fell less (docs/results.md).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class SmoothNoise:
    """Correlated standard normal noise, one number an action."""

    def __init__(
        self, size: int, correlation_s: float, period_s: float, generator: np.random.Generator
    ) -> None:
        """Args:
        size: numbers in an action.
        correlation_s: time constant of the noise [s]; 0 makes it independent.
        period_s: time between decisions [s].
        generator: the only source of randomness.
        """
        self._keep = math.exp(-period_s / correlation_s) if correlation_s > 0.0 else 0.0
        self._fresh = math.sqrt(1.0 - self._keep**2)
        self._generator = generator
        self._size = size
        self._value = np.zeros(size)

    def begin(self) -> None:
        """Draws a new start: what one episode tried says nothing about the next."""
        self._value = self._generator.standard_normal(self._size)

    def next(self) -> Array:
        """Returns the noise of the next decision, (size,)."""
        self._value = self._keep * self._value + self._fresh * self._generator.standard_normal(
            self._size
        )
        return self._value
