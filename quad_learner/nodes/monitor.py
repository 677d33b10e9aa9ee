"""The monitor node: watches the run, prints where it is, writes metrics.csv and summary.json.

It is the only listener to the simulated robot's ground truth, and it speaks to no other node.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections import deque
from functools import partial
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus

from quad_learner.experience.config import MonitorConfig
from quad_learner.experience.metrics import RunFacts, RunRecorder
from quad_learner.experience.metrics_table import LEARNER_COLUMNS, Episode, Totals
from quad_learner.experience.run_directory import open_run
from quad_learner.experience.told_count import ToldCount
from quad_learner.experience.truth_track import TruthTrack
from quad_learner.policy.driver import EpisodeEnd, Phase
from quad_learner.reset.state import State
from quad_learner.robot.signals import NANOSECONDS
from quad_learner.ros import topics
from quad_learner.ros.clock import steady_ns
from quad_learner.ros.diagnostics import ERROR, OK
from quad_learner.ros.graph_node import GraphNode
from quad_learner.ros.messages import odometry_from, stamp_from
from quad_learner.ros.neighbours import robot_of
from quad_learner.ros.packed import Records
from quad_learner.ros.process import run
from quad_learner.safety.modes import Mode, Reason
from quad_learner.task.config import TaskConfig
from quad_learner.task.kinds import NUMBERED

NO_FAULT = Reason.OVER_TEMPERATURE | Reason.LOW_BATTERY | Reason.OPERATOR
"""stops that say nothing of the walking"""
LATENCIES = ('latency_ms', 'latency_max_ms')
"""of the robot's diagnostics, kept in metrics.csv"""
LONG = (State.REST, State.GIVE_UP)
"""in which reset leaves the robot lying for minutes, or until somebody comes"""
TRACK_EPISODES = 4
"""lengths of an episode that the true path is remembered for, and waited for after one"""


