"""Gathers what happens in a run: a row of metrics.csv an episode, and the summary at the end."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from quad_learner.experience.durable import write_atomically
from quad_learner.experience.metrics_table import (
    LEARNER_COLUMNS,
    Episode,
    Row,
    Totals,
    cells_of,
    cut_torn_line,
    header_of,
    read_rows,
)
from quad_learner.experience.quantity import Quantity
from quad_learner.experience.walking import mean_speed, time_to_walk
from quad_learner.task.kinds import NUMBERED

NOTHING: Mapping[str, float] = {}
"""of the learner's quantities: one for all rows in memory, where nobody asks for them"""

INSTANT_S = 1e-9
"""[s] an episode that ended as it began lasts so long: its speed is no division by nothing"""
MINUTE = 60.0
"""[s]"""


@dataclass(frozen=True)
class RunFacts:
    """What is known of a run before it starts."""

    robot: str
    seed: int
    episode_duration_s: float
    """of a full episode [s]"""
    walk_speed: float
    """from which on a robot walks [m/s]"""
    versions: Mapping[str, str]


class RunRecorder:
    """Gathers what happens in a run. Feed it from one thread; it knows no clock and no ROS."""

    def __init__(
        self,
        path: Path,
        facts: RunFacts,
        columns: Mapping[str, str] = LEARNER_COLUMNS,
    ) -> None:
        """Stores what to write where; touches no file.

        Args:
            path: of metrics.csv.
            facts: what is known of the run.
            columns: names of the quantities that `sample` takes, and which of `LAST`, `MEAN` and
                `LARGEST` an episode's row keeps.
        """
        self._path = path
        self._facts = facts
        self._columns = columns
        self._quantities = {name: Quantity() for name in columns}
        self._latest: dict[str, float] = {}
        self._rows: list[Row] = []
        self._earlier_s = 0.0
        self._earlier_wall_s = 0.0
        self._earlier_totals = Totals()
        self._file: io.TextIOWrapper | None = None
        self.totals = Totals()

    @property
    def rows(self) -> Sequence[Row]:
        """The episodes so far, those of before a restart included, less what the learner said."""
        return self._rows

    @property
    def robot_time_before_s(self) -> float:
        """Robot time of the run when the robot's clock stood at zero [s]."""
        return self._earlier_s

    @property
    def counted(self) -> Totals:
        """What the totals hold since the robot's clock stood at zero: a listener that starts
        again while the robot runs on must not count that twice."""
        now, before = asdict(self.totals), asdict(self._earlier_totals)
        return Totals(**{name: now[name] - before[name] for name in now})

    def open(
        self, elapsed_s: float | None = None, earlier: Mapping[str, Any] | None = None
    ) -> None:
        """Starts metrics.csv, or goes on with the one that an interrupted run has left.

        Args:
            elapsed_s: robot time of the run when the robot's clock stood at zero [s]; None takes
                the end of the last episode in the file.
            earlier: summary of the run when it was last stopped, where there is one; the file
                knows counts and times as of the last episode.

        Raises:
            OSError: the file cannot be written.
            ValueError: the file there has other columns.
        """
        if self._path.exists():
            self._rows = list(read_rows(self._path, self._columns))
            cut_torn_line(self._path)
        if self._rows:
            last = self._rows[-1]
            self._earlier_s, self._earlier_wall_s = last.episode.end_s, last.wall_time_s
            self.totals = replace(last.totals)
            for row in self._rows:
                self._latest.update({k: v for k, v in row.learner.items() if math.isfinite(v)})
            self._rows = [replace(row, learner=NOTHING) for row in self._rows]
        self._earlier_s = self._earlier_s if elapsed_s is None else elapsed_s
        for row in self._rows:
            if row.episode.end_s <= self._earlier_s:
                self._earlier_totals = row.totals
        if earlier is not None:
            told = _totals_in(earlier)
            self.totals = _most(self.totals, told)
            self._earlier_totals = _most(self._earlier_totals, told)
            self._earlier_wall_s = max(
                self._earlier_wall_s, float(earlier.get('wall_time_s', 0.0))
            )
        self._file = self._path.open('a', newline='')
        # Who was killed, or met a full disk, at its first line has left a file that is empty.
        if self._path.stat().st_size == 0:
            self._write(header_of(self._columns))

    def close(self) -> None:
        """Closes metrics.csv."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def sample(self, name: str, value: float) -> None:
        """Takes a value of one of the columns. One that is not finite is kept out of the row.

        Raises:
            KeyError: there is no such column.
        """
        if name not in self._quantities:
            raise KeyError(f'no column {name!r}; known: {", ".join(self._columns)}')
        if math.isfinite(value):
            self._quantities[name].add(value)
            self._latest[name] = value

    def reset(self, duration_s: float, success: bool) -> None:
        """Counts an attempt to get up.

        Args:
            duration_s: how long it took [s]; nan, where that is unknown, adds nothing.
            success: whether the robot stood at its end.
        """
        self.totals.resets += 1
        self.totals.reset_successes += success
        self.totals.reset_time_s += duration_s if math.isfinite(duration_s) else 0.0

    def count(
        self,
        *,
        tumbles: int = 0,
        trips: int = 0,
        human_resets: int = 0,
        deadline_misses: int = 0,
        unsafe_commands: int = 0,
    ) -> None:
        """Counts what others told.

        Args:
            tumbles: falls after an episode that had not ended in one.
            trips: stops by the safety layer.
            human_resets: times that somebody had to set the robot upright.
            deadline_misses: control periods that were missed.
            unsafe_commands: in which the robot's own judge found something wrong.
        """
        totals = self.totals
        totals.tumbles += tumbles
        totals.trips += trips
        totals.human_resets += human_resets
        totals.deadline_misses += deadline_misses
        totals.unsafe_commands += unsafe_commands

    def unscored(self, fell: bool, steps: int) -> None:
        """Counts an episode whose true way is not known, so that it has no row."""
        self.totals.falls += fell
        self.totals.env_steps += steps

    def episode(self, episode: Episode, wall_time_s: float) -> Row:
        """Writes the row of an episode that has ended, and returns it.

        Args:
            episode: with times of the robot's clock.
            wall_time_s: time since the process started [s].

        Raises:
            OSError: the row cannot be written; it counts in the summary all the same.
        """
        self.totals.falls += episode.fell
        self.totals.env_steps += episode.steps
        row = Row(
            episode=replace(
                episode,
                start_s=episode.start_s + self._earlier_s,
                end_s=episode.end_s + self._earlier_s,
            ),
            speed=episode.displacement / self._duration_s(episode),
            wall_time_s=wall_time_s + self._earlier_wall_s,
            totals=replace(self.totals),
            learner={
                name: self._quantities[name].kept(what) for name, what in self._columns.items()
            },
        )
        # A run has thousands of rows, and what the file alone needs is most of one.
        self._rows.append(replace(row, learner=NOTHING))
        self._quantities = {name: Quantity() for name in self._columns}
        self._write(cells_of(row))
        return row

    def _duration_s(self, episode: Episode) -> float:
        full = self._facts.episode_duration_s
        return min(full, max(episode.end_s - episode.start_s, INSTANT_S)) if episode.left else full

    def summary(self, robot_time_s: float, wall_time_s: float) -> dict[str, Any]:
        """Returns the figures of the run so far, ready for JSON.

        Args:
            robot_time_s: by the robot's clock [s].
            wall_time_s: since the process started [s].
        """
        facts, totals = self._facts, self.totals
        main = _of_task(self._rows, self._rows[0].episode.task) if self._rows else []
        return {
            'robot': facts.robot,
            'seed': facts.seed,
            'robot_time_s': round(robot_time_s + self._earlier_s, 3),
            'wall_time_s': round(wall_time_s + self._earlier_wall_s, 3),
            'mean_speed_last_3_episodes': mean_speed(main),
            'time_to_walk_s': time_to_walk(main, facts.walk_speed),
            'walk_speed_m_s': facts.walk_speed,
            'episode_duration_s': facts.episode_duration_s,
            'episodes': len(self._rows),
            'tasks': self._tasks(),
            'falls': totals.falls,
            'tumbles': totals.tumbles,
            'human_resets': totals.human_resets,
            'trips': totals.trips,
            'resets': totals.resets,
            'reset_success_rate': _rate(totals.reset_successes, totals.resets),
            'reset_mean_duration_s': _rate(totals.reset_time_s, totals.resets),
            'deadline_misses': totals.deadline_misses,
            'unsafe_commands': totals.unsafe_commands,
            'env_steps': totals.env_steps,
            'updates': int(self._latest.get('updates', 0)),
            'policy_version': int(self._latest.get('policy_version', 0)),
            'versions': dict(facts.versions),
        }

    def _tasks(self) -> dict[str, Any]:
        numbers = sorted({row.episode.task for row in self._rows})
        own = {NUMBERED[number].name: _of_task(self._rows, number) for number in numbers}
        return {
            name: {
                'episodes': len(rows),
                'minutes': round(
                    sum(row.episode.end_s - row.episode.start_s for row in rows) / MINUTE, 2
                ),
                'falls': sum(row.episode.fell for row in rows),
                'mean_speed_last_3_episodes': mean_speed(rows),
            }
            for name, rows in own.items()
        }

    def finish(
        self, path: Path, robot_time_s: float, wall_time_s: float, waits_for: str | None = None
    ) -> dict[str, Any]:
        """Writes the summary to `path` (summary.json), closes metrics.csv, returns the summary.

        Args:
            path: of the summary.
            robot_time_s: by the robot's clock [s].
            wall_time_s: since the process started [s].
            waits_for: who has to do what before the robot goes on; None: nobody.

        Raises:
            OSError: the summary cannot be written.
        """
        summary = self.summary(robot_time_s, wall_time_s) | {'waits_for': waits_for}
        self.close()
        write_atomically(path, json.dumps(summary, indent=2, allow_nan=False) + '\n')
        return summary

    def _write(self, cells: Sequence[str]) -> None:
        """Writes one line and hands it to the operating system."""
        if self._file is None:
            raise RuntimeError(f'{self._path} is not open; call open() first')
        csv.writer(self._file, lineterminator='\n').writerow(cells)
        self._file.flush()


def _of_task(rows: Sequence[Row], number: int) -> list[Row]:
    return [row for row in rows if row.episode.task == number]


def _totals_in(summary: Mapping[str, Any]) -> Totals:
    """Returns what a summary says of the totals; times of resets are rounded there."""
    resets = int(summary.get('resets', 0))
    told = {field.name: int(summary.get(field.name, 0)) for field in fields(Totals)}
    return replace(
        Totals(**told),
        reset_successes=round((summary.get('reset_success_rate') or 0.0) * resets),
        reset_time_s=(summary.get('reset_mean_duration_s') or 0.0) * resets,
    )


def _most(one: Totals, other: Totals) -> Totals:
    """Returns the larger of each: none of them ever falls."""
    theirs = asdict(other)
    return Totals(**{name: max(value, theirs[name]) for name, value in asdict(one).items()})


def _rate(part: float, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
