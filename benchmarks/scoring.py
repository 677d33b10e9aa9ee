"""Scores whoever learns the walking task by the truth, all by the same rules.

Time is the robot's own, get-ups included. A trial ends when it is spent, at the end of an episode,
or when the robot does not get up.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium

from quad_learner.experience.metrics_table import Episode, Row, Totals
from quad_learner.experience.walking import displacement_along_heading, mean_speed, time_to_walk
from quad_learner.robot.rotations import roll_pitch_yaw
from quad_learner.robot.signals import NANOSECONDS
from quad_learner.safety.modes import Reason

REST = Reason.OVER_TEMPERATURE | Reason.LOW_BATTERY
"""stops that say nothing of the walking"""
SPEEDS = (0.4, 0.5)
"""[m/s] from which on a robot is said to walk"""
FALL, HEAT, OTHER = 'fall', 'heat', 'other'
"""why safety stopped the robot"""
COLUMNS = {
    'last_3_m_s': ('last 3 episodes [m/s]', 2),
    'walks_0.4_s': ('walks at 0.4 m/s after [s]', 0),
    'walks_0.5_s': ('at 0.5 m/s after [s]', 0),
    'falls': ('falls', 0),
    'falls_before_walking': ('before walking at 0.5 m/s', 0),
    'tumbles': ('tumbles', 0),
    'leaning_s': ('f_s < 0 for [s]', 1),
    'mean_return': ('mean return', 0),
    'wall_time_s': ('wall time [s]', 0),
}
"""figures of a trial: what a table calls them and how many decimals it gives"""
GAIT = 'gait in the end, without exploration'
NEVER, UNKNOWN = 'never', '—'


class TrialOver(Exception):
    """No further episode begins: the time is spent or, if it says so, the robot did not get up."""


class ScoredEnv(gymnasium.Wrapper[Any, Any, Any, Any]):
    """The walking task, watched: `rows` holds its episodes, `figures` what came of them."""

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        minutes: float,
        tell: Callable[[], Mapping[str, float]] = dict,
    ) -> None:
        """Args:
        env: a `WalkEnv`, wrapped or not.
        minutes: robot time [min].
        tell: asked at the end of each episode for what its row shall hold besides, such as λ.
        """
        super().__init__(env)
        self.walk: Any = env.unwrapped
        self.tell = tell
        self.rows: list[Row] = []
        self.trips = dict.fromkeys((FALL, HEAT, OTHER), 0)
        self.steps = self.leaning = 0
        self.tumbles = 0
        """falls after an episode that did not end in one: while it stopped, stood or rose"""
        self._lean = 0.0
        self.walk.on_decision = self.watch
        self._limit_s = minutes * 60.0
        self._trips_seen = 0
        self._wall_start = time.perf_counter()

    @property
    def robot_time_s(self) -> float:
        """Robot time so far [s]."""
        graph = self.walk.graph
        return 0.0 if graph is None else float(graph.sim.time_ns / NANOSECONDS)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Gets the robot up.

        Raises:
            TrialOver: the robot time of the trial is spent, or the robot did not get up.
        """
        if self.robot_time_s >= self._limit_s:
            raise TrialOver
        fell = not self.rows or self.rows[-1].episode.fell
        self._lean = 0.0
        try:
            observation, info = self.env.reset(seed=seed, options=options)
        except RuntimeError as error:
            raise TrialOver(str(error)) from error
        self.tumbles += not fell and self._lean > self.walk.robot.fall_pitch
        self._count_trips(fell=False)
        self._start, self._began_s = info, self.robot_time_s
        self._total, self._length = 0.0, 0
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Drives for one policy period and takes notes."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self.steps += 1
        self.leaning += info['constraint'] < 0.0
        self._total += float(reward)
        self._length += 1
        if terminated or truncated:
            self._count_trips(fell=terminated)
            self._note(terminated, truncated, info)
        return observation, reward, terminated, truncated, info

    def close(self) -> None:
        """Stops watching: no circle is left that keeps a trial's replay for the collector."""
        self.walk.on_decision = self.tell = dict
        super().close()

    def watch(self) -> None:
        """Notes how far the true body leans now."""
        roll, pitch, _ = roll_pitch_yaw(self.walk.graph.sim.truth().orientation)
        self._lean = max(self._lean, abs(roll), abs(pitch))

    def _count_trips(self, fell: bool) -> None:
        for _, reasons in self.walk.graph.trips[self._trips_seen :]:
            hot = bool(reasons & Reason.OVER_TEMPERATURE)
            self.trips[FALL if fell else HEAT if hot else OTHER] += 1
        self._trips_seen = len(self.walk.graph.trips)

    def _note(self, terminated: bool, truncated: bool, info: Mapping[str, Any]) -> None:
        start = self._start
        way = displacement_along_heading(
            start['true_position'], start['true_orientation'], info['true_position']
        )
        episode = Episode(
            number=len(self.rows) + 1,
            start_s=self._began_s,
            end_s=self.robot_time_s,
            displacement=way,
            total_reward=self._total,
            steps=self._length,
            fell=terminated,
            truncated=truncated,
            cut=truncated and bool(Reason(info['reasons']) & REST),
        )
        speed = way / self.walk.episode_s
        self.rows.append(Row(episode, speed, self.wall_time_s, Totals(), dict(self.tell())))

    @property
    def wall_time_s(self) -> float:
        """Wall time since the trial began [s]."""
        return time.perf_counter() - self._wall_start

    def figures(self) -> dict[str, Any]:
        """Returns what came of the trial, curves included."""
        rows = self.rows
        falls = [round(row.episode.end_s, 3) for row in rows if row.episode.fell]
        walks = {f'walks_{speed}_s': time_to_walk(rows, speed) for speed in SPEEDS}
        first_walk = walks['walks_0.5_s'] or math.inf
        returns = [row.episode.total_reward for row in rows]
        return {
            'last_3_m_s': mean_speed(rows),
            **walks,
            'falls': len(falls),
            'falls_before_walking': sum(end_s < first_walk for end_s in falls),
            'fall_times_s': falls,
            'tumbles': self.tumbles,
            'trips': self.trips,
            'leaning_s': self.leaning / self.walk.robot.policy_hz,
            'leaning_share': round(self.leaning / max(1, self.steps), 4),
            'mean_reward': round(sum(returns) / max(1, sum(row.episode.steps for row in rows)), 4),
            'mean_return': round(sum(returns) / max(1, len(rows)), 2),
            'episodes': len(rows),
            'steps': self.steps,
            'robot_time_s': self.robot_time_s,
            'wall_time_s': round(self.wall_time_s, 1),
            'curves': curves(rows),
        }


