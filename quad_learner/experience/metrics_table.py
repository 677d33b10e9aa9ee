"""The rows of metrics.csv: what they hold, how they are written and read back."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

LAST, MEAN, LARGEST = 'last', 'mean', 'largest'
LEARNER_COLUMNS: Mapping[str, str] = {
    'updates': LAST,
    'updates_per_second': MEAN,
    'policy_version': LAST,
    'replay_size': LAST,
    'backlog': LARGEST,
    'lambda': LAST,
    'alpha': LAST,
    'box_share': LAST,
    'in_trial': LARGEST,
    'fell_back': LAST,
    'rolled_back': LAST,
    'models_refused': LAST,
    'reward': MEAN,
    'constraint': MEAN,
    'entropy': MEAN,
    'critic_loss': MEAN,
    'safety_critic_loss': MEAN,
    'actor_loss': MEAN,
    'q_value': MEAN,
    'safety_value': MEAN,
    'real_time_factor': MEAN,
    'latency_ms': MEAN,
    'latency_max_ms': LARGEST,
}
"""Quantities sampled while the robot runs, and what of the samples of an episode its row keeps."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One episode as it ended."""

    number: int
    """1, 2, 3, … over the whole run"""
    start_s: float
    """by the clock of the robot, which starts at zero whenever the run is taken up [s]"""
    end_s: float
    """likewise [s]; in a `Row` both count from the start of the run"""
    displacement: float
    """true, along the heading at the start [m]; of a task that walks backward, the other way, of
    one that turns, by how much [rad]"""
    total_reward: float
    steps: int
    fell: bool
    truncated: bool
    """cut by anything but a fall: time, workspace, a trip, an operator, the budget"""
    cut: bool = False
    """the end of the run, heat, battery or an operator ended it: its speed counts for nothing"""
    task: int = 0
    """its number"""
    left: bool = False
    """it ended at the workspace's bounds, not for want of walking: its own length counts"""


@dataclass(slots=True)
class Totals:
    """What has happened since the run began, restarts included."""

    falls: int = 0
    tumbles: int = 0
    """falls after an episode that had not ended in one"""
    env_steps: int = 0
    trips: int = 0
    resets: int = 0
    reset_successes: int = 0
    reset_time_s: float = 0.0
    human_resets: int = 0
    deadline_misses: int = 0
    unsafe_commands: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """A row of metrics.csv: the episode and its speed, the totals, the learner's quantities."""

    episode: Episode
    speed: float
    """`displacement` over the full duration of an episode [m/s, of a turn rad/s]"""
    wall_time_s: float
    totals: Totals
    learner: Mapping[str, float]
    """nan where nothing was heard of a quantity during the episode"""


def read_rows(path: Path, columns: Mapping[str, str] = LEARNER_COLUMNS) -> Sequence[Row]:
    """Returns the rows of a metrics.csv; a last line that was cut while written is left out.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file has other columns, or a cell that is no number.
    """
    try:
        text = path.read_text()
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} is no table ({error}); move it away') from error
    lines = text[: text.rfind('\n') + 1].splitlines()
    header = header_of(columns)
    if lines and lines[0].split(',') != header:
        raise ValueError(
            f'{path}: its columns are not those that this version writes '
            f'({", ".join(sorted(set(header) ^ set(lines[0].split(","))))} differ); '
            'use the version of quad_learner that made the run'
        )
    rows = []
    for number, cells in enumerate(csv.reader(lines[1:]), start=2):
        try:
            rows.append(_row(dict(zip(header, cells, strict=True))))
        except ValueError as error:
            raise ValueError(
                f'{path}: line {number} is not a row of its columns ({error}); take it out'
            ) from error
    return rows


def cut_torn_line(path: Path) -> None:
    """Removes what follows the last line end: a line cut off while it was being written."""
    with path.open('rb+') as file:
        whole = file.read().rfind(b'\n') + 1
        file.truncate(whole)
        os.fsync(file.fileno())


def header_of(columns: Mapping[str, str]) -> list[str]:
    """Returns the names of the columns, in order."""
    episode = [field.name for field in fields(Episode)]
    totals = [f'total_{field.name}' for field in fields(Totals)]
    return [*episode, 'speed', 'wall_time_s', *totals, *columns]


def cells_of(row: Row) -> list[str]:
    """Returns the texts of a row, in the order of `header_of`."""
    values = [
        *asdict(row.episode).values(),
        row.speed,
        row.wall_time_s,
        *asdict(row.totals).values(),
    ]
    learner = ['' if math.isnan(value) else f'{value:.6g}' for value in row.learner.values()]
    return [*(_cell(value) for value in values), *learner]


def _cell(value: float) -> str:
    return f'{value:.6f}' if isinstance(value, float) else str(int(value))


def _row(cells: dict[str, str]) -> Row:
    episode = {field.name: _value(field.type, cells.pop(field.name)) for field in fields(Episode)}
    speed, wall_time_s = float(cells.pop('speed')), float(cells.pop('wall_time_s'))
    totals = {
        field.name: _value(field.type, cells.pop(f'total_{field.name}'))
        for field in fields(Totals)
    }
    learner = {name: float(cell) if cell else math.nan for name, cell in cells.items()}
    return Row(Episode(**episode), speed, wall_time_s, Totals(**totals), learner)


def _value(kind: Any, cell: str) -> Any:
    if kind == 'float':
        return float(cell)
    return bool(int(cell)) if kind == 'bool' else int(cell)
