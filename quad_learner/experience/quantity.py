"""A quantity that is sampled: what a row keeps of it, in the same memory however many samples."""

from __future__ import annotations

import math

from quad_learner.experience.metrics_table import LARGEST, LAST, MEAN


class Quantity:
    """One of them: a robot that rests or waits for help may sample it for days."""

    __slots__ = ('_count', '_largest', '_last', '_sum')

    def __init__(self) -> None:
        self._count = 0
        self._sum = 0.0
        self._last = math.nan
        self._largest = -math.inf

    def add(self, value: float) -> None:
        """Takes a sample in; it must be finite."""
        self._count += 1
        self._sum += value
        self._last = value
        self._largest = max(self._largest, value)

    def kept(self, what: str) -> float:
        """Returns `LAST`, `MEAN` or `LARGEST` of its samples; nan where there were none."""
        if not self._count:
            return math.nan
        found = {LAST: self._last, MEAN: self._sum / self._count, LARGEST: self._largest}
        return found[what]
