"""Runs a row: each trial in a process of its own, forked from a world that is already moving."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import hypothesis  # noqa: F401  # for the children: imported once, not by each
import pytest

from faults.finding import FAULTS, Finding
from faults.removal import find, remove
from faults.table import Doing, Row
from faults.world import World
from quad_learner.bringup import RUN_FIRST
from quad_learner.configuration import read_values
from quad_learner.resources import config_directory

ROOT = Path(__file__).resolve().parent.parent.parent
LONGEST_S = 240.0
"""[s] of wall time for one trial"""
PYTEST = (
    *('-q', '-x', '--assert=plain', '-p', 'no:junitxml', '-p', 'no:randomly'),
    *('-p', 'no:cacheprovider'),
)


MISFITS = ('positional argument', 'keyword argument')
"""in what Python says of a removal that no longer fits the call of what it stands in for"""


class Trial(NamedTuple):
    """One run of a row, with its defence or without."""

    doing: str
    without: bool
    finding: Finding
    wall_s: float
    broken: str = ''
    """the harness, not the product: why it could not be run"""

    @property
    def passed(self) -> bool:
        """Whether all was as the row asks."""
        return not self.broken and not self.finding.wrong


def fails_without(kept: Trial, lost: Trial) -> bool:
    """Tells whether taking the defence away shows: something is wrong that was not before.

    That the removal cannot be called is no such thing.
    """
    new = set(lost.finding.wrong) - set(kept.finding.wrong)
    misfit = any(word in wrong for wrong in new for word in MISFITS)
    return bool(new) and not misfit and not lost.broken


class Stage:
    """Holds a settled world for each thing that a robot may be doing, built once."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._worlds: dict[tuple[Doing, bool], World] = {}

    def world(self, doing: Doing, run_first: bool = False) -> World:
        """Returns the world; only a forked process may let time pass in it.

        Args:
            doing: what the robot does there.
            run_first: its safety is what it is where control processes run before all others.
        """
        if (doing, run_first) not in self._worlds:
            changed = read_values(config_directory() / RUN_FIRST) if run_first else {}
            world = World(doing, self._seed, **changed)
            world.settle()
            self._worlds[doing, run_first] = world
        return self._worlds[doing, run_first]

    def play(self, row: Row, doing: Doing | None, without: bool) -> Trial:
        """Runs a row once.

        Args:
            row: which.
            doing: what the robot does; None where that does not matter.
            without: its defence is taken away.
        """
        world = None if doing is None else self.world(doing, row.run_first)
        for path in row.without:
            find(path)  # imports once, here, what both trials need

        def play() -> Finding:
            if without:
                remove(row.without)
            if row.tests:
                return _by_tests(row)
            return _judged(row, FAULTS[row.label](world), world)

        began = time.monotonic()
        answer = forked(play)
        finding = Finding(*answer['finding']) if 'finding' in answer else Finding(None, '')
        return Trial(
            '' if doing is None else doing.value,
            without,
            finding._replace(wrong=tuple(finding.wrong)),
            time.monotonic() - began,
            answer.get('broken', ''),
        )


def _judged(row: Row, found: Finding, world: World | None) -> Finding:
    """Adds what holds for each row: in time, with the reaction asked for, nothing unsafe."""
    wrong = list(found.wrong)
    late = found.detected_ms is None or found.detected_ms > (row.bound_ms or 0.0)
    if row.bound_ms is not None and late:
        wrong.append(f'found after {found.detected_ms} ms, not {row.bound_ms}')
    wrong += [f'no {word}' for word in row.expect if word not in found.reaction]
    wrong += [] if world is None else world.unsafe[:3]
    return found._replace(wrong=tuple(wrong))


class _Failures:
    """A plugin of pytest that remembers why tests fail."""

    def __init__(self) -> None:
        self.why: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Takes the error out of what a failure says."""
        if report.failed:
            lines = report.longreprtext.strip().splitlines()
            error = next((line for line in lines if line.startswith('E ')), lines[-1])
            self.why.append(f'{error[1:].strip()} ({report.nodeid})')


def _by_tests(row: Row) -> Finding:
    failures = _Failures()
    code = int(pytest.main([*PYTEST, *row.tests], plugins=[failures]))
    if code not in (0, 1):
        raise RuntimeError(f'pytest cannot run {", ".join(row.tests)}: code {code}')
    return Finding(None, f'{len(row.tests)} tests', tuple(failures.why))


def forked(work: Callable[[], Finding]) -> dict[str, Any]:
    """Returns what `work` found in a child process, or why that could not be told."""
    reader, writer = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        # Garbage of the parent is not the fork's to collect: its finalisers may need threads.
        gc.freeze()
        os.close(reader)
        code = 1
        with contextlib.suppress(BaseException):
            signal.alarm(round(LONGEST_S))
            _quietly()
            try:
                answer: dict[str, Any] = {'finding': work()}
            except BaseException:
                answer = {'broken': traceback.format_exc(limit=-3)}
            os.write(writer, json.dumps(answer).encode())
            code = 0
        os._exit(code)
    os.close(writer)
    with os.fdopen(reader, 'rb') as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    if not told:
        return {'broken': f'the trial ended with status {status} and said nothing'}
    answer = json.loads(told)
    return dict(answer)


def _quietly() -> None:
    """Sends what the trial prints nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
