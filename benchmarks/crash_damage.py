"""What is damaged in `crash`: a checkpoint and a log, bit by bit and cut at every byte."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np

from crash_tally import Tally
from crash_work import STATE, STEP_NS, payload, step_bytes, steps_found
from quad_learner.experience.log import ExperienceLog
from quad_learner.experience.reader import ExperienceReader
from quad_learner.learning import generations
from quad_learner.learning.generations import CheckpointError

STATE_SMALL_BYTES, LOG_STEPS = 512, 20
"""of the state and of the log that are damaged"""


def bits(flips: int, seed: int) -> tuple[Tally, Tally]:
    """Turns bits over: of a checkpoint, all must be found; of a log, all told must be genuine."""
    chance = np.random.default_rng(seed)
    checkpoint, log = Tally(flips), Tally(flips)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = small_checkpoint(folder / 'checkpoint')
        whole = {path: path.read_bytes() for path in files}
        sizes = np.cumsum([len(content) for content in whole.values()])
        for position in chance.integers(0, 8 * sizes[-1], flips):
            index = int(np.searchsorted(sizes, position // 8, side='right'))
            path = files[index]
            at = int(position) - 8 * int(sizes[index] - len(whole[path]))
            path.write_bytes(_turned(whole[path], at))
            checkpoint.add('' if _is_refused(folder / 'checkpoint') else f'{path.name} bit {at}')
            path.write_bytes(whole[path])
        path, count = small_log(folder)
        content = path.read_bytes()
        for position in chance.integers(0, 8 * len(content), flips):
            path.write_bytes(_turned(content, int(position)))
            log.add(_log_problem(path, folder, count))
    return checkpoint, log


def lengths() -> Tally:
    """Cuts each file of a checkpoint at every byte."""
    with tempfile.TemporaryDirectory() as name:
        files = small_checkpoint(Path(name))
        tally = Tally(sum(path.stat().st_size for path in files))
        for path in files:
            whole = path.read_bytes()
            for length in range(len(whole)):
                path.write_bytes(whole[:length])
                tally.add('' if _is_refused(Path(name)) else f'{path.name} cut at {length}')
            path.write_bytes(whole)
    return tally


def small_checkpoint(folder: Path) -> list[Path]:
    """Returns the files of a checkpoint made in `folder`."""
    made = generations.write(folder, {'number': 1}, payload(STATE, 1, STATE_SMALL_BYTES))
    return sorted(made.iterdir())


def small_log(folder: Path) -> tuple[Path, int]:
    """Returns a log made in `folder` and its steps."""
    path = folder / 'experience.mcap'
    log = ExperienceLog(path, lambda: 0)
    log.open()
    for number in range(1, LOG_STEPS + 1):
        log.append(number, step_bytes(number), number * STEP_NS)
    log.close()
    return path, LOG_STEPS


def _turned(content: bytes, bit: int) -> bytes:
    turned = bytearray(content)
    turned[bit // 8] ^= 1 << bit % 8
    return bytes(turned)


def _is_refused(folder: Path) -> bool:
    with suppress(CheckpointError):
        generations.read(folder)
        return False
    return True


def _log_problem(path: Path, folder: Path, count: int) -> str:
    """Returns what is wrong with how a changed log was read, empty if nothing is."""
    found = steps_found(folder)
    if min(found, default=1) < 1:
        return 'a step was read that never was'
    reader = ExperienceReader(path)
    told = len(list(reader.records())) < count and not (
        reader.report.damage or reader.report.unclosed
    )
    return 'a step is missing and nothing tells why' if told else ''