def curves(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Returns what was noted of each episode, a list a quantity."""
    told = rows[0].learner if rows else ()
    return {
        'end_s': [round(row.episode.end_s, 3) for row in rows],
        'speed_m_s': [round(row.speed, 4) for row in rows],
        'return': [round(row.episode.total_reward, 2) for row in rows],
        'fell': [row.episode.fell for row in rows],
        **{name: [round(row.learner[name], 5) for row in rows] for name in told},
    }


def without_curves(result: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the figures that fit a line."""
    return {key: value for key, value in result.items() if key != 'curves'}


def line(result: Mapping[str, Any]) -> str:
    """Returns a trial's figures in words."""
    shown = without_curves(result).items()
    return '  '.join(f'{key} {value}' for key, value in shown if value != '')


def median(results: Sequence[Mapping[str, Any]], name: str) -> str:
    """Returns the median of a figure over trials and, in brackets, its values, as a table has it.

    A time that never came counts as endless, a speed of too few episodes as none.
    """
    missing = 0.0 if name == 'last_3_m_s' else math.inf
    values = [missing if result[name] is None else float(result[name]) for result in results]
    digits = COLUMNS[name][1]
    texts = [UNKNOWN if math.isinf(value) else f'{value:.{digits}f}' for value in values]
    middle = statistics.median(values)
    return f'{NEVER if math.isinf(middle) else f"{middle:.{digits}f}"} ({", ".join(texts)})'


def table(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Returns a Markdown table: a line a name, with the medians and values of its trials."""
    titles = ['', *(title for title, _ in COLUMNS.values()), GAIT, 'gave up']
    lines = [titles, ['---'] * len(titles)]
    for name, results in rows.items():
        cells = [median(results, column) for column in COLUMNS]
        lines.append(
            [
                name,
                *cells,
                _gaits(results),
                str(sum(bool(result['problem']) for result in results)),
            ]
        )
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)


def _gaits(results: Sequence[Mapping[str, Any]]) -> str:
    """Returns the gait of each trial, where somebody looked (walk_figures.py)."""
    return ', '.join(result.get('walk', {}).get('gait', UNKNOWN) for result in results)
