"""How long commands take: from a sample that was told to the command that answers it."""

from __future__ import annotations

import math

KEPT = 16
"""Samples whose time of telling is kept: a command that answers an older one is not measured."""
NS_PER_MS = 1e6


class Latency:
    """Measured where samples leave and commands arrive: in the robot node, by its steady clock."""

    def __init__(self) -> None:
        self._told: dict[int, int] = {}
        self._sum_ms = self._largest_ms = 0.0
        self._count = 0

    def told(self, stamp_ns: int, now_ns: int) -> None:
        """Notes that the sample of `stamp_ns` was told now [ns]; said again, the first counts."""
        self._told.setdefault(stamp_ns, now_ns)
        if len(self._told) > KEPT:
            del self._told[min(self._told)]

    def answered(self, stamp_ns: int, now_ns: int) -> None:
        """Notes that a command for the sample of `stamp_ns` arrived now [ns]; the first counts."""
        told = self._told.pop(stamp_ns, None)
        if told is None:
            return
        latency = (now_ns - told) / NS_PER_MS
        self._sum_ms += latency
        self._largest_ms = max(self._largest_ms, latency)
        self._count += 1

    def take(self) -> tuple[float, float]:
        """Returns mean and largest latency [ms] since it was last asked, NaN where none was."""
        if not self._count:
            return math.nan, math.nan
        taken = self._sum_ms / self._count, self._largest_ms
        self._sum_ms = self._largest_ms = 0.0
        self._count = 0
        return taken
