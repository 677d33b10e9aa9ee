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
import shutil
import sys
import tempfile
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from crash_damage import bits, lengths
from crash_disk import Shim, survivor
from crash_kill import by_chance, killed
from crash_tally import Tally
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
    steps_found,
)
from quad_learner.experience.log import SYNC_PERIOD_NS

CANARY_KILLS = 20
"""within which a way known to be wrong must be caught"""
CANARY_EVERY = 25
"""moment at which the power is cut under it: its folder is never synced, so any will do"""
TRIALS_A_FOLDER = 20
LEARNER_PROMISES_MAX = 25
"""kept before the kill of a whole learner"""
BASE_STEPS, MORE_STEPS, POWER_STEPS = 15, 9, 90
LOST_STEPS_MAX = SYNC_PERIOD_NS // STEP_NS


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
