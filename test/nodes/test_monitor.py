from __future__ import annotations

import csv
import errno
import io
import json
import math
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quad_learner.experience.metrics_table import LAST
from quad_learner.experience.run_directory import create_at
from quad_learner.nodes.monitor import MonitorNode
from quad_learner.ros import topics
from quad_learner.ros.diagnostics import ERROR, OK, WARN, status
from quad_learner.ros.wire import TruthWire
from quad_learner.safety.modes import Reason
from quad_learner.task.kinds import FORWARD

PERIOD_NS = 25_000_000


@pytest.fixture
def run(tmp_path: Path) -> Path:
    create_at(tmp_path / 'run', {'numpy': '2'})
    return tmp_path / 'run'


@pytest.fixture
def monitor(bench: Any, run: Path) -> Any:
    """Returns the bench with a monitor on it, of a run that went on after 20 s."""
    bench.start(
        MonitorNode, 'monitor', run_directory=str(run), elapsed_s=20.0, seed=4, episode_s=10.0
    )
    yield bench
    bench.node._recorder.close()


def walk(bench: Any, until_ns: int, heading: float, speed: float) -> None:
    """Sends the truth of a robot that walks straight on."""
    facing = np.array([0.0, 0.0, math.sin(heading / 2), math.cos(heading / 2)])
    wire = TruthWire()
    for time_ns in range(0, until_ns + 1, PERIOD_NS):
        way = speed * time_ns * 1e-9
        position = np.array([way * math.cos(heading), way * math.sin(heading), 0.25])
        velocity = np.array([speed, 0.0, 0.0])
        bench.say(topics.GROUND_TRUTH, wire.truth_to(time_ns, position, facing, velocity))
        if time_ns % 500_000_000 == 0:
            bench.until(lambda t=time_ns: bench.node._robot_time_s > t * 1e-9 - 1e-6, 'the truth')


def rows(run: Path) -> list[dict[str, str]]:
    with (run / 'metrics.csv').open() as file:
        return list(csv.DictReader(file))


