"""What is killed in `crash`: a learner's disk work in its order, and three ways to do it wrong.

A step holds bytes that its number alone decides, and so does a state: whoever reads them back can
tell the genuine from any other.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from quad_learner.experience.durable import write_atomically
from quad_learner.experience.log import ExperienceLog, segments
from quad_learner.experience.reader import ExperienceReader
from quad_learner.learning import generations
from quad_learner.learning.generations import CheckpointError

STEP_NS = 25_000_000
"""from one step to the next, by the learner's clock: 40 a second"""
STEPS_PER_STATE, STEPS_PER_SEGMENT = 7, 11
"""steps between states saved and between segments begun: all falls together now and then"""
STATE_BYTES, NUMBER_BYTES = 2048, 8
STEP, STATE, RESTORED = 'step', 'state', 'restored'
"""what is promised: that a step, or a state, will be found again; and what was found"""
Promise = Callable[[str, int], None]


def payload(kind: str, number: int, size: int) -> bytes:
    """Returns bytes that only this number of this kind has."""
    seed = hashlib.sha256(f'{kind} {number}'.encode()).digest()
    return (seed * (size // len(seed) + 1))[:size]


def step_bytes(number: int) -> bytes:
    """Returns the message of a step; lengths differ, so that records end anywhere in a block."""
    return payload(STEP, number, 200 + 37 * (number % 17))


def policy_number(folder: Path) -> int:
    """Returns the number of the state that the policy's file is of, 0 for no file, −1 for damage.

    It may be older than the checkpoint, by any number: it is written after it, and each of many
    processes in a row may be killed between the two.
    """
    path = folder / 'policy.onnx'
    if not path.exists():
        return 0
    content = path.read_bytes()
    number = int.from_bytes(content[:NUMBER_BYTES], 'little')
    return number if content == numbered(number) else -1


def numbered(number: int) -> bytes:
    """Returns the payload of that state, its number before it."""
    return number.to_bytes(NUMBER_BYTES, 'little') + payload(STATE, number, STATE_BYTES)


class Store(Protocol):
    """One way to keep the newest state in a folder."""

    def save(self, folder: Path, number: int) -> None:
        """Keeps the state of that number; when this returns, it is promised."""
        ...

    def load(self, folder: Path) -> int | None:
        """Returns the number of the state found, 0 where none was ever kept, None for damage."""
        ...


class Generations:
    """The product's way."""

    def save(self, folder: Path, number: int) -> None:
        """See Store."""
        blob = payload(STATE, number, STATE_BYTES)
        generations.write(folder / 'checkpoint', {'number': number}, blob)
        write_atomically(folder / 'policy.onnx', numbered(number))

    def load(self, folder: Path) -> int | None:
        """See Store."""
        try:
            found = generations.read(folder / 'checkpoint')
        except CheckpointError as error:
            return 0 if 'holds no checkpoint' in str(error) else None
        number = int(found.manifest['number'])
        whole = policy_number(folder) in range(number + 1)
        return number if whole and found.blob == payload(STATE, number, STATE_BYTES) else None


class _OneFile:
    """A state in one file, written in pieces as serialisers do."""

    pieces = 16

    def load(self, folder: Path) -> int | None:
        """See Store."""
        path = folder / 'state'
        if not path.exists():
            return 0 if not (folder / 'begun').exists() else None
        content = path.read_bytes()
        number = int.from_bytes(content[:NUMBER_BYTES], 'little')
        return number if content == numbered(number) else None

    def _write(self, path: Path, number: int) -> None:
        content = numbered(number)
        size = len(content) // self.pieces + 1
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        for start in range(0, len(content), size):
            os.write(descriptor, content[start : start + size])
        os.fsync(descriptor)
        os.close(descriptor)


class InPlace(_OneFile):
    """Wrong: the only copy is written over."""

    def save(self, folder: Path, number: int) -> None:
        """See Store."""
        self._write(folder / 'state', number)
        (folder / 'begun').touch()


class DeleteThenWrite(_OneFile):
    """Wrong: the old one goes before the new one comes."""

    def save(self, folder: Path, number: int) -> None:
        """See Store."""
        (folder / 'state').unlink(missing_ok=True)
        self._write(folder / 'state', number)
        (folder / 'begun').touch()


class NoFolderSync(_OneFile):
    """Wrong: written beside, synced and renamed, but the folder's names are left to chance."""

    def save(self, folder: Path, number: int) -> None:
        """See Store."""
        self._write(folder / 'beside', number)
        os.replace(folder / 'beside', folder / 'state')


class Clock:
    """A steady clock that goes on with the steps [ns]."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


def live(folder: Path, store: Store, promise: Promise, steps: int, logs: bool = True) -> None:
    """Does what a learner does with the disk, for so many steps.

    Args:
        folder: of the run; what is there is taken up.
        store: keeps the states.
        promise: is told what will be found again.
        steps: how many.
        logs: whether steps are logged too.
    """
    last, number = last_step(folder), store.load(folder) or 0
    promise(RESTORED, last)
    clock = Clock()
    log = ExperienceLog(folder / 'experience.mcap', clock)
    if logs:
        log.open()
    for sequence in range(last + 1, last + 1 + steps):
        clock.now += STEP_NS
        if logs:
            log.append(sequence, step_bytes(sequence), sequence * STEP_NS)
            promise(STEP, sequence)
        if sequence % STEPS_PER_STATE == 0 or not logs:
            if logs:
                log.sync()
            number += 1
            store.save(folder, number)
            promise(STATE, number)
        if logs and sequence % STEPS_PER_SEGMENT == 0:
            log.close()
            log.open()
    log.close()


def last_step(folder: Path) -> int:
    """Returns the number of the last step in the log, 0 for none."""
    found = steps_found(folder)
    return found[-1] if found else 0


def steps_found(folder: Path) -> list[int]:
    """Returns the numbers of the steps in the log; a strange one is told as a negative number."""
    path = folder / 'experience.mcap'
    records: Any = ExperienceReader(path).records() if segments(path) else ()
    return [
        r.sequence
        if (r.data, r.time_ns) == (step_bytes(r.sequence), r.sequence * STEP_NS)
        else -r.sequence
        for r in records
    ]
