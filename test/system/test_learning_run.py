"""One run of `quad-learner learn` from start to end, watched by a stranger, and then run again."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from rclpy.node import Node

from quad_learner.experience.reader import ExperienceReader
from quad_learner.robot.model import load
from quad_learner.ros import topics

pytestmark = [pytest.mark.system, pytest.mark.timeout(3000)]

MINUTES = 0.4
ROBOT = load('a1')
NODES = {'robot', 'safety', 'estimator', 'reset', 'policy', 'monitor', 'learner'}
HZ = {topics.COMMAND_RATE: ROBOT.command_hz, topics.POLICY_RATE: ROBOT.policy_hz}
# What is sent by the wall's clock, or only while an episode runs, has no rate in robot time.
OF_ROBOT_TIME = {
    'joint_states',
    'imu/data',
    'foot_contacts',
    'battery_state',
    'motor_temperature',
    'ground_truth/odom',
    'odom',
    'contact_state',
    'policy/target',
    'reset/target',
    'joint_command',
}


@dataclass
class Watched:
    """What the stranger saw."""

    types: dict[str, list[str]] = field(default_factory=dict)
    services: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    paced: Counter[str] = field(default_factory=Counter)
    last_s: float = 0.0
    nodes: set[str] = field(default_factory=set)

    def heard(self, name: str, message: Any) -> None:
        """Counts a message; the clock tells robot time."""
        if name == '/clock':
            self.last_s = message.clock.sec + message.clock.nanosec * 1e-9
        self.counts[name] += 1
        # Before the first tick the robot says the same again and again: the learner is starting.
        self.paced[name] += self.last_s > 0.0


@dataclass
class Finished:
    """A run that has ended."""

    path: Path
    exit: int
    said: str
    watched: Watched


@pytest.fixture(scope='module')
def finished(
    learn: Callable[..., Any], folder: Path, watcher: Node, seen_until: Callable[..., Any]
) -> Finished:
    watched = Watched()
    for topic in topics.TABLE:
        topic.subscribe(
            watcher,
            lambda message, name=topic.name: watched.heard(name, message),
            raw=topic.name != '/clock',
        )
    path = folder / 'first'
    run = learn('--minutes', str(MINUTES), '--seed', '11', '--run-dir', str(path))

    missing: list[str] = []

    def all_there() -> bool:
        nonlocal missing
        watched.types = dict(watcher.get_topic_names_and_types())
        # The stranger listens to each name itself, so only a publisher tells that it is there.
        missing = [t.name for t in topics.TABLE if not watcher.count_publishers(t.name)]
        return run.is_up() and not missing

    def nodes_and_services_there() -> bool:
        watched.services |= {name for name, _ in watcher.get_service_names_and_types()}
        watched.nodes |= set(watcher.get_node_names())
        services = {f'/{s.name}' for s in topics.SERVICES}
        return run.is_up() and services <= watched.services and watched.nodes >= NODES

    seen_until(all_there, 400.0, lambda: f'a publisher of {missing}\n{run.said}')
    seen_until(nodes_and_services_there, 60.0, lambda: f'every node and service: {watched}')
    seen_until(lambda: run.process.poll() is not None, 1200.0, lambda: f'the end\n{run.said}')
    return Finished(path, run.ends(1.0), run.said, watched)


@pytest.fixture(scope='module')
def summary(finished: Finished) -> dict[str, Any]:
    return json.loads((finished.path / 'summary.json').read_text())


def test_the_run_ends_by_itself_and_says_where_its_results_are(finished: Finished) -> None:
    assert finished.exit == 0, finished.said
    assert str(finished.path) in finished.said


def test_it_says_where_it_is_all_the_way(finished: Finished) -> None:
    for words in ('robot 0:', 'wall 0:', 'left ', 'm/s', 'falls', 'resets', 'λ', 'α', 'policy v'):
        assert words in finished.said, words


def test_it_leaves_all_that_people_and_tools_look_for(finished: Finished) -> None:
    for name in (
        'summary.json',
        'metrics.csv',
        'experience.mcap',
        'policy.onnx',
        'report.html',
        'gait.gif',
        'versions.json',
        'parameters/learner.yaml',
        'parameters/robots/a1.yaml',
    ):
        assert (finished.path / name).stat().st_size > 0, name
    assert any((finished.path / 'checkpoint').iterdir())


def test_the_summary_tells_what_was_used_and_what_came_of_it(summary: dict[str, Any]) -> None:
    # The last decision of 24 s is one policy period before their end.
    assert 23.9 <= summary['robot_time_s'] <= 24.0
    assert (summary['waits_for'], summary['human_resets']) == (None, 0)
    assert summary['resets'] > 0
    assert summary['reset_success_rate'] == 1.0
    assert (summary['robot'], summary['seed']) == ('a1', 11)
    assert summary['unsafe_commands'] == 0
    for key in ('falls', 'trips', 'env_steps', 'updates', 'wall_time_s', 'deadline_misses'):
        assert summary[key] >= 0, key
    for key in ('mean_speed_last_3_episodes', 'time_to_walk_s', 'reset_success_rate'):
        assert key in summary
    assert summary['updates'] > 0


def test_every_step_is_in_the_log_and_in_the_rows(
    finished: Finished, summary: dict[str, Any]
) -> None:
    sequences = [r.sequence for r in ExperienceReader(finished.path / 'experience.mcap').records()]
    assert sequences == list(range(1, len(sequences) + 1))
    with (finished.path / 'metrics.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert sum(int(float(row['steps'])) for row in rows) == len(sequences) == summary['env_steps']
    assert len(rows) == summary['episodes']


def bag(path: Path) -> Iterator[tuple[str, Any]]:
    """Yields topic and message of a bag, read by what the bag says of itself."""
    with path.open('rb') as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        for _, channel, _, message in reader.iter_decoded_messages():
            yield channel.topic, message


def test_the_log_is_a_bag_that_other_tools_open(finished: Finished) -> None:
    topic, first = next(bag(finished.path / 'experience.mcap'))
    assert topic.strip('/') == 'experience'
    labels = [dim.label for dim in first.layout.dim]
    assert labels[0] == 'sequence'
    assert 'observation' in labels


def blocks(message: Any) -> dict[str, Any]:
    """Returns the named blocks of a packed record."""
    flat, place, found = np.array(message.data, np.float32), 0, {}
    for dim in message.layout.dim:
        found[dim.label] = flat[place : place + dim.size]
        place += dim.size
    return found


def test_the_policy_alone_gives_bounded_actions_on_what_was_seen(finished: Finished) -> None:
    session = onnxruntime.InferenceSession(
        str(finished.path / 'policy.onnx'), providers=['CPUExecutionProvider']
    )
    box = float(session.get_modelmeta().custom_metadata_map['box'])
    assert 0.4 <= box <= 1.0
    seen = [blocks(message) for _, message in bag(finished.path / 'experience.mcap')]
    for step in seen[-20:]:
        mean, raw = session.run(['mean', 'mean_raw'], {'observation': step['observation'][None]})
        np.testing.assert_allclose(mean, box * np.tanh(raw), atol=1e-6)
        assert np.abs(mean).max() <= 1.0


def test_a_stranger_finds_every_topic_with_its_type(finished: Finished) -> None:
    for topic in topics.TABLE:
        name = topic.name if topic.name.startswith('/') else f'/{topic.name}'
        package, kind = topic.type.__module__.split('.')[0], topic.type.__name__
        assert finished.watched.types[name] == [f'{package}/msg/{kind}'], name


def test_a_stranger_hears_something_on_every_topic(finished: Finished) -> None:
    silent = {topic.name for topic in topics.TABLE if not finished.watched.counts[topic.name]}
    assert not silent


def test_a_stranger_hears_the_robots_topics_at_their_rate_in_robot_time(
    finished: Finished,
) -> None:
    watched = finished.watched
    seconds = watched.last_s
    assert seconds > 10.0
    for topic in topics.TABLE:
        if topic.name in OF_ROBOT_TIME:
            rate = watched.paced[topic.name] / seconds
            wanted = HZ.get(topic.rate, topic.rate)  # type: ignore[arg-type]
            # Slower: a stranger may miss some. Faster: what was lost is sent again.
            assert 0.7 * wanted <= rate <= 1.5 * wanted + 0.5, f'{topic.name}: {rate:.1f} Hz'


def test_a_stranger_finds_every_node_and_service(finished: Finished) -> None:
    assert finished.watched.nodes >= NODES
    assert {f'/{service.name}' for service in topics.SERVICES} <= finished.watched.services


def test_the_same_seed_gives_the_same_run_to_the_bit(
    finished: Finished, learn: Callable[..., Any], folder: Path
) -> None:
    path = folder / 'second'
    run = learn('--minutes', '0.25', '--seed', '11', '--run-dir', str(path), '--no-report')
    assert run.ends(1200.0) == 0, run.said
    first, second = (
        [r.data for r in ExperienceReader(p / 'experience.mcap').records()]
        for p in (finished.path, path)
    )
    # The last step of the shorter run is cut by its end.
    common = len(second) - 1
    assert common > 200, 'learned policies must have driven for this to say anything'
    different = [n for n in range(common) if first[n] != second[n]]
    assert not different, f'the runs part at step {different[0] + 1}'
