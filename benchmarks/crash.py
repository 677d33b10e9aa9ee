"""Is anything lost when a learner is killed, the power goes, or a bit turns over?

    kills      at random moments, over and over in the same folder, so that what is killed is
               append, checkpoint, change of segment and restoring alike
    each call  killed at every call that changes the disk, before it and half way through it
    power      every moment of a run, with what was not synced lost, or lost and torn by chance
    bits       one bit of a checkpoint or a log turned over
    lengths    a checkpoint's files cut at every byte
    training   as kills, of the learner itself with its networks, and not its disk work alone

Three ways known to be wrong are tried each time, and must be caught: a state written in place, one
deleted before the new one is written (both within 20 kills), and one renamed without its folder
being synced (by the power cut).

    python benchmarks/crash.py --trials 1000

It ends with 1 if anything was lost, a wrong way passed, or less was tried than asked for. One JSON
line comes last.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from crash_disk import Shim, survivor
from crash_work import (
    RESTORED,
    STATE,
    STEP,
    STEP_NS,
    DeleteThenWrite,
    Generations,
    InPlace,
    NoFolderSync,
    Promise,
    Store,
    live,
    payload,
    step_bytes,
    steps_found,
)
from quad_learner.experience.log import SYNC_PERIOD_NS, ExperienceLog
from quad_learner.experience.reader import ExperienceReader
from quad_learner.learning import generations
from quad_learner.learning.generations import CheckpointError

CANARY_KILLS = 20
"""within which a way known to be wrong must be caught"""
CANARY_EVERY = 25
"""moment at which the power is cut under it: its folder is never synced, so any will do"""
TRIALS_A_FOLDER = 20
PROMISES_MAX = 60
"""kept before the kill; a state is saved every seven steps"""
DELAY_S, DELAY_FROM_START_S = 0.003, 0.03
"""longest wait after the last of them, and, in a part of the trials, from the start on"""
EARLY = 0.2
"""part of the trials that are killed while they may still be starting"""
LEARNER_PROMISES_MAX = 25
STATE_SMALL_BYTES, LOG_STEPS = 512, 20
"""of what bits are turned over in"""
BASE_STEPS, MORE_STEPS, POWER_STEPS = 15, 9, 90
LOST_STEPS_MAX = SYNC_PERIOD_NS // STEP_NS
_PROMISE = struct.Struct('=Bq')
_KINDS = (RESTORED, STEP, STATE)
_WRITE = os.write
"""the real one: a promise through the pipe is no change of the disk"""
Work = Callable[[Promise], None]


@dataclass
class Tally:
    """What was tried of one kind and what came of it."""

    expected: int
    executed: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, problem: str) -> None:
        """Counts a trial; an empty problem is none."""
        self.executed += 1
        if problem:
            self.problems.append(problem)


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


def _child(work: Work, writer: int) -> None:
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


def judged(folder: Path, store: Store, promised: dict[str, int], exact: bool = True) -> str:
    """Returns what is wrong with what is found in `folder`, empty if nothing is.

    Args:
        folder: of the run.
        store: of its states.
        promised: the last step and state that were; put right for what was found beyond them.
        exact: whether no step may be missing; else the last second's may.
    """
    found, state = steps_found(folder), store.load(folder)
    if (steps_found(folder), store.load(folder)) != (found, state):
        return 'another recovery finds something else'
    last = found[-1] if found else 0
    promised_step, promised_state = promised.get(STEP, 0), promised.get(STATE, 0)
    if min(found, default=1) < 1 or found != sorted(set(found)):
        return f'steps that never were, or twice: {found[-5:]}'
    needed = promised_step if exact else promised_step - LOST_STEPS_MAX
    missing = set(range(1, needed + 1)) - set(found)
    if missing or (exact and len(found) != last):
        return f'{len(missing)} promised steps are lost, the first {min(missing, default=0)}'
    if last > promised_step + 1:
        return f'step {last} is found, {promised_step} was the last promised'
    if state is None:
        return 'no state can be loaded'
    if not promised_state <= state <= promised_state + 1:
        return f'state {state} is found, {promised_state} was promised'
    promised.update({STEP: last, STATE: state})
    return ''


def kills(store: Store, trials: int, seed: int, logs: bool = True) -> Tally:
    """Kills at random moments; a folder lives through twenty of them."""
    chance, tally = np.random.default_rng(seed), Tally(trials)
    while tally.executed < trials:
        with tempfile.TemporaryDirectory() as name:
            folder, promised = Path(name), {STEP: 0, STATE: 0}
            for _ in range(min(TRIALS_A_FOLDER, trials - tally.executed)):
                before = promised[STEP]

                def work(promise: Promise, folder: Path = folder) -> None:
                    live(folder, store, promise, sys.maxsize // 2, logs)

                kept = by_chance(work, chance)
                promised |= {kind: kept[kind] for kind in (STEP, STATE) if kind in kept}
                problem = judged(folder, store, promised)
                if not problem and logs and kept.get(RESTORED, before) != before:
                    problem = f'a fresh process took up {kept[RESTORED]}, not {before}'
                tally.add(problem)
                if problem:
                    break
    return tally


def each_call(store: Store) -> Tally:
    """Kills at every call that changes the disk, before it and within it."""
    tally = Tally(0)
    with tempfile.TemporaryDirectory() as name:
        base = Path(name) / 'base'
        base.mkdir()
        begun: dict[str, int] = {}
        live(base, store, begun.__setitem__, BASE_STEPS)
        for within in (False, True):
            number = 0
            ended = False
            while not ended:
                number += 1
                folder = Path(name) / f'{number}_{within}'
                shutil.copytree(base, folder)
                shim = Shim(folder, number, within)

                def work(promise: Promise, folder: Path = folder, shim: Shim = shim) -> None:
                    with shim.installed():
                        live(folder, store, promise, MORE_STEPS)

                kept = killed(work, lambda child, reader: None)
                ended = bool(kept['ended'])
                tally.add(judged(folder, store, {**begun, **kept}))
                shutil.rmtree(folder)
            # All calls but the last, which was not one of them: the work had ended before it.
            tally.expected += number
    return tally


def power(store: Store, seed: int, every: int = 1, logs: bool = True) -> Tally:
    """Cuts the power at every moment, once with all lost that can be and once by chance."""
    chance = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as name:
        shim = Shim(Path(name))
        with shim.installed():
            live(Path(name), store, shim.note, POWER_STEPS, logs)
    moments = range(1, len(shim.notes) + 1, every)
    tally, promised = Tally(2 * len(moments)), {STEP: 0, STATE: 0}
    for moment in moments:
        for _, kind, number in (n for n in shim.notes[:moment] if n[0] == 'said'):
            promised[kind] = number
        for dice in (None, chance):
            with tempfile.TemporaryDirectory() as name:
                survivor(shim.notes[:moment], dice, Path(name))
                tally.add(judged(Path(name), store, dict(promised), exact=False))
    return tally


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


def training(trials: int, seed: int) -> Tally:
    """Kills the learner itself; a fresh one takes up all that was promised."""
    from crash_training import learn, take_up

    chance, tally = np.random.default_rng(seed), Tally(trials)
    while tally.executed < trials:
        with tempfile.TemporaryDirectory() as name:
            folder, promised = Path(name) / 'run', 0
            for _ in range(min(TRIALS_A_FOLDER, trials - tally.executed)):
                kept = by_chance(partial(learn, folder), chance, LEARNER_PROMISES_MAX)
                promised = kept.get(STEP, promised)
                again = killed(partial(take_up, folder), lambda child, reader: None)
                found, held = again.get(RESTORED, -1), again.get(STEP, -1)
                fits = promised <= found <= promised + 1 and held == found
                tally.add('' if fits else f'{promised} promised, {found} found, {held} held')
                promised = found
    return tally


def canaries(seed: int) -> dict[str, bool]:
    """Returns whether each wrong way was caught."""
    caught = {
        type(store).__name__: bool(kills(store, CANARY_KILLS, seed, logs=False).problems)
        for store in (InPlace(), DeleteThenWrite())
    }
    return {
        **caught,
        'NoFolderSync': bool(power(NoFolderSync(), seed, CANARY_EVERY, logs=False).problems),
    }


def main(arguments: Iterable[str] | None = None) -> int:
    """Runs all; returns 1 if anything was not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--trials', type=int, default=1000)
    parser.add_argument('--training', type=int, default=0, help='kills of the whole learner')
    parser.add_argument('--flips', type=int, default=10_000)
    parser.add_argument('--every', type=int, default=1, help='moment of the power cut')
    parser.add_argument('--seed', type=int, default=0)
    given = parser.parse_args(None if arguments is None else list(arguments))
    store = Generations()
    tallies = {
        'kills': kills(store, given.trials, given.seed),
        'each call': each_call(store),
        'power': power(store, given.seed, given.every),
        'lengths': lengths(),
    }
    tallies['bits, checkpoint'], tallies['bits, log'] = bits(given.flips, given.seed)
    if given.training:
        tallies['training'] = training(given.training, given.seed)
    caught = canaries(given.seed)
    print(f'{"":18}{"executed":>10}{"expected":>10}{"lost":>6}')
    for name, tally in tallies.items():
        print(f'{name:18}{tally.executed:10}{tally.expected:10}{len(tally.problems):6}')
        for problem in tally.problems[:3]:
            print(f'    {problem}')
    for name, was in caught.items():
        print(f'canary {name:18}{"caught" if was else "PASSED: the harness is broken"}')
    figures: dict[str, Any] = {
        name: [tally.executed, tally.expected, len(tally.problems)]
        for name, tally in tallies.items()
    }
    print(json.dumps({'seed': given.seed, **figures, 'canaries': caught}))
    fine = all(t.executed == t.expected and not t.problems for t in tallies.values())
    return 0 if fine and all(caught.values()) else 1


if __name__ == '__main__':
    sys.exit(main())
