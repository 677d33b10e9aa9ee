"""Kills a process in `crash`, and knows what it had promised until then.

The work runs in a fork of its own and tells each promise through a pipe: what is in the pipe was
promised, however suddenly the process ends.
"""

from __future__ import annotations

import gc
import os
import signal
import struct
import time
import traceback
from collections.abc import Callable

import numpy as np

from crash_work import RESTORED, STATE, STEP, Promise

PROMISES_MAX = 60
"""kept before the kill; a state is saved every seven steps"""
DELAY_S, DELAY_FROM_START_S = 0.003, 0.03
"""longest wait after the last of them, and, in a part of the trials, from the start on"""
EARLY = 0.2
"""part of the trials that are killed while they may still be starting"""
_PROMISE = struct.Struct('=Bq')
_KINDS = (RESTORED, STEP, STATE)
_WRITE = os.write
"""the real one: a promise through the pipe is no change of the disk"""
Work = Callable[[Promise], None]


def killed(work: Work, die: Callable[[int, int], None]) -> dict[str, int]:
    """Runs `work` in a process of its own until `die` has killed it; returns its last promises.

    Args:
        work: is given a function that tells promises.
        die: is given the process and the pipe that the promises come through.

    Raises:
        RuntimeError: the process failed by itself.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _child(work, writer)
    os.close(writer)
    kept: dict[str, int] = {}
    try:
        die(child, reader)
        _, status = os.waitpid(child, 0)
        while data := os.read(reader, _PROMISE.size):
            _keep(kept, data)
    finally:
        os.close(reader)
    if os.waitstatus_to_exitcode(status) not in (0, -signal.SIGKILL):
        raise RuntimeError('the process to be killed failed by itself')
    return {'ended': int(status == 0), **kept}


def after(promises: int, delay_s: float, kept: dict[str, int]) -> Callable[[int, int], None]:
    """Returns what kills so long after so many promises, and puts these into `kept`."""

    def die(child: int, reader: int) -> None:
        for _ in range(promises):
            data = os.read(reader, _PROMISE.size)
            if not data:
                break
            _keep(kept, data)
        time.sleep(delay_s)
        os.kill(child, signal.SIGKILL)

    return die


def by_chance(
    work: Work, chance: np.random.Generator, promises_max: int = PROMISES_MAX
) -> dict[str, int]:
    """Kills `work` at a random moment; returns its last promises."""
    early = chance.random() < EARLY
    promises = 0 if early else int(chance.integers(1, promises_max))
    kept: dict[str, int] = {}
    delay_s = chance.random() * (DELAY_FROM_START_S if early else DELAY_S)
    told = killed(work, after(promises, delay_s, kept))
    return {**kept, **told}


def _child(work: Work, writer: int) -> None:
    # Garbage of the parent is not the fork's to collect: its finalisers may need threads.
    gc.freeze()
    code = 1
    try:
        work(lambda kind, number: _tell(writer, kind, number))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _tell(writer: int, kind: str, number: int) -> None:
    _WRITE(writer, _PROMISE.pack(_KINDS.index(kind), number))


def _keep(kept: dict[str, int], data: bytes) -> None:
    kind, number = _PROMISE.unpack(data)
    kept[_KINDS[kind]] = number