class MonitorNode(GraphNode):
    """Listens and writes."""

    def __init__(self, **options: Any) -> None:
        super().__init__('monitor', MonitorConfig, TaskConfig, **options)
        self._config, task = self.configs
        self._halt_s = task.halt_s
        self._run = open_run(Path(self.graph.run_directory))
        versions = json.loads(self._run.versions.read_text())['versions']
        facts = RunFacts(
            self.graph.robot,
            self.graph.seed,
            task.episode_s,
            self._config.walk_speed_m_s,
            versions,
        )
        self._recorder = RunRecorder(self._run.metrics, facts)
        self._recorder.open(self.graph.elapsed_s, _summary(self._run.summary))
        self._records = Records(self.robot)
        self._track = TruthTrack(round(TRACK_EPISODES * task.episode_s * self.robot.policy_hz))
        self._patience_ns = round(TRACK_EPISODES * task.episode_s * NANOSECONDS)
        self._waiting: deque[EpisodeEnd] = deque()
        """for the true path, in the order in which they ended"""
        self._latest: dict[str, float] = {}
        self._stop, self._rest = '', ''
        self._latched, self._gave_up, self._strayed = '', False, False
        self._unwritten = ''
        """why the last row was not written, empty where it was"""
        self._speed = float('nan')
        self._robot_time_s = 0.0
        self._began: tuple[float, float] | None = None
        """robot time and wall time [s] when the robot was first heard: it may run already"""
        self._printed = 0.0, 0.0
        self._started_ns = steady_ns()
        rows = self._recorder.rows
        written = rows[-1].episode.number if rows else 0
        self._seen = _Seen(written, self._recorder.counted)
        self._wire()

    def _wire(self) -> None:
        topics.EPISODE.subscribe(self, self._on_episode)
        topics.GROUND_TRUTH.subscribe(self, self._on_truth)
        topics.SAFETY_STATE.subscribe(self, self._on_safety)
        topics.RESET_STATE.subscribe(self, self._on_reset)
        topics.POLICY_STATE.subscribe(self, self._on_policy)
        topics.DIAGNOSTICS.subscribe(self, self._on_diagnostics)
        for name in topics.METRICS:
            topics.metric(name).subscribe(self, partial(self._on_metric, name))
        self.every(self._config.print_period_s, self._print)

    def _on_metric(self, name: str, message: Any) -> None:
        self._latest[name] = message.data
        if name in LEARNER_COLUMNS:
            self._recorder.sample(name, message.data)

    def _on_truth(self, message: Any) -> None:
        pose = odometry_from(message, 0)
        self._tell_time(stamp_from(message) / NANOSECONDS)
        self._speed = float(pose.velocity_body[0])
        self._track.add(pose.time_ns, pose.position, pose.orientation)
        while self._waiting and self._track.has(self._waiting[0].end_ns):
            self._write(self._waiting.popleft())

    def _tell_time(self, robot_time_s: float) -> None:
        self._robot_time_s = max(self._robot_time_s, robot_time_s)
        if self._began is None:
            self._began = self._printed = self._robot_time_s, self._wall_s()

    def _on_episode(self, message: Any) -> None:
        end = self._records.episode_from(message)
        if end.episode > self._seen.episode:
            self._seen.episode = end.episode
            self._waiting.append(end)
            # On hardware the truth never comes.
            while end.end_ns - self._waiting[0].end_ns > self._patience_ns:
                self._unscored(self._waiting.popleft())

    def _write(self, end: EpisodeEnd) -> None:
        displacement = self._displacement(end)
        if displacement is None:
            self._unscored(end)
            return
        over = self._over(end.end_ns / NANOSECONDS)
        episode = Episode(
            number=end.episode,
            start_s=end.start_ns / NANOSECONDS,
            end_s=end.end_ns / NANOSECONDS,
            displacement=displacement,
            total_reward=end.total_reward,
            steps=end.steps,
            fell=end.fell,
            truncated=not end.fell,
            task=end.task,
            left=end.left,
            cut=(over or bool(end.reasons & NO_FAULT)) and not end.complete and not end.fell,
        )
        self._unwritten = ''
        try:
            self._recorder.episode(episode, self._wall_s())
        except OSError as error:  # a full disk: the row follows with the next that can be written
            self._unwritten = f'metrics.csv cannot be written ({error.strerror}): free some space'
            self.get_logger().error(self._unwritten)

    def _unscored(self, end: EpisodeEnd) -> None:
        """Counts an episode without a row."""
        if self._track.has(0):  # who never told the truth is hardware, and nothing is wrong
            self.get_logger().warning(f'no true path for episode {end.episode}: not scored')
        self._recorder.unscored(end.fell, end.steps)

    def _displacement(self, end: EpisodeEnd) -> float | None:
        """Returns how far the robot got in its task [m, of a turn rad], None if not known."""
        kind = NUMBERED[end.task]
        if kind.turn:
            turned = self._track.turned(end.start_ns, end.end_ns)
            return None if turned is None else kind.turn * turned
        way = self._track.displacement(end.start_ns, end.end_ns)
        return None if way is None else (kind.along or 1.0) * way

    def _over(self, robot_time_s: float) -> bool:
        """Tells whether an episode that ended then was ended by the end of the run."""
        period = 1.0 / self.robot.policy_hz
        total = self._recorder.robot_time_before_s + robot_time_s
        # Who walks begins to halt so much sooner.
        return total + 2.0 * period + self._halt_s >= self.graph.minutes * 60.0

    def _on_safety(self, message: DiagnosticStatus) -> None:
        stopped = message.level == ERROR
        self._stop = f'  {message.message}: {_value(message, "reasons", "")}' if stopped else ''
        evidence = _value(message, 'evidence', '')
        if stopped and evidence:
            self._stop += f' ({evidence})'
        latched = message.message.startswith(Mode.LATCHED_STOP.name)
        self._latched = _value(message, 'reasons', '') if latched else ''
        if stopped and latched:
            self._stop += ' (the robot stays stopped until somebody calls safety/resume)'
        trips = self._seen.trips.rise(int(_value(message, 'trips', '0')))
        self._recorder.count(trips=trips)

    def _on_reset(self, message: DiagnosticStatus) -> None:
        long = next((state for state in LONG if state.name == message.message), None)
        self._rest = f'  {long.value}' if long else ''
        self._gave_up = long is State.GIVE_UP
        if self._seen.resets.rise(int(_value(message, 'finished', '0'))):
            self._recorder.reset(float(_value(message, 'duration_s', 'nan')), success=True)
        if self._seen.failed_resets.rise(int(_value(message, 'failed', '0'))):
            self._recorder.reset(float(_value(message, 'duration_s', 'nan')), success=False)

    def _on_policy(self, message: DiagnosticStatus) -> None:
        told_s = float(_value(message, 'robot_time_s', 'nan')) - self.graph.elapsed_s
        if told_s >= 0.0:  # on hardware nobody else tells
            self._tell_time(told_s)
        self._strayed = float(_value(message, 'strayed_m', '0')) > 0.0
        tumbles = self._seen.tumbles.rise(int(_value(message, 'tumbles', '0')))
        self._recorder.count(tumbles=tumbles)
        if message.message == Phase.FINISHED.value and self._seen.finished_s is None:
            self._seen.finished_s = told_s
            self._seen.waited_for = self._waits_for()

    def _waits_for(self) -> str | None:
        """Returns who has to do what before the robot goes on, None where it does by itself."""
        if self._latched:
            return f'somebody to call safety/resume (stopped for {self._latched})'
        if self._strayed:
            return 'somebody to carry it back into its workspace'
        return 'somebody to set it upright' if self._gave_up else None

    def _on_diagnostics(self, message: Any) -> None:
        for status in message.status:
            ours = robot_of(status) == self.graph.robot_id
            if not ours or not status.name.endswith('/robot'):
                continue
            self._recorder.count(
                deadline_misses=self._seen.misses.rise(int(_value(status, 'missed_ticks', '0'))),
                unsafe_commands=self._seen.unsafe.rise(
                    int(_value(status, 'unsafe_commands', '0'))
                ),
                human_resets=self._seen.human_resets.rise(
                    int(_value(status, 'human_resets', '0'))
                ),
            )
            for name in LATENCIES:
                self._recorder.sample(name, float(_value(status, name, 'nan')))

    def _wall_s(self) -> float:
        return (steady_ns() - self._started_ns) / NANOSECONDS

    def _print(self) -> None:
        """Prints one line on standard output: the terminal of whoever waits for the robot."""
        total_s = self.graph.minutes * 60.0
        robot_s = self._recorder.robot_time_before_s + self._robot_time_s
        wall_s = self._wall_s()
        began_s, began_wall_s = self._began or (0.0, 0.0)
        ran_s, took_s = self._robot_time_s - began_s, wall_s - began_wall_s
        left_s = max(0.0, total_s - robot_s) * took_s / ran_s if ran_s > 0.0 else float('nan')
        self._sample_pace(wall_s)
        rows = self._recorder.rows
        episode = rows[-1] if rows else None
        latest, totals = self._latest, self._recorder.totals
        self.diagnostics.values['robot_time_s'] = robot_s
        line = (
            f'robot {_minutes(robot_s)}/{_minutes(total_s)}  wall {_minutes(wall_s)}'
            f'  left {_minutes(left_s)}  speed {self._speed:+.2f} m/s'
            f'  episode {len(rows)}'
            + (
                f': {episode.speed:+.2f} m/s, return {episode.episode.total_reward:.0f}'
                if episode
                else ''
            )
            + f'  falls {self._falls}'
            + (f', {totals.tumbles} after an episode' if totals.tumbles else '')
            + f'  resets {totals.resets}'
            f'  λ {latest.get("lambda", float("nan")):.2f}'
            f'  α {latest.get("alpha", float("nan")):.4f}'
            f'  updates/s {latest.get("updates_per_second", 0.0):.0f}'
            f'  policy v{latest.get("policy_version", 0):.0f}' + self._stop + self._rest
        )
        # Whoever read it may have gone: the run goes on.
        with contextlib.suppress(OSError):
            sys.stdout.write(line + '\n')
            sys.stdout.flush()

    @property
    def _falls(self) -> int:
        """Those of episodes that wait for their true way included: on hardware it never comes."""
        return self._recorder.totals.falls + sum(end.fell for end in self._waiting)

    def _sample_pace(self, wall_s: float) -> None:
        before_robot_s, before_wall_s = self._printed
        self._printed = self._robot_time_s, wall_s
        if self._began is not None and wall_s > before_wall_s:
            pace = (self._robot_time_s - before_robot_s) / (wall_s - before_wall_s)
            self._recorder.sample('real_time_factor', pace)

    def report(self) -> tuple[bytes, str]:
        """Returns level and summary for `/diagnostics`."""
        if self._unwritten:
            return ERROR, self._unwritten
        return OK, f'{len(self._recorder.rows)} episodes written'

    def close(self) -> None:
        """Writes the summary."""
        for end in self._waiting:
            self._recorder.unscored(end.fell, end.steps)
        robot_time_s = self._seen.finished_s
        if robot_time_s is None:
            robot_time_s = self._robot_time_s
        waited_for = self._seen.waited_for
        try:
            self._recorder.finish(self._run.summary, robot_time_s, self._wall_s(), waited_for)
        except OSError as error:
            self.get_logger().error(f'the summary was not written: {error}')


