"""What a process takes of the machine, and an alarm where that grows (docs/faults.md, row 61).

A node that runs for days must not end for want of memory. Everything a node needs is made at its
start or soon after it; what it takes beyond that is a leak, its own or the middleware's.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

KIB = 1024
MIB = KIB * KIB
SECONDS_AN_HOUR = 3600.0
WARM_UP_S = 1800.0
"""[s] of a process's life in which it may still grow: caches, compiled kernels, first messages"""
GROWN_MIB = 16.0
"""[MiB] that a process may grow by after that, in however long a time"""
MORE_OPEN = 8
"""files or threads that may come after that: somebody listens for a while, a file is changed"""


class Size(NamedTuple):
    """A process at one moment."""

    time_s: float
    """steady clock [s]"""
    resident_bytes: int
    files: int
    """that are open"""
    threads: int


def size(pid: int, now_s: float) -> Size | None:
    """Returns what the process `pid` takes now; None where it has ended."""
    folder = Path('/proc') / str(pid)
    try:
        status = dict(line.split(':', 1) for line in (folder / 'status').read_text().splitlines())
        files = len(os.listdir(folder / 'fd'))
        return Size(now_s, int(status['VmRSS'].split()[0]) * KIB, files, int(status['Threads']))
    except (OSError, KeyError):  # KeyError: what has ended but was not waited for has no memory
        return None


class GrowthAlarm:
    """Says when a process has grown by more than it may since it was warm."""

    def __init__(self) -> None:
        self._born_s: float | None = None
        self._warm: Size | None = None

    def look(self, now: Size) -> str:
        """Returns what is wrong with the size `now`; '' where nothing is, or it is not warm."""
        if self._born_s is None:
            self._born_s = now.time_s
        if self._warm is None:
            if now.time_s - self._born_s >= WARM_UP_S:
                self._warm = now
            return ''
        return self._grown(self._warm, now)

    def _grown(self, warm: Size, now: Size) -> str:
        hours = (now.time_s - warm.time_s) / SECONDS_AN_HOUR
        mib = (now.resident_bytes - warm.resident_bytes) / MIB
        files, threads = now.files - warm.files, now.threads - warm.threads
        found = []
        if mib > GROWN_MIB:
            found.append(f'{mib:.0f} MiB')
        if files > MORE_OPEN:
            found.append(f'{files} open files')
        if threads > MORE_OPEN:
            found.append(f'{threads} threads')
        return f'has grown by {", ".join(found)} in {hours:.1f} h' if found else ''
