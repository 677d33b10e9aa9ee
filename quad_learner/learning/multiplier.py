"""The dual variables: λ, the price of the constraint, and α, the price of predictability.

Both climb their dual by plain bounded steps in proportion to what is missing. Adam is not used: on
a single number it moves by about its step size however small the violation is.

    λ ← clip(λ + clip(rate · (required − measured), ±step_max), 0, maximum)
    log α ← log α + clip(rate · (target entropy − entropy), ±step_max)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

LOG_TEMPERATURE_BOUND = 20.0
"""|log α| stays below it: far outside any use, so that exp never overflows."""


class Multiplier(Protocol):
    """A law for λ. Its whole memory is in `state`, so that a checkpoint can hold it."""

    @property
    def value(self) -> float:
        """λ ≥ 0."""
        ...

    def update(self, measured: float) -> None:
        """Moves λ after the average margin [rad] was measured."""
        ...

    def state(self) -> dict[str, float]:
        """Returns all that `restore` needs."""
        ...

    def restore(self, state: Mapping[str, float]) -> None:
        """Takes up a state that `state` returned."""
        ...


class DualAscent:
    """Projected dual ascent: λ rises while margin is missing, falls while there is plenty."""

    def __init__(
        self, initial: float, required: float, rate: float, step_max: float, maximum: float
    ) -> None:
        """Args:
        initial: λ at the start, 0 … maximum.
        required: average margin to keep [rad].
        rate: step of λ per rad of missing margin [1/rad].
        step_max: largest step of λ.
        maximum: λ never exceeds it.
        """
        self.value = initial
        self._required = required
        self._rate = rate
        self._step_max = step_max
        self._maximum = maximum

    def update(self, measured: float) -> None:
        """Moves λ; a measurement that is not finite moves nothing."""
        if not math.isfinite(measured):
            return
        step = _bounded(self._rate * (self._required - measured), self._step_max)
        self.value = min(max(self.value + step, 0.0), self._maximum)

    def state(self) -> dict[str, float]:
        """Returns λ: this law has no other memory."""
        return {'value': self.value}

    def restore(self, state: Mapping[str, float]) -> None:
        """Takes up λ."""
        self.value = state['value']


class Temperature:
    """α, the weight of entropy: rises while the policy is too predictable."""

    def __init__(self, initial: float, target: float, rate: float, step_max: float) -> None:
        """Args:
        initial: α at the start, > 0.
        target: entropy wanted [nat].
        rate: step of log α per nat of missing entropy.
        step_max: largest step of log α.
        """
        self._log = math.log(initial)
        self._target = target
        self._rate = rate
        self._step_max = step_max

    @property
    def value(self) -> float:
        """α > 0."""
        return math.exp(self._log)

    def update(self, entropy: float) -> None:
        """Moves α after the policy's entropy [nat] was measured; nothing if it is not finite."""
        if not math.isfinite(entropy):
            return
        moved = self._log + _bounded(self._rate * (self._target - entropy), self._step_max)
        self._log = _bounded(moved, LOG_TEMPERATURE_BOUND)

    def state(self) -> dict[str, float]:
        """Returns log α."""
        return {'log': self._log}

    def restore(self, state: Mapping[str, float]) -> None:
        """Takes up log α."""
        self._log = state['log']


def _bounded(value: float, bound: float) -> float:
    return min(max(value, -bound), bound)
