"""What stands between the graph's joints and a forward controller: names, order, signs, the law.

A hardware joint reads q_hw = sign q + offset; torques turn with the sign alone.

Effort interface: the spring and damper of a command are computed here; without one the joint is
damped.
    tau = clip(kp (q* − q) − kd q̇ + effort, ±tau_max)
    tau = clip(−kd_damping q̇, ±tau_max)
Position interface: the drive has a spring of its own and no damper that could be commanded. A
softer spring is had by asking for less: with s = min(1, kp / kp_stance) the drive is sent
    p = q + s (q* − q),   moving by no more than (v_yield + s (v_max − v_yield)) a second.
A joint that is let go (s = 0: no command, or a stop) thus gives way to what pushes it, at the
speed v_yield. That is the nearest to damping that a position interface has; it is not damping.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quad_learner.configuration import ConfigurationError
from quad_learner.robot.model import RobotModel
from quad_learner.robot.ros2_control_config import ALL_JOINTS, EFFORT, Ros2ControlConfig
from quad_learner.robot.signals import NANOSECONDS, JointCommand

Array = NDArray[np.float64]


@dataclass(frozen=True)
class JointReading:
    """What the encoders and motors say, in the robot's order, signs and zeros."""

    position: Array
    """[rad], (joints,)"""
    velocity: Array
    """[rad/s], (joints,)"""
    effort: Array
    """[N·m], (joints,)"""


class JointMap:
    """Translates between the robot file's joints and the hardware's."""

    def __init__(self, robot: RobotModel, config: Ros2ControlConfig) -> None:
        """Reads the names.

        Raises:
            ConfigurationError: two joints have one name, the controller's joints are not the
                robot's, or a list has another length than 1 or the number of joints.
        """
        self.hardware_names = tuple(_renamed(name, config.joint_renames) for name in robot.joints)
        """the hardware's name of each joint, in the robot's order"""
        _refuse_one_name_for_two(robot.joints, self.hardware_names, config.joint_renames)
        listed = config.controller_joints
        names = self.hardware_names if listed == (ALL_JOINTS,) else listed
        if sorted(names) != sorted(self.hardware_names):
            raise ConfigurationError(
                f'controller_joints = {list(listed)} must name each of '
                f'{list(self.hardware_names)} once (the joints of {robot.name} after '
                'joint_renames); correct either list'
            )
        self._to_controller = np.array([self.hardware_names.index(name) for name in names])
        self._to_robot = np.argsort(self._to_controller)
        self._sign = _one_a_joint('joint_signs', config.joint_signs, robot)
        self._offset = _one_a_joint('joint_offsets_rad', config.joint_offsets_rad, robot)

    def reading(self, position: Array, velocity: Array, effort: Array) -> JointReading:
        """Returns the hardware's numbers, ordered as `hardware_names`, in the robot's terms."""
        return JointReading(
            position=self._sign * (position - self._offset),
            velocity=self._sign * velocity,
            effort=self._sign * effort,
        )

    def position_out(self, position: Array) -> Array:
        """Returns joint positions [rad] as the controller takes them."""
        return np.asarray((self._sign * position + self._offset)[self._to_controller])

    def effort_out(self, effort: Array) -> Array:
        """Returns joint torques [N·m] as the controller takes them."""
        return np.asarray((self._sign * effort)[self._to_controller])

    def unordered(self, values: Array) -> Array:
        """Returns numbers in the controller's order, such as temperatures, in the robot's."""
        return np.asarray(values[self._to_robot])


