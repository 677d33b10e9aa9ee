"""No message ends a node, whatever its bytes: each topic that a node hears is given all sorts."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.serialization import deserialize_message, serialize_message

from quad_learner import bringup
from quad_learner.configuration import read
from quad_learner.experience.run_directory import create_at
from quad_learner.learning.actor import Actor
from quad_learner.learning.export import policy_onnx
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.nodes.drive import DriveNode
from quad_learner.nodes.estimator import EstimatorNode
from quad_learner.nodes.learner import LearnerNode
from quad_learner.nodes.monitor import MonitorNode
from quad_learner.nodes.policy import PolicyNode
from quad_learner.nodes.reset import ResetNode
from quad_learner.nodes.robot_ros2_control import RobotRos2ControlNode
from quad_learner.nodes.robot_sim import RobotSimNode
from quad_learner.nodes.safety import SafetyNode
from quad_learner.resources import config_directory
from quad_learner.robot.signals import Health
from quad_learner.ros import topics
from quad_learner.ros.messages import battery_to, odometry_to
from quad_learner.ros.packed import Progress, progress_to

NODES: dict[str, tuple[type[Any], str]] = {
    'robot_sim': (RobotSimNode, 'robot'),
    'robot_ros2_control': (RobotRos2ControlNode, 'robot'),
    'safety': (SafetyNode, 'safety'),
    'estimator': (EstimatorNode, 'estimator'),
    'reset': (ResetNode, 'reset'),
    'policy': (PolicyNode, 'policy'),
    'drive': (DriveNode, 'policy'),
    'monitor': (MonitorNode, 'monitor'),
    'learner': (LearnerNode, 'learner'),
}
OBSERVATIONS, ACTIONS = 51, 12
HEADS = (b'\0\1\0\0', b'\0\0\0\0', b'\xff\xff\xff\xff')
"""little-endian, big-endian, and no kind of message at all"""
HUGE = struct.pack('<I', 2**31 - 1) * 8
"""counts and lengths far beyond the bytes that follow"""
WORDS = ('', 'x', '-1', '1e400', 'nan', '9' * 5000, '\U0001f415')
STATES = ('', 'finished', 'LATCHED_STOP', 'GIVE_UP', '\U0001f415')
KEYS = ('sequence', 'trips', 'finished', 'failed', 'duration_s', 'robot_time_s', 'tumbles')
NUMBERS = (float('nan'), float('inf'), -1e308, 5e-324, 1e18, -1.0)


class Sorts:
    """Messages of each topic as they should be, and what a stranger can make of them."""

    def __init__(self, right: dict[topics.Topic, Any]) -> None:
        self._right = {
            topic.name: m if isinstance(m, bytes) else bytes(serialize_message(m))
            for topic, m in right.items()
        }
        self._chance = np.random.default_rng(0)

    def data(self, name: str, kind: type[Any]) -> Iterator[bytes]:
        """Yields bytes for the topic `name`: made up, torn, with bits turned, and right."""
        for size in (*range(24), 60, 200):
            for head in HEADS:
                for rest in (self._chance.bytes(size), b'\xff' * size, HUGE):
                    yield (head + rest)[:size]
        for whole in self._wholes(name, kind):
            yield from (whole[:size] for size in range(0, len(whole), 1 + len(whole) // 40))
            yield from (self._turned(whole) for _ in range(60))
            yield from (whole + bytes(8), whole)

    def objects(self, name: str, kind: type[Any]) -> Iterator[Any]:
        """Yields messages for the topic `name` that the middleware would hand on."""
        for data in self.data(name, kind):
            try:
                yield deserialize_message(data, kind)
            except RuntimeError:  # such bytes are dropped there
                continue
        for whole in self._wholes(name, kind):
            for number in NUMBERS:
                message = deserialize_message(whole, kind)
                fill(message, number)
                yield message
        if kind is DiagnosticStatus:
            yield from states()
        if kind is DiagnosticArray:
            yield from (DiagnosticArray(status=[state]) for state in states())

    def _wholes(self, name: str, kind: type[Any]) -> Iterator[bytes]:
        yield bytes(serialize_message(kind()))
        if name in self._right:
            yield self._right[name]

    def _turned(self, whole: bytes) -> bytes:
        turned = bytearray(whole)
        for place in self._chance.integers(0, len(whole), self._chance.integers(1, 9)):
            turned[place] ^= 1 << int(self._chance.integers(8))
        return bytes(turned)


def fill(message: Any, number: float) -> None:
    """Puts `number` in place of each number in `message` that may have a fraction."""
    for name, kind in message.get_fields_and_field_types().items():
        value = getattr(message, name)
        if kind in ('double', 'float'):
            fits = kind == 'double' or not 1e30 < abs(number) < float('inf')
            setattr(message, name, number if fits else 1e30)
        elif kind == 'sequence<double>':
            setattr(message, name, [number] * len(value))
        elif hasattr(value, 'get_fields_and_field_types'):
            fill(value, number)


def states() -> Iterator[DiagnosticStatus]:
    """Yields states of a node whose every value is the same word."""
    for word in WORDS:
        pairs = [KeyValue(key=key, value=word) for key in (*KEYS, 'missed_ticks', 'latency_ms')]
        for state in STATES:
            for level in (b'\0', b'\2', b'\xff'):
                yield DiagnosticStatus(level=level, name='/robot', message=state, values=pairs)


@pytest.fixture
def sorts(
    bench: Any,
    sample_of: Any,
    estimate_of: Any,
    command_of: Any,
    target_of: Any,
    transition_of: Any,
    end_of: Any,
) -> Sorts:
    records, wire = bench.records, bench.samples
    nothing, health = np.zeros(OBSERVATIONS, np.float32), Health(0, 24.0, 0.5, np.full(12, 30.0))
    step = transition_of(observation=nothing, next_observation=nothing)
    return Sorts(
        {
            topics.JOINT_STATES: wire.joints_to(sample_of()),
            topics.FOOT_CONTACTS: wire.feet_to(sample_of()),
            topics.IMU: wire.imu_to(sample_of()),
            topics.JOINT_COMMAND: records.command_to(command_of()),
            topics.POLICY_TARGET: records.target_to(target_of()),
            topics.RESET_TARGET: records.target_to(target_of()),
            topics.EXPERIENCE: records.transition_to(step),
            topics.ODOM: odometry_to(estimate_of()),
            topics.BATTERY: battery_to(health),
            topics.MOTOR_TEMPERATURE: records.temperature_to(health),
            topics.EPISODE: records.episode_to(end_of()),
            topics.PROGRESS: progress_to(Progress(1, 2, 3, 4)),
        }
    )


@pytest.fixture
def start(bench: Any, tmp_path: Path) -> Iterator[Callable[[str, str], Any]]:
    """Returns a function that starts the node of a name in a gear."""

    def make(name: str, gear: str) -> Any:
        kind, spec = NODES[name]
        run = create_at(tmp_path / 'run', {'numpy': '2'})
        if kind is DriveNode:
            small = read(LearnerConfig, config_directory() / 'learner.yaml', {'actor_width': 8})
            actor = Actor(OBSERVATIONS, ACTIONS, small, torch.Generator())
            run.policy_of('').write_bytes(policy_onnx(actor))
        if kind is RobotRos2ControlNode:
            (found,) = [s for s in bringup.nodes('ros2_control') if s.name == spec]
            return bench.adopt(kind, bringup.parameters([found], {'gear': gear}, None)[spec])
        return bench.start(kind, spec, kind is DriveNode, gear=gear, run_directory=str(run.path))

    yield make
    if not isinstance(bench.node, SafetyNode):  # it would wait for somebody to hear its last word
        bench.node.close()


def speak(node: Any, sorts: Sorts) -> dict[str, int]:
    """Hands all sorts to each subscription of a node; returns how many, by topic."""
    count: dict[str, int] = {}
    names = {topic.name.lstrip('/') for topic in (*topics.TABLE, *topics.FROM_OUTSIDE)}
    for heard in list(node.subscriptions):
        name = heard.topic_name.lstrip('/')
        ours = next((each for each in names if each == name), name.removeprefix('hardware/'))
        messages = sorts.data if heard.raw else sorts.objects
        for message in messages(ours, heard.msg_type):
            heard.callback(message)
            count[name] = count.get(name, 0) + 1
    return count


@pytest.mark.parametrize('gear', ['real_time', 'lockstep'])
@pytest.mark.parametrize('name', sorted(NODES))
def test_no_message_ends_a_node_or_comes_to_its_guard(
    name: str, gear: str, start: Any, sorts: Sorts
) -> None:
    if name == 'robot_ros2_control' and gear == 'lockstep':
        gear = 'real_time'  # hardware knows no other
    node = start(name, gear)
    count = speak(node, sorts)
    assert set(count) == {heard.topic_name.lstrip('/') for heard in node.subscriptions}
    assert all(number > 10 for number in count.values()), count
    if name == 'monitor':  # what others count and tell in words it takes as it is, or not at all
        assert {'/diagnostics', 'reset/state', 'safety/state'} <= set(node.guard.caught)
        node.guard.caught.clear()
    assert dict(node.guard.caught) == {}, node.guard.last
    node.report()


@pytest.mark.parametrize('name', ['safety', 'estimator', 'reset', 'policy'])
def test_it_goes_on_after_bytes_that_are_no_message_came_by_the_middleware(
    bench: Any, name: str, start: Any, sample_of: Any
) -> None:
    node = start(name, 'real_time')
    heard = {heard.topic_name.lstrip('/') for heard in node.subscriptions}
    spoken = [topic for topic in topics.TABLE if topic.name in heard]
    for topic in spoken:
        for data in (b'', b'\0', b'\0\1\0\0', b'\0\1\0\0\1\0\0\0', b'\xff' * 100):
            bench.say(topic, data)
            bench.settle(1)
    # of each part of a sample four are too short for a stamp; what is left is a sample of nonsense
    wrong = 4 * 3 + 1
    bench.until(lambda: node._samples.dropped == wrong, 'all of them are refused')
    bench.sense(sample_of(time_ns=25_000_000))
    bench.until(lambda: node._samples._noted[-1] == 25_000_000, 'what is right is heard')
    bench.settle(5)
    assert node._samples.dropped == wrong
