"""How processes grow while they are watched, and which take ever more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from quad_learner.process_size import MIB, SECONDS_AN_HOUR, Size

WARM_UP_S, WATCHED_S = 600.0, 1200.0
"""[s] of a process's life that do not count, and that must follow for a slope to be judged"""
SLOPE_MIB_H = 1.0
"""[MiB/h] more that a process may take: 24 MiB in a day"""
FILES_MORE = 4.0
"""files or threads more that are no leak: a stranger may be there at one of the two looks"""
SECONDS_A_MINUTE = 60.0
FILLS = ('learner',)
"""processes that grow by what they are for: its replay holds a million steps"""


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


def leaks(sizes: Mapping[tuple[str, int], list[Size]]) -> tuple[dict[str, Growth], list[str]]:
    """Returns how each process grew in its longest life, and which of them take ever more."""
    found: dict[str, Growth] = {}
    wrong = []
    for (name, _), looked in sizes.items():
        grew = growth(looked, min(WARM_UP_S, (looked[-1].time_s - looked[0].time_s) / 3.0))
        if grew is not None and (name not in found or grew.watched_s > found[name].watched_s):
            found[name] = grew
    for name, grew in found.items():
        if grew.watched_s < WATCHED_S:
            continue
        if grew.mib_per_hour > SLOPE_MIB_H and name not in FILLS:
            wrong.append(f'{name} takes {grew.mib_per_hour:.1f} MiB more an hour')
        if max(grew.files, grew.threads) > FILES_MORE:
            wrong.append(f'{name}: {grew.files:.0f} files, {grew.threads:.0f} threads more')
    return found, wrong


def by_minute(sizes: Mapping[tuple[str, int], list[Size]]) -> dict[str, list[float]]:
    """Returns what each process took [MiB] in each minute of its longest life, at the first look.

    A slope does not tell a leak from a step, or from a heap that fills up and then does not.
    """
    found: dict[str, list[float]] = {}
    for (name, _), looked in sizes.items():
        minutes: dict[int, float] = {}
        for each in looked:
            minute = int((each.time_s - looked[0].time_s) // SECONDS_A_MINUTE)
            minutes.setdefault(minute, round(each.resident_bytes / MIB, 2))
        if len(minutes) > len(found.get(name, ())):
            found[name] = list(minutes.values())
    return found
