"""Where the robot is and how fast it moves, from its own sensors, once a sensor sample.

Attitude comes from the IMU, contact from the feet's load, velocity from the IMU corrected by the
feet that stand, position by adding up. Position z is the height above the ground under the feet.
Position and yaw drift, for nothing outside the robot is seen.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from quad_learner.estimation import body_kernels
from quad_learner.estimation.attitude import AttitudeFilter
from quad_learner.estimation.config import EstimatorConfig
from quad_learner.estimation.contact import ContactDetector
from quad_learner.estimation.velocity import VelocityFilter
from quad_learner.robot.kinematics import LegKinematics, LegState
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import NANOSECONDS, Estimate, SensorSample

Array = NDArray[np.float64]

_GRAVITY = 9.81
"""[m/s²] turns the robot's mass into its weight."""
_IMPOSSIBLE = 1e5
"""No sensor of a robot reads as much in SI units: a foot's impact stays below 1e4 N."""
_UNIT = np.eye(3)
_UNIT.setflags(write=False)
_UNIT_TOLERANCE = 0.1
"""Of a quaternion's squared length: single precision on the way keeps it far closer to 1."""


class Estimator:
    """The estimator as one object: samples in, estimates out. Nothing in it raises."""

    def __init__(self, robot: RobotModel, config: EstimatorConfig) -> None:
        """Reads the robot's URDF.

        Raises:
            ConfigurationError: the URDF lacks a joint or link that the robot file names.
        """
        self._robot = robot
        self._config = config
        self._kinematics = LegKinematics(robot)
        self._attitude = AttitudeFilter(config)
        self._contact = ContactDetector(robot, config, self._kinematics.mass * _GRAVITY)
        self._velocity = VelocityFilter(config)
        joints, feet = (len(robot.joints),), (len(robot.feet),)
        self._shapes = (joints, joints, joints, (4,), (3,), (3,), feet)
        self.reset()

    def reset(self) -> None:
        """Forgets everything: the next sample is a first one, at the origin of `odom`."""
        self._last: Estimate | None = None
        self._advanced_ns = 0
        self._ill_until_ns = 0
        self._kinematics.reset()
        self._contact.reset()
        self._velocity = VelocityFilter(self._config)

    def update(self, sample: SensorSample) -> Estimate:
        """Returns the estimate at `sample`. Never raises.

        A sample that is not newer than the last one changes nothing and returns the last estimate;
        one with a number that is not finite is skipped and makes the estimate unhealthy.
        """
        last = self._last
        if last is not None and sample.time_ns <= last.time_ns:
            return last
        if not self._usable(sample):
            return self._unusable(sample)
        if last is None:
            self._restart(sample)
            self._last = self._estimate(sample, sample.angular_velocity, healthy=True)
        else:
            self._last = self._advance(sample, (sample.time_ns - self._advanced_ns) / NANOSECONDS)
        self._advanced_ns = sample.time_ns
        return self._last

    def _advance(self, sample: SensorSample, dt: float) -> Estimate:
        if dt > self._config.gap_max_s:
            self._restart(sample)
            self._fall_ill(sample)
            return self._estimate(sample, sample.angular_velocity, healthy=False)
        attitude, velocity = self._attitude, self._velocity
        rate = attitude.update(sample.orientation, sample.angular_velocity, dt)
        legs = self._kinematics.solve(sample.joint_position, sample.joint_velocity)
        now = attitude.now
        velocity.predict(sample.specific_force, attitude.midway, dt)
        trust = self._contact.update(sample, legs, now[2], dt)
        if legs.solved:
            velocity.correct(self._told_by_feet(legs, rate, now), trust, now)
            self._settle_height(legs, trust, now[2], dt)
        velocity.assume_still(now)
        healthy = self._sound(sample) and legs.solved and attitude.agrees
        return self._estimate(sample, rate, healthy)

    def _told_by_feet(self, legs: LegState, rate: Array, now: Array) -> Array:
        """Returns the IMU's velocity if each foot stood [m/s], world frame, (feet, 3).

        A foot stands where its sphere touches the ground, one radius below its centre.
        """
        told = np.empty_like(legs.position)
        body_kernels.told_by_feet(
            legs.position,
            legs.velocity,
            legs.angular_velocity,
            rate,
            now,
            self._robot.imu_offset,
            self._robot.foot_radius,
            told,
        )
        return told

    def _settle_height(self, legs: LegState, trust: Array, up: Array, dt: float) -> None:
        """Draws position z to the height above the feet that stand; `up`: in the body frame."""
        share = min(1.0, dt / self._config.height_time_s)
        body_kernels.settle_height(
            legs.position, trust, up, self._robot.foot_radius, share, self._velocity.position
        )

    def _restart(self, sample: SensorSample) -> None:
        """Starts anew from `sample` at rest, keeping only the position."""
        self._attitude.restart(sample.orientation)
        self._contact.reset()
        self._velocity.restart()

    def _fall_ill(self, sample: SensorSample) -> None:
        recovery = round(self._config.recovery_s * NANOSECONDS)
        self._ill_until_ns = sample.time_ns + recovery

    def _sound(self, sample: SensorSample) -> bool:
        """Returns whether the filter can be relied on; restarts the velocity if it ran away."""
        velocity = self._velocity
        if not body_kernels.is_below(velocity.velocity, self._config.speed_max_m_s):
            velocity.restart()
            self._fall_ill(sample)
            return False
        sure = velocity.velocity_variance <= self._config.velocity_deviation_max_m_s**2
        return sure and sample.time_ns >= self._ill_until_ns

    def _usable(self, sample: SensorSample) -> bool:
        """Returns whether every number is there and possible, and the orientation has a length."""
        parts = (
            sample.joint_position,
            sample.joint_velocity,
            sample.joint_effort,
            sample.orientation,
            sample.angular_velocity,
            sample.specific_force,
            sample.foot_force,
        )
        # What is compiled looks neither for lengths nor for types.
        if tuple(part.shape for part in parts) != self._shapes:
            return False
        if not all(part.dtype.char == 'd' and part.flags.c_contiguous for part in parts):
            return False
        length = float(sample.orientation.dot(sample.orientation))
        return body_kernels.are_below(*parts, _IMPOSSIBLE) and abs(length - 1.0) < _UNIT_TOLERANCE

    def _unusable(self, sample: SensorSample) -> Estimate:
        if self._last is None:
            return self._estimate(sample, np.zeros(3), healthy=False)
        self._last = dataclasses.replace(self._last, time_ns=sample.time_ns, healthy=False)
        return self._last

    def _estimate(self, sample: SensorSample, rate: Array, healthy: bool) -> Estimate:
        velocity = self._velocity
        position, velocity_body = np.empty(3), np.empty(3)
        body_kernels.of_root_link(
            velocity.position,
            velocity.velocity,
            rate,
            self._attitude.now,
            self._robot.imu_offset,
            position,
            velocity_body,
        )
        return Estimate(
            time_ns=sample.time_ns,
            position=position,
            orientation=self._attitude.orientation,
            velocity_body=velocity_body,
            angular_velocity=rate,
            position_covariance=velocity.position_variance * _UNIT,
            velocity_covariance=velocity.velocity_variance * _UNIT,
            contact=self._contact.contact,
            healthy=healthy,
        )
