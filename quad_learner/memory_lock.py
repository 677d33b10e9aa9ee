"""Keeps in memory what a process has there, mlockall(2): reading it back takes a disk's time.

A machine that is short of memory, or that clears out early, drops program code that was not run
for a while. Whoever comes to it next waits for the disk, whatever his priority: in the middle of a
walk, when safety stops for the first time in minutes, that is the wrong moment.
"""

from __future__ import annotations

import ctypes
import resource
from collections.abc import Iterator
from pathlib import Path

_MAPS, _STATUS = Path('/proc/self/maps'), Path('/proc/self/status')
_CAP_IPC_LOCK = 14
"""number of the capability, capabilities(7), that lets a process lock without a bound"""
_CURRENT, _FUTURE, _ON_FAULT = 1, 2, 4
"""flags of mlockall(2), for x86 and ARM: what is there, what comes, and pages when first used;
without the last one each thread would take up all of its stack, 8 MiB"""
_POPULATE_READ = 22
"""advice of madvise(2), from Linux 5.14 on: reads in what is not there"""


def may_lock_memory() -> bool:
    """Returns whether this process may keep in memory all that it will ever take."""
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY:
        return True
    # A bound that is reached later would refuse the process memory: then rather none is locked.
    entries = (line.partition(':') for line in _STATUS.read_text().splitlines())
    held = next((value for name, _, value in entries if name == 'CapEff'), '0')
    return bool(int(held, 16) >> _CAP_IPC_LOCK & 1)


def lock_memory() -> bool:
    """Reads in the code of this process, and keeps in memory what it uses; returns whether it may.

    Where it may not, nothing is changed.
    """
    system = ctypes.CDLL(None)
    if not may_lock_memory() or system.mlockall(_CURRENT | _FUTURE | _ON_FAULT) != 0:
        return False
    for start, size in _code():
        # An older Linux does not know this advice: there a page is kept from its first use on.
        system.madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), _POPULATE_READ)
    return True


def _code() -> Iterator[tuple[int, int]]:
    """Yields address and size [bytes] of each piece of program code that is mapped from a file."""
    for line in _MAPS.read_text().splitlines():
        place, rights, _, _, _, *file = line.split(maxsplit=5)
        if 'x' in rights and file and file[0].startswith('/'):
            start, end = (int(number, 16) for number in place.split('-'))
            yield start, end - start
