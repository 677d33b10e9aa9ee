"""λ as the output of a controller that sees, besides what is missing, how fast it grows.

Stooke et al. 2020, arXiv 2007.03964: dual ascent is a controller with an integral part alone; it
overshoots and rings. A proportional part answers at once, a derivative part before it is too late.

    missing  = required − measured, smoothed
    integral ← clip(integral + K_I (required − measured), 0, maximum)
    λ        → clip(K_P missing + integral + K_D max(0, rise of missing), 0, maximum)

λ follows that by bounded steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class PidGains:
    """How the parts count."""

    proportional: float
    """K_P [1/rad]"""
    integral: float
    """K_I, an update [1/rad]"""
    derivative: float
    """K_D, for the rise from one update to the next [1/rad]"""
    smoothing: float
    """share of what is missing that is remembered from update to update, 0 … 1"""


class PidMultiplier:
    """A law for λ; see `multiplier.Multiplier` for what each method promises."""

    def __init__(
        self, initial: float, required: float, gains: PidGains, step_max: float, maximum: float
    ) -> None:
        """Args:
        initial: λ and its integral part at the start, 0 … maximum.
        required: average margin to keep [rad].
        gains: how the parts count.
        step_max: largest step of λ.
        maximum: λ never exceeds it.
        """
        self.value = initial
        self._integral = initial
        self._missing = 0.0
        self._required = required
        self._gains = gains
        self._step_max = step_max
        self._maximum = maximum

    def update(self, measured: float) -> None:
        """Moves λ; a measurement that is not finite moves nothing."""
        if not math.isfinite(measured):
            return
        gains, missing = self._gains, self._required - measured
        self._integral = self._within(self._integral + gains.integral * missing)
        before = self._missing
        self._missing += (1.0 - gains.smoothing) * (missing - before)
        rise = max(0.0, self._missing - before)
        wanted = self._within(
            gains.proportional * self._missing + self._integral + gains.derivative * rise
        )
        step = min(max(wanted - self.value, -self._step_max), self._step_max)
        self.value = self._within(self.value + step)

    def state(self) -> dict[str, float]:
        """Returns λ, its integral part and what is missing."""
        return {'value': self.value, 'integral': self._integral, 'missing': self._missing}

    def restore(self, state: Mapping[str, float]) -> None:
        """Takes up what `state` returned."""
        self.value, self._integral = state['value'], state['integral']
        self._missing = state['missing']

    def _within(self, value: float) -> float:
        return min(max(value, 0.0), self._maximum)
