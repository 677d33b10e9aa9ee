from __future__ import annotations

import ast
from pathlib import Path

import pytest
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

from quad_learner.ros import topics

PACKAGE = Path(__file__).resolve().parent.parent.parent / 'quad_learner'
SPELT_HERE = PACKAGE / 'ros' / 'topics.py'
NAMES = {topic.name for topic in (*topics.TABLE, *topics.FROM_OUTSIDE)} | {
    s.name for s in topics.SERVICES
}
# A word of one syllable may mean something else: 'odom' is also the frame that ROS calls so, and
# 'experience' a folder of the run. What a node hands to ROS is looked at by itself below.
PLAIN = {name for name in NAMES if '/' not in name}


def strings(path: Path) -> list[tuple[str, int]]:
    return [
        (node.value, node.lineno)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def test_no_other_file_spells_a_topic_or_a_service() -> None:
    for path in PACKAGE.rglob('*.py'):
        if path == SPELT_HERE:
            continue
        for text, line in strings(path):
            assert text not in NAMES - PLAIN, f'{path}:{line} spells {text!r}'


def test_no_other_file_makes_a_publisher_or_listener_of_its_own() -> None:
    allowed = {
        SPELT_HERE,
        PACKAGE / 'ros' / 'flow_probe.py',  # names nobody else knows, before there is a graph
        PACKAGE / 'ros' / 'transform.py',  # /tf, where it can be had
        PACKAGE / 'nodes' / 'robot_ros2_control.py',  # the topics of the machine, from its YAML
        PACKAGE / 'robot' / 'ros2_control_config.py',
        PACKAGE / 'ros' / 'graph_node.py',  # where all of them are made to notice a mismatch
    }
    for path in set(PACKAGE.rglob('*.py')) - allowed:
        text = path.read_text()
        for call in ('create_publisher(', 'create_subscription(', 'create_service('):
            assert call not in text, f'{path} calls {call}'


def test_every_topic_of_the_module_is_in_the_table_once() -> None:
    declared = [value for value in vars(topics).values() if isinstance(value, topics.Topic)]
    names = [topic.name for topic in (*topics.TABLE, *topics.FROM_OUTSIDE)]
    assert len(names) == len(set(names))
    assert {topic.name for topic in declared} <= set(names)
    assert {f'learner/{name}' for name in topics.METRICS} <= set(names)


def test_no_name_is_a_prefix_of_the_path_of_another() -> None:
    for name in NAMES:
        for other in NAMES:
            assert not other.startswith(name + '/'), f'{name} hides {other} in rqt_plot'


def test_names_are_relative_so_that_robots_live_in_namespaces() -> None:
    absolute = {name for name in NAMES if name.startswith('/')}
    assert absolute == {'/clock', '/diagnostics'}  # what every tool of ROS expects at the root


@pytest.mark.parametrize(
    'topic', (*topics.TABLE, *topics.FROM_OUTSIDE), ids=lambda topic: topic.name
)
def test_every_topic_has_a_sender_a_rate_and_words(topic: topics.Topic) -> None:
    assert topic.publisher_node
    assert topic.about
    assert topic.rate in (topics.COMMAND_RATE, topics.POLICY_RATE) or topic.rate in (0.0, 1.0, 2.0)
    assert topic.qos.reliability == ReliabilityPolicy.RELIABLE
    latched = topic.qos.durability == DurabilityPolicy.TRANSIENT_LOCAL
    assert latched == topic.latched
    assert topic.qos.depth == topic.depth >= 1


def test_a_learner_that_was_away_for_a_minute_and_a_half_finds_every_step() -> None:
    assert topics.EXPERIENCE.latched
    assert topics.EXPERIENCE.depth >= 90 * 40