def test_an_episode_is_scored_by_the_true_way_it_made(
    monitor: Any, run: Path, end_of: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    end = end_of(
        episode=1, task=FORWARD.number, start_ns=1_000_000_000, end_ns=11_000_000_000, steps=400
    )
    monitor.say(topics.EPISODE, monitor.records.episode_to(end))
    walk(monitor, 11_100_000_000, heading=2.0, speed=0.3)
    monitor.until(lambda: rows(run), 'a row')
    (row,) = rows(run)
    # 0.3 m/s for 10 s; the run had lasted 20 s when this part of it began.
    assert float(row['speed']) == pytest.approx(0.3, abs=0.005)
    assert float(row['end_s']) == pytest.approx(31.0)
    assert float(row['total_reward']) == pytest.approx(123.456)
    monitor.node._print()
    assert 'robot 0:31/10:00' in capsys.readouterr().out


@pytest.mark.parametrize(
    'reasons, cut', [(Reason.OVER_TEMPERATURE, '1'), (Reason.OPERATOR, '1'), (Reason.TILT, '0')]
)
def test_a_rest_is_no_failure_to_walk(
    monitor: Any, run: Path, end_of: Any, reasons: Reason, cut: str
) -> None:
    end = end_of(episode=1, start_ns=0, end_ns=500_000_000, reasons=reasons, complete=False)
    monitor.say(topics.EPISODE, monitor.records.episode_to(end))
    walk(monitor, 600_000_000, heading=0.0, speed=0.3)
    monitor.until(lambda: rows(run), 'a row')
    assert rows(run)[0]['cut'] == cut


@pytest.mark.parametrize('left_s, cut', [(0.05, '1'), (0.5, '1'), (0.6, '0')])
def test_an_episode_that_the_end_of_the_run_cut_is_no_failure_to_walk(
    bench: Any, run: Path, end_of: Any, left_s: float, cut: str
) -> None:
    bench.start(MonitorNode, 'monitor', run_directory=str(run), minutes=0.1)
    # Who walks needs half a second to halt before these six are over.
    end_ns = round((6.0 - left_s) * 1e9)
    end = end_of(episode=1, start_ns=1_000_000_000, end_ns=end_ns, complete=False)
    bench.say(topics.EPISODE, bench.records.episode_to(end))
    walk(bench, end_ns + 100_000_000, heading=0.0, speed=0.3)
    bench.until(lambda: rows(run), 'a row')
    assert rows(run)[0]['cut'] == cut
    bench.node._recorder.close()


def test_an_episode_that_is_said_twice_counts_once(monitor: Any, run: Path, end_of: Any) -> None:
    end = end_of(episode=1, start_ns=0, end_ns=500_000_000)
    for _ in range(2):
        monitor.say(topics.EPISODE, monitor.records.episode_to(end))
    walk(monitor, 600_000_000, heading=0.0, speed=0.3)
    monitor.until(lambda: rows(run), 'a row')
    monitor.settle()
    assert len(rows(run)) == 1


@pytest.mark.parametrize(
    'topic, told, words',
    [
        ('SAFETY_STATE', ('SOFT_STOP', ERROR), '  SOFT_STOP: OVER_SPEED (FL_hip at 30.0 rad/s)'),
        ('SAFETY_STATE', ('LATCHED_STOP', ERROR), 'rad/s) (the robot stays stopped until'),
        ('RESET_STATE', ('REST', WARN), '  rests until motors are cool'),
        ('RESET_STATE', ('GIVE_UP', ERROR), '  needs help'),
    ],
)
def test_the_line_says_why_nothing_goes_on_and_no_longer_than_that(
    monitor: Any, capsys: pytest.CaptureFixture[str], topic: str, told: Any, words: str
) -> None:
    node, (summary, level) = monitor.node, told
    values = {'reasons': 'OVER_SPEED', 'evidence': 'FL_hip at 30.0 rad/s', 'trips': 0}
    for state, grade in ((summary, level), ('ACTIVE POLICY', OK)):
        monitor.say(getattr(topics, topic), status('node', grade, state, values))
        halted = state == summary
        monitor.until(lambda h=halted: bool(node._stop or node._rest) == h, 'the state')
        node._print()
        assert (words in capsys.readouterr().out.splitlines()[-1]) == halted


@pytest.mark.parametrize(
    'topic, state, words',
    [
        ('SAFETY_STATE', 'LATCHED_STOP', 'somebody to call safety/resume (stopped for OPERATOR)'),
        ('SAFETY_STATE', 'SOFT_STOP', None),
        ('RESET_STATE', 'GIVE_UP', 'somebody to set it upright'),
        ('RESET_STATE', 'REST', None),
    ],
)
def test_the_summary_says_for_whom_the_robot_waits_when_its_time_is_over(
    monitor: Any, run: Path, topic: str, state: str, words: str | None
) -> None:
    node = monitor.node
    monitor.say(getattr(topics, topic), status('node', ERROR, state, {'reasons': 'OPERATOR'}))
    monitor.until(lambda: node._stop or node._rest, 'the state')
    over = status('policy', OK, 'finished', {'robot_time_s': 60.0})
    monitor.say(topics.POLICY_STATE, over)
    monitor.until(lambda: node._seen.finished_s, 'the end')
    # How safety and reset end is no news.
    for topic in (topics.SAFETY_STATE, topics.RESET_STATE):
        monitor.say(topic, status('node', OK, 'SOFT_STOP', {}))
    monitor.until(lambda: not node._stop and not node._rest, 'their end')
    node.close()
    assert json.loads((run / 'summary.json').read_text())['waits_for'] == words


def test_the_summary_says_that_a_strayed_robot_waits_to_be_carried_back(
    monitor: Any, run: Path
) -> None:
    over = status('policy', OK, 'finished', {'robot_time_s': 60.0, 'strayed_m': '3.20'})
    monitor.say(topics.POLICY_STATE, over)
    monitor.until(lambda: monitor.node._seen.finished_s, 'the end')
    monitor.node.close()
    waits_for = json.loads((run / 'summary.json').read_text())['waits_for']
    assert waits_for == 'somebody to carry it back into its workspace'


def test_the_summary_counts_what_the_others_told(
    monitor: Any, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {
        topics.SAFETY_STATE: status('safety', OK, 'SOFT_STOP', {'trips': 3}),
        topics.RESET_STATE: status(
            'reset', OK, 'READY', {'finished': 1, 'failed': 0, 'duration_s': 2.5}
        ),
        topics.POLICY_STATE: status(
            'policy', OK, 'finished', {'robot_time_s': 60.0, 'tumbles': 2}
        ),
        topics.metric('updates'): topics.metric('updates').type(data=77.0),
    }
    for topic, message in said.items():
        monitor.say(topic, message)
    robot = status(
        '/quad_learner/robot',
        OK,
        'ok',
        {
            'missed_ticks': 2,
            'human_resets': 1,
            'unsafe_commands': 4,
            'latency_ms': 3.5,
            'latency_max_ms': float('nan'),
        },
    )
    monitor.say(topics.DIAGNOSTICS, topics.DIAGNOSTICS.type(status=[robot]))
    seen = monitor.node._seen
    monitor.until(
        lambda: seen.trips and seen.resets and seen.finished_s and seen.human_resets, 'all of it'
    )
    monitor.until(lambda: 'updates' in monitor.node._latest, 'the metric')
    assert monitor.node._recorder._latest['latency_ms'] == 3.5
    monitor.node._print()
    assert 'falls 0, 2 after an episode  resets 1' in capsys.readouterr().out
    monitor.node.close()
    summary = json.loads((run / 'summary.json').read_text())
    wanted = {
        'tumbles': 2,
        'trips': 3,
        'resets': 1,
        'human_resets': 1,
        'deadline_misses': 2,
        'unsafe_commands': 4,
        'updates': 77,
        'seed': 4,
        'robot': 'a1',
        'robot_time_s': 60.0,
    }
    assert {key: summary[key] for key in wanted} == wanted
    assert summary['reset_mean_duration_s'] == pytest.approx(2.5)


def test_a_monitor_that_comes_to_a_robot_that_runs_tells_its_pace_from_then_on(
    monitor: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    node, truth = monitor.node, TruthWire()
    upright, still = np.array([0.0, 0.0, 0.0, 1.0]), np.zeros(3)
    for seconds in (400, 401):
        monitor.say(
            topics.GROUND_TRUTH, truth.truth_to(seconds * 1_000_000_000, still, upright, still)
        )
        monitor.until(lambda s=seconds: node._robot_time_s == s, 'the truth')
    assert node._began[0] == 400.0
    node._began = node._printed = (400.0, 0.0)
    node._wall_s = lambda: 2.0
    node._print()
    # 421 s of 600 are over; a second took two.
    assert 'robot 7:01/10:00  wall' in (line := capsys.readouterr().out)
    assert 'left 5:58' in line
    assert node._recorder._quantities['real_time_factor'].kept(LAST) == 0.5


def test_on_hardware_time_and_falls_are_told_though_the_true_way_is_not_known(
    monitor: Any, run: Path, end_of: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    node = monitor.node
    end = end_of(episode=1, start_ns=0, end_ns=3_000_000_000, steps=120, fell=True)
    monitor.say(topics.EPISODE, monitor.records.episode_to(end))
    walking = status('policy', OK, 'episode', {'robot_time_s': 64.5})
    monitor.say(topics.POLICY_STATE, walking)
    monitor.until(lambda: node._robot_time_s == 44.5 and node._waiting, 'both')
    node._print()
    line = capsys.readouterr().out
    assert 'robot 1:04/10:00' in line
    assert 'falls 1' in line
    node.close()
    summary = json.loads((run / 'summary.json').read_text())
    assert (summary['robot_time_s'], summary['falls'], summary['env_steps']) == (64.5, 1, 120)
    assert rows(run) == []


def test_episodes_whose_truth_never_comes_are_counted_and_not_kept(
    monitor: Any, run: Path, end_of: Any
) -> None:
    node, episodes = monitor.node, 500
    for number in range(1, episodes + 1):
        start_ns = number * 10_000_000_000
        end = end_of(
            episode=number,
            start_ns=start_ns,
            end_ns=start_ns + 10_000_000_000,
            steps=400,
            fell=number % 5 == 0,
        )
        node._on_episode(monitor.records.episode_to(end))
        # Four lengths of an episode, and the one that has just ended.
        assert [each.episode for each in node._waiting] == [*range(max(1, number - 4), number + 1)]
        assert node._falls == number // 5
    node.close()
    summary = json.loads((run / 'summary.json').read_text())
    assert (summary['falls'], summary['env_steps']) == (100, 500 * 400)
    assert rows(run) == []


@pytest.mark.parametrize('later_ns, written', [(40_000_000_000, 2), (40_000_000_001, 1)])
def test_a_truth_that_is_late_is_waited_for_as_long_as_the_path_is_remembered(
    monitor: Any, run: Path, end_of: Any, later_ns: int, written: int
) -> None:
    node = monitor.node
    truth, still, upright = TruthWire(), np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0])
    for number, end_ns in ((1, 1_000_000_000), (2, 1_000_000_000 + later_ns)):
        end = end_of(episode=number, start_ns=end_ns - 500_000_000, end_ns=end_ns)
        node._on_episode(monitor.records.episode_to(end))
    for tenth in range(420):
        monitor.say(
            topics.GROUND_TRUTH, truth.truth_to(tenth * 100_000_000, still, upright, still)
        )
        if tenth % 10 == 0:
            monitor.until(lambda t=tenth: node._robot_time_s >= t / 10 - 1e-6, 'the truth')
    monitor.until(lambda: len(rows(run)) == written, 'the rows')
    assert node._recorder.totals.env_steps == 2 * 400
    assert not node._waiting


def test_it_goes_on_where_nobody_reads_what_it_prints(
    monitor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, 'wb', buffering=0) as file:
        gone = io.TextIOWrapper(file, write_through=True)
        monkeypatch.setattr(sys, 'stdout', gone)
        monitor.node._print()


class Disk(io.FileIO):
    """One that is full for a while."""

    full = True

    def write(self, data: Any) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)


def test_a_full_disk_does_not_end_it_and_the_row_follows(
    monitor: Any, run: Path, end_of: Any
) -> None:
    node, disk = monitor.node, Disk(run / 'metrics.csv', 'a')
    node._recorder.close()
    node._recorder._file = io.TextIOWrapper(io.BufferedWriter(disk), newline='')
    for number in (1, 2):
        start_ns = (number - 1) * 1_000_000_000
        end = end_of(episode=number, start_ns=start_ns, end_ns=start_ns + 500_000_000)
        monitor.say(topics.EPISODE, monitor.records.episode_to(end))
    walk(monitor, 600_000_000, heading=0.0, speed=0.3)
    monitor.until(lambda: node._unwritten, 'the trouble')
    assert node.report() == (
        ERROR,
        'metrics.csv cannot be written (No space left on device): free some space',
    )
    assert rows(run) == []
    disk.full = False
    walk(monitor, 1_600_000_000, heading=0.0, speed=0.3)
    monitor.until(lambda: len(rows(run)) == 2, 'both rows')
    assert [row['number'] for row in rows(run)] == ['1', '2']
    assert node.report()[0] == OK


def test_a_summary_that_cannot_be_written_is_told_and_the_end_is_a_good_one(
    monitor: Any, run: Path
) -> None:
    (run / 'summary.json').mkdir()
    monitor.node.close()
    assert monitor.node._recorder._file is None
