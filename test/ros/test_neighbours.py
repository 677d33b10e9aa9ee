"""Whose graph a message is from: the same by its bytes and by the message."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from nav_msgs.msg import Odometry
from rclpy.serialization import deserialize_message, serialize_message
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import BatteryState, Imu, JointState
from std_msgs.msg import Float32MultiArray, Float64, Float64MultiArray, UInt8MultiArray

from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import Health
from quad_learner.ros import topics
from quad_learner.ros.diagnostics import OK, status
from quad_learner.ros.messages import battery_to
from quad_learner.ros.neighbours import Neighbours, bears, robot_in, robot_of
from quad_learner.ros.packed import Progress, Records, progress_to
from quad_learner.ros.wire import EstimateWire, SampleWire, TruthWire

NAMES = ('', 'left', 'Bär-2')


@pytest.fixture(params=NAMES)
def said(
    request: pytest.FixtureRequest,
    robot: RobotModel,
    sample_of: Any,
    estimate_of: Any,
    target_of: Any,
    command_of: Any,
    transition_of: Any,
    end_of: Any,
) -> tuple[str, list[tuple[type[Any], bytes]]]:
    """Returns a robot's name, and one of each message of its graph that bears it."""
    name = request.param
    own = dataclasses.replace(robot, identity=name)
    wire, records = SampleWire(own), Records(own, 5)
    health, truth = Health(1, 24.0, 0.5, np.full(12, 30.0)), TruthWire(name)
    objects = (
        battery_to(health, name),
        records.temperature_to(health),
        records.episode_to(end_of()),
        progress_to(Progress(1, 2, 3, 4), name),
    )
    return name, [
        (JointState, wire.joints_to(sample_of())),
        (JointState, wire.feet_to(sample_of())),
        (Imu, wire.imu_to(sample_of())),
        (Odometry, EstimateWire(own).odometry_to(estimate_of())),
        (Odometry, truth.truth_to(0, np.zeros(3), np.array((0.0, 0.0, 0.0, 1.0)), np.zeros(3))),
        (Float64MultiArray, records.target_to(target_of())),
        (Float64MultiArray, records.command_to(command_of())),
        (Float64MultiArray, records.contact_to(estimate_of())),
        (Float32MultiArray, records.transition_to(transition_of())),
        *((type(message), bytes(serialize_message(message))) for message in objects),
    ]


def test_each_message_bears_the_name_of_its_robot(
    said: tuple[str, list[tuple[type[Any], bytes]]],
) -> None:
    name, messages = said
    for kind, data in messages:
        assert bears(kind)
        assert robot_in(data, kind) == name, kind
        assert robot_of(deserialize_message(data, kind)) == name, kind


@pytest.mark.parametrize('name', NAMES)
def test_a_state_bears_the_name_too(name: str) -> None:
    assert robot_of(status('safety', OK, 'STANDBY', {}, name)) == name


def test_what_bears_no_name_is_known() -> None:
    assert {topic.type for topic in topics.TABLE if not bears(topic.type)} == {
        Float64,
        Clock,
        topics.DIAGNOSTICS.type,  # each status of it bears one
    }


@pytest.mark.parametrize('kind', [JointState, BatteryState, Float64MultiArray, UInt8MultiArray])
def test_bytes_that_are_no_message_are_nobodys_and_raise_nothing(kind: type[Any]) -> None:
    generator = np.random.default_rng(0)
    for size in range(64):
        for _ in range(20):
            robot_in(b'\0\1' + generator.bytes(size), kind)
    assert robot_in(b'', kind) == ''


def test_who_speaks_later_than_long_ago_is_no_longer_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, met, taken = [0], list[str](), list[Any]()
    monkeypatch.setattr('quad_learner.ros.neighbours.steady_ns', lambda: now[0])
    neighbours = Neighbours('left', met.append)
    hear: Callable[[Any], None] = neighbours.only_ours('odom', Odometry, False, taken.append)
    message = Odometry()
    for frame in ('right/odom', 'right/odom', 'left/odom', 'odom'):
        message.header.frame_id = frame
        hear(message)
    assert (len(taken), met, neighbours.dropped) == (1, ['right', ''], 3)
    assert neighbours.heard() == ['', 'right']
    assert neighbours.known('odom') == 2
    now[0] = 2_000_000_001
    assert neighbours.heard() == []
    neighbours.forget('odom')
    assert neighbours.known('odom') == 0


def test_made_up_names_are_kept_and_told_to_a_number_and_dropped_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, met, taken = [0], list[str](), list[Any]()
    monkeypatch.setattr('quad_learner.ros.neighbours.steady_ns', lambda: now[0])
    neighbours = Neighbours('left', met.append)
    hear: Callable[[Any], None] = neighbours.only_ours('odom', Odometry, False, taken.append)
    message = Odometry()

    def speak(name: str) -> None:
        message.header.frame_id = f'{name}/odom'
        hear(message)

    for number in range(10_000):
        speak(f'{number:05}' + 'x' * 1000)
    assert neighbours.heard() == [f'{number:05}' + 'x' * 59 for number in range(32)]
    assert met == neighbours.heard()
    assert (neighbours.dropped, neighbours.unnamed) == (10_000, 10_000 - 32)
    assert neighbours.known('odom') == 32
    speak('left')
    assert len(taken) == 1
    # When they have fallen silent others are known by name again; the log has enough of them.
    now[0] = 2_000_000_001
    speak('right')
    assert neighbours.heard() == ['right']
    assert neighbours.known('odom') == 1
    assert len(met) == 32
