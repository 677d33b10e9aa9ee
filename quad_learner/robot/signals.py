"""The signals that pass between the parts: what is sensed, estimated, wanted and sent.

Every array is in the joint order of `RobotModel.joints` or the foot order of `RobotModel.feet`.
SI units; quaternions are x, y, z, w and rotate body vectors into the world (`world_from_body`).
`time_ns` is the stamp of the sensor sample that a signal belongs to [ns]: simulated time in
lockstep, the steady clock otherwise. The arrays of a signal are not written to after it is built.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quad_learner.safety.modes import Authority, Mode, Reason

Array = NDArray[np.float64]
NANOSECONDS = 1_000_000_000
"""Nanoseconds in a second."""


@dataclass(frozen=True)
class SensorSample:
    """Everything the robot measures at its sensor rate, taken at one instant."""

    time_ns: int
    joint_position: Array
    """[rad], (joints,)"""
    joint_velocity: Array
    """[rad/s], (joints,)"""
    joint_effort: Array
    """Measured or commanded motor torque [N·m], (joints,)"""
    orientation: Array
    """world_from_body quaternion x, y, z, w, (4,), unit length"""
    angular_velocity: Array
    """body frame [rad/s], (3,); the mean over the sample period"""
    specific_force: Array
    """body frame [m/s²], (3,); rest reads +9.81 on z; the mean over the sample period"""
    foot_force: Array
    """normal force at each foot [N], (feet,); zeros where the robot has no such sensor"""


@dataclass(frozen=True)
class Health:
    """What the robot measures slowly: its battery and its motors' warmth."""

    time_ns: int
    battery_voltage: float
    """[V]"""
    battery_charge: float
    """fraction of full, 0 to 1"""
    motor_temperature: Array
    """[°C], (joints,)"""


@dataclass(frozen=True)
class Estimate:
    """Where the robot believes it is, by its own sensors alone: `position` and yaw drift."""

    time_ns: int
    position: Array
    """of the body in `odom` [m], (3,)"""
    orientation: Array
    """world_from_body quaternion x, y, z, w, (4,)"""
    velocity_body: Array
    """linear velocity in the body frame [m/s], (3,)"""
    angular_velocity: Array
    """body frame [rad/s], (3,)"""
    position_covariance: Array
    """[m²], (3, 3)"""
    velocity_covariance: Array
    """of `velocity_body` [m²/s²], (3, 3)"""
    contact: NDArray[np.bool_]
    """foot on the ground, (feet,)"""
    healthy: bool
    """False: do not learn from it and do not drive by it"""


@dataclass(frozen=True)
class JointTarget:
    """What policy or reset wants the joints to do. Only safety decides whether they will."""

    time_ns: int
    source: Authority
    request: int
    """0: no wish to drive. k > 0: the k-th session asked for; a stop voids the session, and only a
    higher number asks anew (an edge, so that a stuck sender cannot re-arm the robot)."""
    position: Array
    """[rad], (joints,)"""
    kp: Array
    """[N·m/rad], (joints,)"""
    kd: Array
    """[N·m·s/rad], (joints,)"""


@dataclass(frozen=True)
class JointCommand:
    """What safety sends to the motors, for whom: torque = kp (q* − q) − kd q̇ + effort."""

    time_ns: int
    """stamp of the sensor sample that the command answers"""
    epoch: int
    """drawn anew each time the safety process starts"""
    sequence: int
    """strictly rising within an epoch"""
    lifetime_ns: int
    """the robot falls back to damping when the command is older than this [ns]"""
    joints_hash: int
    """`RobotModel.joints_hash`: refuses a command meant for other joints or another order"""
    mode: Mode
    authority: Authority
    request: int
    """the session of `authority` that is driving, 0 when nobody is"""
    reasons: Reason
    position: Array
    """[rad], (joints,)"""
    kp: Array
    """[N·m/rad], (joints,)"""
    kd: Array
    """[N·m·s/rad], (joints,)"""
    effort: Array
    """feed-forward torque [N·m], (joints,)"""
