from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import Quaternion, Vector3
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import Imu, JointState

from quad_learner.robot.signals import Health
from quad_learner.ros import messages
from quad_learner.ros.messages import MessageError, NamedReader
from quad_learner.task.workspace import Place

NAMES = ('hip', 'knee', 'ankle')
Make = Callable[..., Any]


def joints(*names: str, **fields: Any) -> JointState:
    message = JointState(name=list(names))
    for field, values in fields.items():
        setattr(message, field, [float(v) for v in values])
    return message


@pytest.fixture
def reader() -> NamedReader:
    return NamedReader(NAMES)


def test_joints_are_matched_by_name_and_never_by_place(reader: NamedReader) -> None:
    shuffled = joints('ankle', 'hip', 'knee', position=(3, 1, 2), velocity=(30, 10, 20))
    assert reader.read(shuffled, 'position').tolist() == [1.0, 2.0, 3.0]
    assert reader.read(shuffled, 'velocity').tolist() == [10.0, 20.0, 30.0]


def test_a_sender_may_change_its_order_and_have_more_joints(reader: NamedReader) -> None:
    assert reader.read(joints(*NAMES, position=(1, 2, 3)), 'position').tolist() == [1, 2, 3]
    more = joints('tail', 'knee', 'hip', 'ankle', position=(9, 2, 1, 3))
    assert reader.read(more, 'position').tolist() == [1, 2, 3]
    assert reader.read(joints(*NAMES, position=(4, 5, 6)), 'position').tolist() == [4, 5, 6]


@pytest.mark.parametrize(
    'names, words',
    [
        ((), "'hip' must be named exactly once"),
        (('hip', 'knee'), "'ankle' must be named exactly once"),
        (('hip', 'knee', 'ankle', 'knee'), "'knee' must be named exactly once"),
    ],
)
def test_a_joint_that_is_missing_or_there_twice_is_refused(
    reader: NamedReader, names: tuple[str, ...], words: str
) -> None:
    with pytest.raises(MessageError, match=words):
        reader.read(joints(*names, position=[0.0] * len(names)), 'position')


def test_one_refusal_does_not_make_the_next_message_wrong(reader: NamedReader) -> None:
    reader.read(joints(*NAMES, position=(1, 2, 3)), 'position')
    with pytest.raises(MessageError):
        reader.read(joints('hip', position=(1,)), 'position')
    with pytest.raises(MessageError):
        reader.read(joints('hip', position=(1,)), 'position')
    assert reader.read(joints(*NAMES, position=(4, 5, 6)), 'position').tolist() == [4, 5, 6]


@pytest.mark.parametrize('values', [(), (1, 2), (1, 2, 3, 4)])
def test_more_or_fewer_numbers_than_names_are_refused(reader: NamedReader, values: Any) -> None:
    with pytest.raises(MessageError, match=f'position holds {len(values)} numbers for 3 names'):
        reader.read(joints(*NAMES, position=values), 'position')


def test_a_stamp_comes_back_to_the_nanosecond() -> None:
    message = joints()
    for time_ns in (0, 999_999_999, 1_000_000_000, 2**62 // 10**9):
        message.header.stamp = messages.stamp_to(time_ns)
        assert messages.stamp_from(message) == time_ns


def test_inertial_values_are_read_in_their_order() -> None:
    message = Imu(
        orientation=Quaternion(x=0.1, y=0.2, z=0.3, w=0.9),
        angular_velocity=Vector3(x=1.0, y=-2.0, z=3.0),
        linear_acceleration=Vector3(x=0.5, y=0.25, z=9.75),
    )
    orientation, rate, force = messages.imu_from(message)
    assert orientation.tolist() == [0.1, 0.2, 0.3, 0.9]
    assert rate.tolist() == [1.0, -2.0, 3.0]
    assert force.tolist() == [0.5, 0.25, 9.75]


@pytest.mark.parametrize('healthy', [True, False])
def test_an_estimate_comes_back_with_its_health(estimate_of: Make, healthy: bool) -> None:
    covariance = np.array([[4.0, 0.5, 0.25], [0.5, 5.0, 0.125], [0.25, 0.125, 6.0]])
    estimate = estimate_of(
        time_ns=123_456_789_012,
        position=np.array([1.0, 2.0, 3.0]),
        orientation=np.array([0.1, 0.2, 0.3, 0.9]),
        velocity_body=np.array([0.4, 0.5, 0.6]),
        angular_velocity=np.array([0.7, 0.8, 0.9]),
        position_covariance=covariance,
        velocity_covariance=covariance / 8.0,
        healthy=healthy,
    )
    odometry = messages.odometry_to(estimate)
    assert (odometry.header.frame_id, odometry.child_frame_id) == ('odom', 'base_link')
    back = messages.odometry_from(odometry, feet=4)
    assert back.time_ns == estimate.time_ns
    for name in ('position', 'orientation', 'velocity_body', 'angular_velocity'):
        np.testing.assert_array_equal(getattr(back, name), getattr(estimate, name))
    assert back.healthy is healthy
    if healthy:
        np.testing.assert_array_equal(back.position_covariance, covariance)
        np.testing.assert_array_equal(back.velocity_covariance, covariance / 8.0)


def test_the_battery_is_told_as_ros_expects_it() -> None:
    message = messages.battery_to(Health(7, 24.5, 0.75, np.zeros(12)))
    assert message.voltage == 24.5
    assert message.percentage == 0.75  # of one, as in sensor_msgs/BatteryState
    assert message.present


def test_a_place_comes_back_from_a_pose_however_the_body_leans() -> None:
    sent = messages.place_to(3_000_000_007, Place(1.5, -2.0, -2.5))
    stamp, place = messages.place_from(sent)
    assert stamp == 3_000_000_007
    assert place == pytest.approx((1.5, -2.0, -2.5))
    leaning = Rotation.from_euler('ZYX', (0.5, 0.3, -0.2)).as_quat()
    pose = sent.pose.orientation
    pose.x, pose.y, pose.z, pose.w = (1.005 * leaning).tolist()
    assert messages.place_from(sent)[1].yaw == pytest.approx(0.5)


def test_a_pose_in_another_frame_than_the_one_asked_for_is_refused() -> None:
    sent = messages.place_to(0, Place(1.0, 0.0, 0.0))
    assert messages.place_from(sent, 'world') == messages.place_from(sent)
    sent.header.frame_id = 'map'
    with pytest.raises(MessageError, match="in frame 'map', pose_frame is 'world'"):
        messages.place_from(sent, 'world')


@pytest.mark.parametrize('w', [0.0, 2.0, float('nan')])
def test_a_pose_without_a_rotation_is_refused(w: float) -> None:
    sent = messages.place_to(0, Place(0.0, 0.0, 0.0))
    sent.pose.orientation.w = w
    with pytest.raises(MessageError, match='external pose'):
        messages.place_from(sent)
