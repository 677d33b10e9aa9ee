"""What an episode's row keeps of a quantity that is sampled, in the same memory however often."""

from __future__ import annotations

import math

from quad_learner.experience.metrics_table import LARGEST, LAST, MEAN


class Samples:
    """Of one quantity: a robot that rests or waits for help may gather them for days."""

    __slots__ = ('_count', '_largest', '_last', '_sum')

    def __init__(self) -> None:
        self._count = 0
        self._sum = 0.0
        self._last = math.nan
        self._largest = -math.inf

    def add(self, value: float) -> None:
        """Takes one in; it must be finite."""
        self._count += 1
        self._sum += value
        self._last = value
        self._largest = max(self._largest, value)

    def kept(self, what: str) -> float:
        """Returns `LAST`, `MEAN` or `LARGEST` of them; nan where there were none."""
        if not self._count:
            return math.nan
        found = {LAST: self._last, MEAN: self._sum / self._count, LARGEST: self._largest}
        return found[what]
