"""Signals that are told each tick: to bytes and back, the short way by a frame where it fits.

They are messages as any sender serializes them. What another says differently
(joints in another order, another frame id) takes the long way and is read, or refused, there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from sensor_msgs.msg import Imu, JointState

from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import Estimate, SensorSample
from quad_learner.ros.frames import Frame, Layout, numbers_in, numbers_part, stamp_in, stamp_part
from quad_learner.ros.messages import (
    BODY_FRAME,
    IMU_FRAME,
    ODOM_FRAME,
    UNHEALTHY_VARIANCE,
    WORLD_FRAME,
    NamedReader,
    full_covariance,
    imu_from,
    message_of,
    odometry_from,
)
from quad_learner.ros.neighbours import named

Array = NDArray[np.float64]

COVARIANCE, POSE_COVARIANCE = 9, 36
"""numbers in a covariance of three and of six coordinates"""


class SampleWire:
    """The messages of a sensor sample of one robot."""

    def __init__(self, robot: RobotModel) -> None:
        own = robot.identity
        self._joints = Frame(_named(own, robot.joints, ('position', 'velocity', 'effort')))
        self._feet = Frame(_named(own, robot.feet, ('effort',)))
        imu = Layout().header(named(own, IMU_FRAME))
        for numbers in (4, 3, 3):
            imu.part(numbers).zeros(COVARIANCE)
        self._imu = Frame(imu)
        self._joint_reader = NamedReader(robot.joints)
        self._foot_reader = NamedReader(robot.feet)

    def joints_to(self, sample: SensorSample) -> bytes:
        """Returns `joint_states` of `sample`."""
        return self._joints.write(
            stamp_part(sample.time_ns),
            numbers_part(sample.joint_position),
            numbers_part(sample.joint_velocity),
            numbers_part(sample.joint_effort),
        )

    def joints_from(self, data: bytes) -> tuple[Array, Array, Array]:
        """Returns position [rad], velocity [rad/s] and effort [N·m] of the joints, in their order.

        Raises:
            MessageError: the message names other joints, or holds another number of values.
        """
        parts = self._joints.read(data)
        if parts is not None:
            return numbers_in(parts[1]), numbers_in(parts[2]), numbers_in(parts[3])
        message, read = message_of(data, JointState), self._joint_reader.read
        return read(message, 'position'), read(message, 'velocity'), read(message, 'effort')

    def feet_to(self, sample: SensorSample) -> bytes:
        """Returns `foot_contacts` of `sample`."""
        return self._feet.write(stamp_part(sample.time_ns), numbers_part(sample.foot_force))

    def feet_from(self, data: bytes) -> Array:
        """Returns the force at each foot [N], in their order.

        Raises:
            MessageError: the message names other feet, or holds another number of values.
        """
        parts = self._feet.read(data)
        if parts is not None:
            return numbers_in(parts[1])
        return self._foot_reader.read(message_of(data, JointState), 'effort')

    def imu_to(self, sample: SensorSample) -> bytes:
        """Returns `imu/data` of `sample`."""
        return self._imu.write(
            stamp_part(sample.time_ns),
            numbers_part(sample.orientation),
            numbers_part(sample.angular_velocity),
            numbers_part(sample.specific_force),
        )

    def imu_from(self, data: bytes) -> tuple[Array, Array, Array]:
        """Returns orientation (4,), angular velocity [rad/s] (3,) and specific force [m/s²] (3,).

        Raises:
            MessageError: the bytes are not an Imu.
        """
        parts = self._imu.read(data)
        if parts is not None:
            return numbers_in(parts[1]), numbers_in(parts[2]), numbers_in(parts[3])
        return imu_from(message_of(data, Imu))


class EstimateWire:
    """The message `odom`."""

    def __init__(self, robot: RobotModel) -> None:
        self._feet = len(robot.feet)
        own = robot.identity
        layout = Layout().header(named(own, ODOM_FRAME)).text(named(own, BODY_FRAME))
        for numbers in (3, 4, POSE_COVARIANCE, 3, 3, POSE_COVARIANCE):
            layout.part(numbers)
        self._frame = Frame(layout)

    def odometry_to(self, estimate: Estimate) -> bytes:
        """Returns `estimate` as `odom`."""
        return self._frame.write(
            stamp_part(estimate.time_ns),
            numbers_part(estimate.position),
            numbers_part(estimate.orientation),
            numbers_part(full_covariance(estimate.position_covariance, estimate.healthy)),
            numbers_part(estimate.velocity_body),
            numbers_part(estimate.angular_velocity),
            numbers_part(full_covariance(estimate.velocity_covariance, estimate.healthy)),
        )

    def odometry_from(self, data: bytes) -> Estimate:
        """Returns the estimate in `odom`; which feet touch is not in it (all False).

        Raises:
            MessageError: the bytes are not an Odometry.
        """
        parts = self._frame.read(data)
        if parts is None:
            return odometry_from(message_of(data, Odometry), self._feet)
        position, orientation, pose, linear, angular, twist = map(numbers_in, parts[1:])
        return Estimate(
            time_ns=stamp_in(parts[0]),
            position=position,
            orientation=orientation,
            velocity_body=linear,
            angular_velocity=angular,
            position_covariance=pose.reshape(6, 6)[:3, :3],
            velocity_covariance=twist.reshape(6, 6)[:3, :3],
            contact=np.zeros(self._feet, np.bool_),
            healthy=bool(twist[0] != UNHEALTHY_VARIANCE),
        )


class TruthWire:
    """The message `ground_truth/odom`."""

    def __init__(self, robot_id: str = '') -> None:
        layout = Layout().header(named(robot_id, WORLD_FRAME)).text(named(robot_id, BODY_FRAME))
        layout.part(3).part(4).zeros(POSE_COVARIANCE)
        layout.part(3).zeros(3 + POSE_COVARIANCE)
        self._frame = Frame(layout)

    def truth_to(
        self, time_ns: int, position: Array, orientation: Array, velocity_body: Array
    ) -> bytes:
        """Returns the true pose in `world` and velocity in the body frame, for scoring."""
        return self._frame.write(
            stamp_part(time_ns), *map(numbers_part, (position, orientation, velocity_body))
        )


def _named(robot_id: str, names: Sequence[str], fields: Sequence[str]) -> Layout:
    """Returns a JointState of `names` in which only `fields` hold numbers."""
    layout = Layout().header(named(robot_id, '')).whole(len(names))
    for name in names:
        layout.text(name)
    for field in ('position', 'velocity', 'effort'):
        if field in fields:
            layout.whole(len(names)).part(len(names))
        else:
            layout.whole(0)
    return layout
