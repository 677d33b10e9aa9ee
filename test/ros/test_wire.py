"""The short way and the long way must say and hear the same."""

from __future__ import annotations

import dataclasses
from array import array
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from nav_msgs.msg import Odometry
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Imu, JointState

from quad_learner.robot.model import RobotModel, load
from quad_learner.robot.signals import Estimate, SensorSample
from quad_learner.ros import messages, wire
from quad_learner.ros.messages import MessageError, NamedReader
from quad_learner.ros.wire import EstimateWire, SampleWire, TruthWire

Make = Callable[..., Any]
ROBOT = load('a1')
JOINTS, FEET = len(ROBOT.joints), len(ROBOT.feet)
ANY = st.floats(width=64)
STAMPS = st.integers(0, 2**31 * 10**9 - 1)


def numbers(*shape: int) -> st.SearchStrategy[Any]:
    return arrays.arrays(np.float64, shape, elements=ANY)


SAMPLES = st.builds(
    SensorSample,
    time_ns=STAMPS,
    joint_position=numbers(JOINTS),
    joint_velocity=numbers(JOINTS),
    joint_effort=numbers(JOINTS),
    orientation=numbers(4),
    angular_velocity=numbers(3),
    specific_force=numbers(3),
    foot_force=numbers(FEET),
)
ESTIMATES = st.builds(
    Estimate,
    time_ns=STAMPS,
    position=numbers(3),
    orientation=numbers(4),
    velocity_body=numbers(3),
    angular_velocity=numbers(3),
    position_covariance=numbers(3, 3),
    velocity_covariance=numbers(3, 3),
    contact=st.just(np.zeros(FEET, np.bool_)),
    healthy=st.booleans(),
)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Lets nothing take the long way, but in the tests that are about it."""
    if 'long_way' not in request.fixturenames:
        monkeypatch.setattr(wire, 'message_of', None)


@pytest.fixture
def long_way() -> None:
    """Lets messages take the long way."""


def same(left: Any, right: Any) -> None:
    """Compares to the bit, NaN and the sign of zero included."""
    assert np.asarray(left).tobytes() == np.asarray(right).tobytes()


def said(data: bytes, message: Any) -> None:
    """Compares bytes with a message, by all the numbers and words in it."""
    heard = deserialize_message(data, type(message))
    assert repr(heard) == repr(deserialize_message(serialize_message(message), type(message)))


def joint_state(time_ns: int, names: Any, position: Any, velocity: Any, effort: Any) -> JointState:
    message = JointState(name=list(names))
    message.header.stamp = messages.stamp_to(time_ns)
    for field, values in (('position', position), ('velocity', velocity), ('effort', effort)):
        setattr(message, field, array('d', np.asarray(values, np.float64).tobytes()))
    return message


def inertial(sample: SensorSample) -> Imu:
    message = Imu()
    message.header.stamp = messages.stamp_to(sample.time_ns)
    message.header.frame_id = 'imu_link'
    fill(message.orientation, 'xyzw', sample.orientation)
    fill(message.angular_velocity, 'xyz', sample.angular_velocity)
    fill(message.linear_acceleration, 'xyz', sample.specific_force)
    return message


def truth(time_ns: int, position: Any, orientation: Any, velocity: Any) -> Odometry:
    message = Odometry(child_frame_id='base_link')
    message.header.stamp = messages.stamp_to(time_ns)
    message.header.frame_id = 'world'
    fill(message.pose.pose.position, 'xyz', position)
    fill(message.pose.pose.orientation, 'xyzw', orientation)
    fill(message.twist.twist.linear, 'xyz', velocity)
    return message


def fill(part: Any, fields: str, values: Any) -> None:
    for field, value in zip(fields, values, strict=True):
        setattr(part, field, float(value))


def named(sample: SensorSample, robot: RobotModel = ROBOT) -> JointState:
    return joint_state(
        sample.time_ns,
        robot.joints,
        sample.joint_position,
        sample.joint_velocity,
        sample.joint_effort,
    )


@given(sample=SAMPLES)
def test_a_sample_is_said_and_heard_as_by_the_long_way(sample: SensorSample) -> None:
    short = SampleWire(ROBOT)
    joints, feet, imu = short.joints_to(sample), short.feet_to(sample), short.imu_to(sample)
    said(joints, named(sample))
    said(feet, joint_state(sample.time_ns, ROBOT.feet, (), (), sample.foot_force))
    said(imu, inertial(sample))
    reader, message = NamedReader(ROBOT.joints), deserialize_message(joints, JointState)
    for value, field in zip(
        short.joints_from(joints), ('position', 'velocity', 'effort'), strict=True
    ):
        same(value, reader.read(message, field))
    same(short.feet_from(feet), sample.foot_force)
    long = messages.imu_from(deserialize_message(imu, Imu))
    for value, expected in zip(short.imu_from(imu), long, strict=True):
        same(value, expected)


@given(estimate=ESTIMATES)
def test_an_estimate_is_said_and_heard_as_by_the_long_way(estimate: Estimate) -> None:
    short = EstimateWire(ROBOT)
    data = short.odometry_to(estimate)
    said(data, messages.odometry_to(estimate))
    heard = short.odometry_from(data)
    long = messages.odometry_from(deserialize_message(data, Odometry), FEET)
    for field in dataclasses.fields(Estimate):
        same(getattr(heard, field.name), getattr(long, field.name))


@given(time_ns=STAMPS, position=numbers(3), orientation=numbers(4), velocity=numbers(3))
def test_the_truth_is_said_as_by_the_long_way(
    time_ns: int, position: Any, orientation: Any, velocity: Any
) -> None:
    data = TruthWire().truth_to(time_ns, position, orientation, velocity)
    said(data, truth(time_ns, position, orientation, velocity))


def test_joints_in_another_order_or_with_others_are_matched_by_name(
    long_way: None, sample_of: Make
) -> None:
    values = np.random.default_rng(0).standard_normal((3, JOINTS))
    names = {'joint_position': values[0], 'joint_velocity': values[1], 'joint_effort': values[2]}
    sample = sample_of(**names)
    backwards = joint_state(0, ROBOT.joints[::-1], *(v[::-1] for v in values))
    more = joint_state(0, (*ROBOT.joints, 'tail'), *(np.append(v, 9.0) for v in values))
    for message in (backwards, more, named(sample)):
        heard = SampleWire(ROBOT).joints_from(bytes(serialize_message(message)))
        for value, expected in zip(heard, values, strict=True):
            same(value, expected)


def test_what_fills_gaps_in_a_message_means_nothing(long_way: None, sample_of: Make) -> None:
    sample = sample_of(angular_velocity=np.array([1.0, 2.0, 3.0]))
    short = SampleWire(ROBOT)
    data = bytearray(short.imu_to(sample))
    gap = data.index(b'imu_link\0') + len(b'imu_link\0')
    data[gap : gap + 3] = b'xyz'
    same(short.imu_from(bytes(data))[1], sample.angular_velocity)


def test_an_imu_of_another_name_or_covariance_is_read(long_way: None, sample_of: Make) -> None:
    sample = sample_of(angular_velocity=np.array([1.0, 2.0, 3.0]))
    message = inertial(sample)
    message.header.frame_id = 'trunk_imu'
    message.orientation_covariance = np.arange(9.0)
    heard = SampleWire(ROBOT).imu_from(bytes(serialize_message(message)))
    same(heard[1], sample.angular_velocity)
    same(heard[2], sample.specific_force)


def test_odometry_of_another_name_is_read(long_way: None, estimate_of: Make) -> None:
    message = messages.odometry_to(estimate_of(position=np.array([1.0, 2.0, 3.0])))
    message.child_frame_id = 'trunk'
    heard = EstimateWire(ROBOT).odometry_from(bytes(serialize_message(message)))
    same(heard.position, [1.0, 2.0, 3.0])


def test_joints_and_feet_of_another_robot_are_refused(long_way: None) -> None:
    elbow = bytes(
        serialize_message(joint_state(0, ('elbow',), np.ones(1), np.ones(1), np.ones(1)))
    )
    short = SampleWire(ROBOT)
    with pytest.raises(MessageError, match=r'must be named exactly once, names are .*elbow'):
        short.joints_from(elbow)
    with pytest.raises(MessageError, match=r'must be named exactly once, names are .*elbow'):
        short.feet_from(elbow)


def test_fewer_numbers_than_names_are_refused(long_way: None, sample_of: Make) -> None:
    message = named(sample_of())
    message.velocity = message.velocity[:-1]
    with pytest.raises(MessageError, match='velocity holds 11 numbers for 12 names'):
        SampleWire(ROBOT).joints_from(bytes(serialize_message(message)))


@pytest.mark.parametrize('length', [0, 3, 20])
def test_torn_bytes_are_refused(long_way: None, sample_of: Make, length: int) -> None:
    short = SampleWire(ROBOT)
    with pytest.raises(MessageError, match='bytes that are no Imu'):
        short.imu_from(short.imu_to(sample_of())[:length])
    with pytest.raises(MessageError, match='bytes that are no Odometry'):
        EstimateWire(ROBOT).odometry_from(b'\0\1\0\0'[:length])
