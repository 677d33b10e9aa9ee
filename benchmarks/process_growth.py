"""What a process takes of the machine, and whether it takes ever more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

KIB = 1024
MIB = KIB * KIB
SECONDS_AN_HOUR = 3600.0


class Size(NamedTuple):
    """A process at one moment."""

    time_s: float
    """steady clock [s]"""
    resident_bytes: int
    files: int
    """that are open"""
    threads: int


class Growth(NamedTuple):
    """How a process grew over its life, less the warm-up."""

    watched_s: float
    resident_mib: float
    """at the end"""
    mib_per_hour: float
    files: float
    """more in the last quarter than in the first, medians"""
    threads: float


def size(pid: int, now_s: float) -> Size | None:
    """Returns what the process `pid` takes now; None where it has ended."""
    folder = Path('/proc') / str(pid)
    try:
        status = dict(line.split(':', 1) for line in (folder / 'status').read_text().splitlines())
        files = sum(1 for _ in (folder / 'fd').iterdir())
        return Size(now_s, int(status['VmRSS'].split()[0]) * KIB, files, int(status['Threads']))
    except (OSError, KeyError):  # KeyError: what has ended but was not waited for has no memory
        return None


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
