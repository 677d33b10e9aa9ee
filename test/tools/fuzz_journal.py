"""What of a long fuzz is done: a line for each batch of worlds, of the sources as they are.

A fuzz of 10⁸ steps takes hours. Who breaks it off begins where it was; after a change of anything
that it runs it begins anew.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import quad_learner

PACKAGE = Path(quad_learner.__file__).parent


class Tally(NamedTuple):
    """What some worlds have come to."""

    steps: int
    seen: Counter[str]
    """steps in each mode, under each driver and in each kind of limit"""
    found: list[str]
    """what was unsafe"""


def total(tallies: Iterable[Tally]) -> Tally:
    """Returns the sum."""
    steps, seen, found = 0, Counter[str](), list[str]()
    for tally in tallies:
        steps += tally.steps
        seen.update(tally.seen)
        found.extend(tally.found)
    return Tally(steps, seen, found)


def fingerprint(more: Iterable[Path]) -> str:
    """Returns a hash of each module of the package that this process has loaded, and `more`."""
    files = {
        Path(getattr(module, '__file__', None) or '') for module in list(sys.modules.values())
    }
    ours = sorted(file for file in files if PACKAGE in file.parents)
    digest = hashlib.sha256()
    for file in [*ours, *sorted(more)]:
        digest.update(file.name.encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


class Journal:
    """The batches that are done, by their first world and how many worlds they have."""

    def __init__(self, path: Path | None, sources: str) -> None:
        """Reads what is there; a line that was cut short counts as not done.

        Args:
            path: a file of lines of JSON, made where there is none; None: nothing is kept.
            sources: `fingerprint` of what runs; lines of others do not count.
        """
        self._path, self._sources = path, sources
        self._done: dict[tuple[int, int], Tally] = {}
        if path is None or not path.exists():
            return
        for line in path.read_text().splitlines():
            self._read(line)

    def _read(self, line: str) -> None:
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            return
        if entry['sources'] == self._sources:
            tally = Tally(entry['steps'], Counter(entry['seen']), entry['found'])
            self._done[entry['first'], entry['worlds']] = tally

    def known(self, first: int, worlds: int) -> Tally | None:
        """Returns what so many worlds from `first` on have come to, if they are done."""
        return self._done.get((first, worlds))

    def note(self, first: int, worlds: int, tally: Tally) -> None:
        """Keeps what a batch has come to, on a line of its own."""
        if self._path is None:
            return
        entry = {'sources': self._sources, 'first': first, 'worlds': worlds, **tally._asdict()}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open('a') as file:
            # On a line of its own, also behind one that was cut short.
            file.write(f'\n{json.dumps(entry)}\n')
