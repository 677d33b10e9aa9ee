"""How processes grow while they are watched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from quad_learner.process_size import MIB, SECONDS_AN_HOUR, Size


class Growth(NamedTuple):
    """How a process grew over its life, less the warm-up."""

    watched_s: float
    resident_mib: float
    """at the end"""
    mib_per_hour: float
    files: float
    """more in the last quarter than in the first, medians"""
    threads: float


def growth(sizes: Sequence[Size], warm_up_s: float) -> Growth | None:
    """Returns how a process grew by its `sizes`; None where too few are left after `warm_up_s`."""
    kept = [each for each in sizes if each.time_s - sizes[0].time_s >= warm_up_s]
    quarter = len(kept) // 4
    if quarter < 1:
        return None
    times = np.array([each.time_s for each in kept]) - kept[0].time_s
    resident = np.array([each.resident_bytes for each in kept]) / MIB
    first, last = kept[:quarter], kept[-quarter:]
    return Growth(
        float(times[-1]),
        float(resident[-1]),
        float(np.polyfit(times, resident, 1)[0]) * SECONDS_AN_HOUR,
        float(np.median([s.files for s in last]) - np.median([s.files for s in first])),
        float(np.median([s.threads for s in last]) - np.median([s.threads for s in first])),
    )
