"""Who gets a processor first: what controls the robot before all else, what learns last of all.

Linux's scheduling classes, sched(7). Beside two busy processes a loop of 5 ms on two cores was up
to 4.7 ms late, and 1.8 ms at a real-time priority; beside the processes of two whole runs ordinary
ones are late by tens.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_THREADS = Path('/proc/self/task')


def may_run_first(priority: int) -> bool:
    """Returns whether this user may let threads run at a real-time priority (1 … 99)."""
    before, given = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except (OSError, ValueError):  # not allowed, or no such priority
        return False
    os.sched_setscheduler(0, before, given)
    return True


def threads() -> list[int]:
    """Returns the numbers of this process's threads, that of the first one to the front."""
    first = os.getpid()  # a later one may have a lower number: they are given out in a circle
    return sorted((int(entry.name) for entry in _THREADS.iterdir()), key=lambda n: n != first)


def run_first(numbers: Iterable[int], priority: int) -> bool:
    """Lets threads run before all ordinary ones, as those that they start; returns whether it may.

    Args:
        numbers: of the threads.
        priority: real-time priority, 1 … 99.
    """
    if not may_run_first(priority):
        return False
    for number in numbers:
        try:
            os.sched_setscheduler(number, os.SCHED_FIFO, os.sched_param(priority))
        except ProcessLookupError:  # it has ended meanwhile
            continue
    return True


def run_only_when_idle() -> None:
    """Lets the calling thread run only on processors that nobody else has a use for.

    A nice process still keeps its processor for its slice when a control process wakes up;
    a thread of SCHED_IDLE gives it up at once.
    """
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
