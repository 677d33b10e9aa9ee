"""Reads the table of faults, and refuses one that says too little."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name('table.yaml')
ROWS = 72
FIELDS = {
    'name', 'required', 'where', 'bound_ms', 'doing', 'expect', 'without', 'defence', 'per_commit',
    'tests', 'open', 'note', 'run_first',
}  # fmt: skip
WHERES = ('virtual', 'pybullet', 'live', 'tests', 'nowhere')
"""virtual: logic in virtual time; pybullet: where the body's physics matters; live: processes that
talk over DDS; tests: in tests that stand elsewhere; nowhere: it is open, and nothing is shown"""


class Doing(Enum):
    """What the robot is doing when the fault strikes."""

    STANDING = 'standing'
    WALKING = 'walking'
    RESETTING = 'resetting'


@dataclass(frozen=True)
class Row:
    """One fault, or a part of one that is played by itself."""

    label: str
    """the number of the fault; of a further part of it, with a letter"""
    name: str
    required: str
    """what the fault model asks for"""
    where: str
    defence: str
    """what stands against it, in words"""
    bound_ms: float | None = None
    """within which it must be found, from the first sign of it to the first safe command"""
    doing: tuple[Doing, ...] = ()
    """in which it is injected; none: it is no fault of a moving robot"""
    expect: tuple[str, ...] = ()
    """words that the reaction must hold"""
    without: dict[str, Any] = field(default_factory=dict)
    """parts of the product whose removal must make the row fail: see `removal`"""
    per_commit: bool = False
    """`make test` runs it too"""
    tests: tuple[str, ...] = ()
    """node ids of the tests that show it"""
    open: str = ''
    """what is missing, and what happens instead"""
    note: str = ''
    run_first: bool = False
    """played with what safety is given where the control processes run before all others"""


def number_of(label: str) -> int:
    """Returns the number of the fault that a label is of: 66 of `66` and of `66b`."""
    return int(label.rstrip('bcd'))


def load(path: Path = FILE) -> tuple[Row, ...]:
    """Returns the rows, 1 to 72, and their further parts.

    Raises:
        ValueError: a row is missing, or says too little or too much.
    """
    read: dict[int | str, dict[str, Any]] = yaml.safe_load(path.read_text())
    table = {str(label): values for label, values in read.items()}
    whole = {label for label in table if label.isdecimal()}
    if whole != {str(number) for number in range(1, ROWS + 1)}:
        raise ValueError(f'{path}: must hold the rows 1 to {ROWS}, each once')
    labels = sorted(table, key=lambda label: (number_of(label), label))
    return tuple(row_of(label, table[label]) for label in labels)


def row_of(label: str, values: dict[str, Any]) -> Row:
    """Returns the row that `values` describe.

    Raises:
        ValueError: it says too little or too much.
    """
    unknown = set(values) - FIELDS
    if unknown:
        raise ValueError(f'row {label}: unknown {", ".join(sorted(unknown))}')
    lists = {name: tuple(values.get(name, ())) for name in ('expect', 'tests')}
    doing = tuple(Doing(name) for name in values.get('doing', ()))
    row = Row(label, **{**values, **lists, 'doing': doing})
    for wrong, why in (
        (row.where not in WHERES, f'where is one of {", ".join(WHERES)}'),
        (row.where == 'nowhere' and not row.open, 'shown nowhere, it must be open'),
        ((row.where == 'tests') != bool(row.tests), 'tests are named where tests show it'),
        (row.where != 'nowhere' and not row.without, 'no defence is removed'),
        (row.where == 'pybullet' and not row.doing, 'the robot does nothing'),
    ):
        if wrong:
            raise ValueError(f'row {label}: {why}')
    return row
