"""Plays every row of the table with its defence and without, and prints what came of it.

    PYTHONPATH=.:test python -m faults [--rows 1,7,23] [--seed 0]

A row passes when each of its trials is found in time with the reaction that is asked for, nothing
unsafe was sent, and the same trials fail once the defence is taken away. Ends with 1 where a row
that is not open does not pass, or fewer trials were run than the table asks for.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Iterable

from faults import live
from faults.families import FAMILIES
from faults.table import ROWS, Row, load, number_of
from faults.trial import Stage, Trial, fails_without

WIDTHS = (3, 34, 10, 17, 44, 6, 6)
TITLES = ('', 'fault', 'while', 'found / bound', 'reaction', 'passes', 'fails without')


def main() -> int:
    """Plays, prints, returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rows', default='', help='numbers or labels, by commas; none: all')
    parser.add_argument('--seed', type=int, default=0, help='of the simulated robot')
    parser.add_argument(
        '--live', action='store_true', help='kill the processes of a graph as well'
    )
    options = parser.parse_args()
    rows = list(load())
    wanted = {word for word in options.rows.split(',') if word}
    unknown = wanted - {name for row in rows for name in _names(row)}
    if unknown:
        parts = [row.label for row in rows if not row.label.isdecimal()]
        there = ', '.join([f'1 to {ROWS}', *parts])
        parser.error(f'--rows: not in the table: {", ".join(sorted(unknown))}; there are {there}')
    rows = [row for row in rows if not wanted or not wanted.isdisjoint(_names(row))]
    began, stage = time.monotonic(), Stage(options.seed)
    _line(TITLES)
    verdicts = [_played(stage, row) for row in rows]
    expected = sum(2 * max(1, len(row.doing)) for row in rows if row.where != 'nowhere')
    executed = sum(verdict[1] for verdict in verdicts)
    said = [verdict[0] for verdict in verdicts]
    if options.live:
        said += _told_live()
    print(
        f'\nrows {len(rows)}: passed {said.count("yes")}, open {said.count("OPEN")}, '
        f'failed {said.count("NO")}; trials executed {executed}, expected {expected}; '
        f'{time.monotonic() - began:.0f} s; families {len(FAMILIES)}'
    )
    return int('NO' in said or executed != expected)


def _names(row: Row) -> tuple[str, str]:
    """Returns what a row is asked for by: its label (66b), or the number it shares (66)."""
    return row.label, str(number_of(row.label))


def _told_live() -> list[str]:
    """Plays the orders of starts and the story of a real graph; returns NO where it fails."""
    said, executed = [], 0
    for number, what, finding in itertools.chain(live.orders(), live.story()):
        executed += 1
        said += ['NO'] if finding.wrong else []
        time_ms = '' if finding.detected_ms is None else f'{finding.detected_ms:.0f} ms'
        passes = 'NO' if finding.wrong else 'yes'
        _line((str(number), what, 'live', time_ms, finding.reaction, passes, ''))
        _note(finding.wrong)
    print(f'live trials executed {executed}, expected {live.EXPECTED}')
    return said + ['NO'] * (executed != live.EXPECTED)


def _played(stage: Stage, row: Row) -> tuple[str, int]:
    """Returns the row's verdict and how many trials were run for it."""
    if row.where == 'nowhere':
        _line((row.label, row.name, '', '', f'OPEN: {row.open}', 'OPEN', ''))
        return 'OPEN', 0
    verdict, count = 'OPEN' if row.open else 'yes', 0
    for doing in row.doing or (None,):
        kept, lost = stage.play(row, doing, False), stage.play(row, doing, True)
        count += (not kept.broken) + (not lost.broken)
        well = (kept.passed or (bool(row.open) and not kept.broken)) and fails_without(kept, lost)
        verdict = verdict if well else 'NO'
        _tell(row, kept, lost)
    return verdict, count


def _tell(row: Row, kept: Trial, lost: Trial) -> None:
    found, bound = kept.finding.detected_ms, row.bound_ms
    time_ms = '' if found is None else f'{found:.1f}'
    time_ms += '' if bound is None else f' / {bound:g} ms'
    passes = 'yes' if kept.passed else 'OPEN' if row.open and not kept.broken else 'NO'
    fails = 'yes' if fails_without(kept, lost) else 'NO'
    name = f'{row.name}'
    _line((row.label, name, kept.doing, time_ms, kept.finding.reaction, passes, fails))
    if row.open:
        _note([f'open: {row.open}'])
    _note(kept.finding.wrong)
    for trial in (kept, lost):
        _note(trial.broken.splitlines()[-2:])
    if not lost.broken:
        _note([f'without: {wrong}' for wrong in lost.finding.wrong[:1]])


def _note(lines: Iterable[str]) -> None:
    for line in lines:
        print(f'      {line[:150]}', flush=True)


def _line(cells: Iterable[str]) -> None:
    print('  '.join(f'{cell:{width}}' for cell, width in zip(cells, WIDTHS, strict=True)).rstrip())
    sys.stdout.flush()


if __name__ == '__main__':
    sys.exit(main())