class _Seen:
    """What has been counted already: states are said again and again."""

    def __init__(self, episode: int, counted: Totals) -> None:
        self.episode = episode
        self.tumbles = ToldCount(counted.tumbles)
        self.trips = ToldCount(counted.trips)
        self.resets = ToldCount(counted.reset_successes)
        self.failed_resets = ToldCount(counted.resets - counted.reset_successes)
        self.misses = ToldCount(counted.deadline_misses)
        self.unsafe = ToldCount(counted.unsafe_commands)
        self.human_resets = ToldCount(counted.human_resets)
        self.finished_s: float | None = None
        self.waited_for: str | None = None


def _summary(path: Path) -> dict[str, Any] | None:
    """Returns the figures of the run as they were when it was last stopped, None if it was not."""
    if not path.is_file():
        return None
    figures: dict[str, Any] = json.loads(path.read_text())
    return figures


def _value(status: DiagnosticStatus, key: str, default: str) -> str:
    return next((pair.value for pair in status.values if pair.key == key), default)


def _minutes(seconds: float) -> str:
    if seconds != seconds:
        return '--:--'
    return f'{int(seconds) // 60}:{int(seconds) % 60:02d}'


def main() -> None:
    """Runs the node."""
    sys.exit(run(MonitorNode))


if __name__ == '__main__':
    main()
