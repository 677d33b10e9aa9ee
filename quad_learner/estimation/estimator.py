"""Where the robot is and how fast it moves, from its own sensors, once a sensor sample.

Attitude comes from the IMU, contact from the feet's load, velocity from the IMU corrected by the
feet that stand, position by adding up. Position z is the height above the ground under the feet.
Position and yaw drift, for nothing outside the robot is seen.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from quad_learner.estimation.attitude import AttitudeFilter
from quad_learner.estimation.config import EstimatorConfig
from quad_learner.estimation.contact import ContactDetector
from quad_learner.estimation.velocity import FootVelocity, VelocityFilter
from quad_learner.robot import rotations
from quad_learner.robot.kinematics import LegKinematics, LegState
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import NANOSECONDS, Estimate, SensorSample

Array = NDArray[np.float64]

_GRAVITY = 9.81
"""[m/s²] turns the robot's mass into its weight."""


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
        self.reset()

    def reset(self) -> None:
        """Forgets everything: the next sample is a first one, at the origin of `odom`."""
        self._last: Estimate | None = None
        self._feet_before = np.zeros((len(self._robot.feet), 3))
        self._advanced_ns = 0
        self._restarted_ns = 0
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
        if not _usable(sample):
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
            return self._estimate(sample, sample.angular_velocity, healthy=False)
        attitude, velocity = self._attitude, self._velocity
        rate = np.array(attitude.update(sample.orientation, sample.angular_velocity, dt))
        legs = self._kinematics.solve(sample.joint_position, sample.joint_velocity)
        now = rotations.matrix_from_quaternion(attitude.orientation)
        middle = rotations.matrix_from_quaternion(attitude.middle)
        trust = self._contact.update(sample, legs, now[2], dt)
        velocity.predict(sample.specific_force, middle, dt)
        feet = (legs.position - self._robot.imu_offset) @ now.T
        if legs.solved and any(trust):
            told = self._told_by_feet(legs, rate, feet, now, dt)
            velocity.correct(FootVelocity(told, self._variances(trust)), middle, dt)
            self._settle_height(feet, trust, dt)
        else:
            velocity.assume_still(middle)
        self._feet_before = feet
        healthy = self._sound(sample) and legs.solved and attitude.agrees
        return self._estimate(sample, rate, healthy)

    def _told_by_feet(
        self, legs: LegState, rate: Array, feet: Array, now: Array, dt: float
    ) -> Array:
        """Returns the IMU's mean velocity if each foot stood [m/s], world, (feet, 3).

        A round foot rolls: its centre moves by the link's turning times its radius.
        """
        turning = (legs.angular_velocity + rate) @ now.T
        rolling = np.zeros_like(turning)
        rolling[:, 0] = turning[:, 1]
        rolling[:, 1] = -turning[:, 0]
        moved: Array = (feet - self._feet_before) / dt
        return self._robot.foot_radius * rolling - moved

    def _variances(self, trust: list[float]) -> list[float]:
        full, light = self._config.foot_noise_m_s, self._config.foot_lift_noise_m_s
        return [(full + light * (1.0 - t)) ** 2 / t if t > 0.0 else math.inf for t in trust]

    def _settle_height(self, feet: Array, trust: list[float], dt: float) -> None:
        radius = self._robot.foot_radius
        depth = sum(t * z for t, z in zip(trust, feet[:, 2].tolist(), strict=True)) / sum(trust)
        share = min(1.0, dt / self._config.height_time_s)
        self._velocity.settle_height(radius - depth, share)

    def _restart(self, sample: SensorSample) -> None:
        """Starts anew from `sample` at rest, keeping only the position."""
        self._attitude.restart(sample.orientation)
        self._contact.reset()
        self._velocity.restart()
        legs = self._kinematics.solve(sample.joint_position, sample.joint_velocity)
        now = rotations.matrix_from_quaternion(self._attitude.orientation)
        self._feet_before = (legs.position - self._robot.imu_offset) @ now.T
        self._restarted_ns = sample.time_ns

    def _sound(self, sample: SensorSample) -> bool:
        """Returns whether the filter can be relied on; restarts the velocity if it ran away."""
        velocity = self._velocity
        speed = float(np.abs(velocity.velocity).max())
        if not speed <= self._config.speed_max_m_s:
            velocity.restart()
            self._restarted_ns = sample.time_ns
            return False
        age = (sample.time_ns - self._restarted_ns) / NANOSECONDS
        sure = velocity.velocity_variance <= self._config.velocity_deviation_max_m_s**2
        return sure and age >= self._config.recovery_s

    def _unusable(self, sample: SensorSample) -> Estimate:
        if self._last is None:
            return self._estimate(sample, np.zeros(3), healthy=False)
        self._last = dataclasses.replace(self._last, time_ns=sample.time_ns, healthy=False)
        return self._last

    def _estimate(self, sample: SensorSample, rate: Array, healthy: bool) -> Estimate:
        body = rotations.matrix_from_quaternion(self._attitude.orientation)
        arm = self._robot.imu_offset
        velocity = self._velocity
        return Estimate(
            time_ns=sample.time_ns,
            position=velocity.position - body @ arm,
            orientation=np.array(self._attitude.orientation),
            velocity_body=velocity.velocity @ body - np.cross(rate, arm),
            angular_velocity=rate,
            position_covariance=velocity.position_variance * np.eye(3),
            velocity_covariance=velocity.velocity_variance * np.eye(3),
            contact=self._contact.contact,
            healthy=healthy,
        )


def _usable(sample: SensorSample) -> bool:
    total = (
        sample.joint_position.sum()
        + sample.joint_velocity.sum()
        + sample.joint_effort.sum()
        + sample.orientation.sum()
        + sample.angular_velocity.sum()
        + sample.specific_force.sum()
        + sample.foot_force.sum()
    )
    return math.isfinite(total)
