"""Conversions between signals and messages: `x_from(message)` and `x_to(...)`.

The topics of each tick are told as bytes (wire.py), and come here only if laid out by others.
What cannot be read raises MessageError with the reason; nodes count it and go on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import BatteryState, Imu, JointState

from quad_learner.robot.rotations import roll_pitch_yaw
from quad_learner.robot.signals import NANOSECONDS, Estimate, Health
from quad_learner.ros.neighbours import named
from quad_learner.task.workspace import Place

Array = NDArray[np.float64]
ODOM_FRAME = 'odom'
BODY_FRAME = 'base_link'
IMU_FRAME = 'imu_link'
WORLD_FRAME = 'world'
UNIT_TOLERANCE = 0.01
"""of a quaternion's length: what rounding in a camera's software comes to"""


class MessageError(ValueError):
    """A message that cannot be used; the text says why."""


def message_of(data: bytes, kind: type[Any]) -> Any:
    """Returns the message of type `kind` that was serialized to `data`.

    Raises:
        MessageError: the bytes are no such message.
    """
    try:
        return deserialize_message(data, kind)
    except RuntimeError as error:  # rclpy's own class has no public name
        raise MessageError(f'bytes that are no {kind.__name__}: {error}') from error


def stamp_to(time_ns: int) -> Time:
    """Returns `time_ns` [ns] as a ROS stamp."""
    return Time(sec=time_ns // NANOSECONDS, nanosec=time_ns % NANOSECONDS)


def stamp_from(message: Any) -> int:
    """Returns the stamp [ns] of a message with a header."""
    stamp = message.header.stamp
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)


class NamedReader:
    """Reads JointStates into a fixed order by name, remembering the order that the sender uses."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._seen: tuple[str, ...] | None = None
        self._order: NDArray[np.intp] | None = None

    def read(self, message: JointState, field: str) -> Array:
        """Returns `field` of `message` in this reader's order.

        Raises:
            MessageError: a name is missing or twice there, or the field has another length.
        """
        names = tuple(message.name)
        if names != self._seen:
            self._learn(names)
        values = np.array(getattr(message, field), dtype=np.float64)
        if values.shape != (len(names),):
            raise MessageError(f'{field} holds {values.size} numbers for {len(names)} names')
        return values if self._order is None else values[self._order]

    def _learn(self, names: tuple[str, ...]) -> None:
        missing = [name for name in self._names if names.count(name) != 1]
        if missing:
            raise MessageError(f'{missing[0]!r} must be named exactly once, names are {names}')
        self._order = (
            None if names == self._names else np.array([names.index(n) for n in self._names])
        )
        self._seen = names


def imu_from(message: Imu) -> tuple[Array, Array, Array]:
    """Returns orientation (4,), angular velocity (3,) and specific force (3,)."""
    return (
        _xyzw(message.orientation),
        _xyz(message.angular_velocity),
        _xyz(message.linear_acceleration),
    )


def odometry_to(estimate: Estimate, robot_id: str = '') -> Odometry:
    """Returns `estimate`: pose in `odom`, twist in the body frame, both the robot's."""
    message = Odometry()
    message.header.stamp = stamp_to(estimate.time_ns)
    message.header.frame_id = named(robot_id, ODOM_FRAME)
    message.child_frame_id = named(robot_id, BODY_FRAME)
    _set_xyz(message.pose.pose.position, estimate.position)
    _set_xyzw(message.pose.pose.orientation, estimate.orientation)
    _set_xyz(message.twist.twist.linear, estimate.velocity_body)
    _set_xyz(message.twist.twist.angular, estimate.angular_velocity)
    message.pose.covariance = full_covariance(estimate.position_covariance, estimate.healthy)
    message.twist.covariance = full_covariance(estimate.velocity_covariance, estimate.healthy)
    return message


UNHEALTHY_VARIANCE = -1.0
"""First element of the twist covariance when the estimate must not be used."""


def odometry_from(message: Odometry, feet: int) -> Estimate:
    """Returns the estimate in `message`; which feet touch is not in it (all False)."""
    pose, twist = message.pose.pose, message.twist.twist
    pose_covariance = np.array(message.pose.covariance).reshape(6, 6)[:3, :3]
    twist_covariance = np.array(message.twist.covariance).reshape(6, 6)[:3, :3]
    return Estimate(
        time_ns=stamp_from(message),
        position=_xyz(pose.position),
        orientation=_xyzw(pose.orientation),
        velocity_body=_xyz(twist.linear),
        angular_velocity=_xyz(twist.angular),
        position_covariance=pose_covariance,
        velocity_covariance=twist_covariance,
        contact=np.zeros(feet, np.bool_),
        healthy=bool(twist_covariance[0, 0] != UNHEALTHY_VARIANCE),
    )


def full_covariance(block: Array, healthy: bool) -> Array:
    """Returns a covariance of six coordinates, (36,); only `block`, (3, 3), of it is known."""
    full = np.zeros((6, 6))
    full[:3, :3] = block
    if not healthy:
        full[0, 0] = UNHEALTHY_VARIANCE
    return full.ravel()


def place_from(message: PoseStamped, frame: str = '') -> tuple[int, Place]:
    """Returns stamp [ns] and place of a body whose pose in the workspace is given.

    Args:
        message: the pose.
        frame: that it must be in; '': whatever it names is the workspace's.

    Raises:
        MessageError: it is in another frame, or the orientation is no rotation.
    """
    if frame and message.header.frame_id != frame:
        raise MessageError(
            f'external pose: in frame {message.header.frame_id!r}, pose_frame is {frame!r}'
        )
    orientation = _xyzw(message.pose.orientation)
    length = math.hypot(*orientation)
    if not abs(length - 1.0) < UNIT_TOLERANCE:
        raise MessageError(f'external pose: a quaternion of length {length:.3g}')
    yaw = roll_pitch_yaw(orientation / length)[2]
    position = message.pose.position
    return stamp_from(message), Place(position.x, position.y, yaw)


def place_to(time_ns: int, place: Place) -> PoseStamped:
    """Returns `place` as the pose of a level body."""
    message = PoseStamped()
    message.header.stamp = stamp_to(time_ns)
    message.header.frame_id = WORLD_FRAME
    message.pose.position.x, message.pose.position.y = place.x, place.y
    half = 0.5 * place.yaw
    message.pose.orientation.z, message.pose.orientation.w = math.sin(half), math.cos(half)
    return message


def battery_to(health: Health, robot_id: str = '') -> BatteryState:
    """Returns the battery part of `health`."""
    message = BatteryState()
    message.header.frame_id = named(robot_id, '')
    message.header.stamp = stamp_to(health.time_ns)
    message.voltage = float(health.battery_voltage)
    message.percentage = float(health.battery_charge)
    message.present = True
    return message


def _xyz(vector: Any) -> Array:
    return np.array((vector.x, vector.y, vector.z))


def _xyzw(quaternion: Any) -> Array:
    return np.array((quaternion.x, quaternion.y, quaternion.z, quaternion.w))


def _set_xyz(vector: Any, values: Array) -> None:
    vector.x, vector.y, vector.z = values.tolist()


def _set_xyzw(quaternion: Any, values: Array) -> None:
    quaternion.x, quaternion.y, quaternion.z, quaternion.w = values.tolist()