class EffortLaw:
    """Torques for an effort interface."""

    def __init__(self, robot: RobotModel, joints: JointMap) -> None:
        self._robot = robot
        self._joints = joints

    def output(
        self, command: JointCommand | None, reading: JointReading | None, now_ns: int
    ) -> Array | None:
        """Returns what to send; without a fresh reading that is no torque at all.

        Args:
            command: the trusted one; None damps.
            reading: the newest, None if it is too old.
            now_ns: steady clock [ns]; this law does not need it.
        """
        if reading is None:
            return np.zeros(len(self._robot.joints))
        if command is None:
            torque = -self._robot.kd_damping * reading.velocity
        else:
            spring = command.kp * (command.position - reading.position)
            torque = spring - command.kd * reading.velocity + command.effort
        limit = self._robot.torque_max
        return self._joints.effort_out(np.clip(torque, -limit, limit))

    def farewell(self) -> Array | None:
        """Returns the last thing to send: forward controllers hold it for ever, so no torque."""
        return np.zeros(len(self._robot.joints))


class PositionLaw:
    """Positions for a position interface."""

    def __init__(self, robot: RobotModel, joints: JointMap, yield_speed: float) -> None:
        """Args:
        robot: gives limits and the stiffness that counts as that of the drives.
        joints: the translation.
        yield_speed: of a joint that is let go [rad/s].
        """
        self._robot = robot
        self._joints = joints
        self._yield_speed = yield_speed
        self._sent: Array | None = None
        self._sent_ns = 0

    def output(
        self, command: JointCommand | None, reading: JointReading | None, now_ns: int
    ) -> Array | None:
        """Returns what to send; None, so that the drives hold, without a fresh reading.

        Args:
            command: the trusted one; None lets go.
            reading: the newest, None if it is too old.
            now_ns: steady clock [ns].
        """
        if reading is None:
            return None
        robot = self._robot
        softness = np.zeros(len(robot.joints))
        wanted = reading.position
        if command is not None:
            softness = np.minimum(1.0, command.kp / robot.kp)
            wanted = reading.position + softness * (command.position - reading.position)
        before = reading.position if self._sent is None else self._sent
        # After a pause it goes on as if one command period had passed: no leap.
        period = 1.0 / robot.command_hz
        seconds = min(period, (now_ns - self._sent_ns) / NANOSECONDS) if self._sent_ns else period
        speed = self._yield_speed + softness * (robot.speed_max - self._yield_speed)
        reach = np.maximum(speed, self._yield_speed) * seconds
        moved = np.clip(wanted, before - reach, before + reach)
        self._sent = np.clip(moved, robot.position_min, robot.position_max)
        self._sent_ns = now_ns
        return self._joints.position_out(self._sent)

    def farewell(self) -> Array | None:
        """Returns the last thing to send: nothing, the drives hold where they are."""
        return None


Law = EffortLaw | PositionLaw


def law(robot: RobotModel, config: Ros2ControlConfig, joints: JointMap) -> Law:
    """Returns the law of the configured command interface."""
    if config.command_interface == EFFORT:
        return EffortLaw(robot, joints)
    return PositionLaw(robot, joints, config.yield_speed_rad_s)


def _renamed(name: str, renames: tuple[str, ...]) -> str:
    for entry in renames:
        ours, theirs = entry.split('=')
        name = name.replace(ours, theirs)
    return name


def _refuse_one_name_for_two(
    ours: tuple[str, ...], theirs: tuple[str, ...], renames: tuple[str, ...]
) -> None:
    """Raises ConfigurationError where two joints would be read, and moved, as one."""
    for name in theirs:
        named = [our for our, their in zip(ours, theirs, strict=True) if their == name]
        if len(named) > 1:
            raise ConfigurationError(
                f'joint_renames = {list(renames)} gives {" and ".join(named)} one name, {name!r}, '
                'but each joint needs its own; renames are taken one after the other, so to swap '
                'two names go by a third'
            )


def _one_a_joint(name: str, values: tuple[float, ...], robot: RobotModel) -> Array:
    if len(values) not in (1, len(robot.joints)):
        raise ConfigurationError(
            f'{name} holds {len(values)} numbers, but {robot.name} has {len(robot.joints)} '
            'joints: give one for all, or one a joint in the order of the robot file'
        )
    return np.broadcast_to(np.array(values), (len(robot.joints),)).copy()
