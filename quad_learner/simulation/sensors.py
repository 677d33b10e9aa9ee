"""The sensors: what the robot reads of what is true.

An inertial sensor with an anti-alias filter reports means over its sample period, so the specific
force is the change of velocity over the period less gravity, in the body frame. Each reading has
white noise; offsets walk; roll and pitch err by a slow wandering angle and yaw by one that grows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quad_learner.robot import rotations
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import SensorSample
from quad_learner.simulation.config import SimulationConfig

Array = NDArray[np.float64]

_AXES = 3
"""Axes of space."""


@dataclass(frozen=True)
class Reading:
    """The true quantities behind one sample."""

    time_ns: int
    joint_position: Array
    """[rad], (joints,)"""
    joint_velocity: Array
    """[rad/s], (joints,)"""
    joint_effort: Array
    """mean over the sample period [N·m], (joints,)"""
    orientation: tuple[float, float, float, float]
    """world_from_body quaternion x, y, z, w"""
    angular_velocity: Array
    """body frame, mean over the sample period [rad/s], (3,)"""
    specific_force: Array
    """body frame at the sensor, mean over the sample period [m/s²], (3,)"""
    foot_force: Array
    """mean over the sample period [N], (feet,)"""


class Sensors:
    """Turns what is true into what is read."""

    def __init__(
        self, robot: RobotModel, config: SimulationConfig, generator: np.random.Generator
    ) -> None:
        """Draws the offsets that a unit has from the start.

        Args:
            robot: which sensors there are and how often they are read.
            config: the size of each error.
            generator: draws every error.
        """
        self._config = config
        self._generator = generator
        self._joints = len(robot.joints)
        self._has_foot_force = robot.has_foot_force
        period = 1.0 / robot.command_hz
        self._gyro_walk = config.gyro_bias_walk * math.sqrt(period)
        self._force_walk = config.accelerometer_bias_walk * math.sqrt(period)
        # Roll and pitch wander but keep their deviation: x ← a x + √(1 − a²) σ n. Yaw adds up.
        keep = math.exp(-period / config.tilt_error_time_s)
        fresh = math.sqrt(1.0 - keep * keep) * config.tilt_error_rad
        self._keep = np.array((keep, keep, 1.0))
        self._fresh = np.array((fresh, fresh, config.yaw_drift * math.sqrt(period)))
        self._gyro_bias = config.gyro_bias_rad_s * generator.standard_normal(_AXES)
        self._force_bias = config.accelerometer_bias_m_s2 * generator.standard_normal(_AXES)
        self._attitude_error = np.zeros(_AXES)
        self._attitude_error[:2] = config.tilt_error_rad * generator.standard_normal(2)

    def read(self, truth: Reading) -> SensorSample:
        """Returns the sample made of `truth`, which is one sample period after the last."""
        config, joints = self._config, self._joints
        noise = self._generator.standard_normal(3 * joints + 6 * _AXES + truth.foot_force.size)
        of_joints = noise[: 3 * joints].reshape(3, joints)
        of_body = noise[3 * joints : 3 * joints + 6 * _AXES].reshape(6, _AXES)
        feet = truth.foot_force + config.foot_force_noise_n * noise[3 * joints + 6 * _AXES :]
        self._wander(of_body[3:])
        gyro = truth.angular_velocity + self._gyro_bias + config.gyro_noise_rad_s * of_body[0]
        force = truth.specific_force + self._force_bias
        return SensorSample(
            time_ns=truth.time_ns,
            joint_position=self._quantised(
                truth.joint_position + config.encoder_noise_rad * of_joints[0]
            ),
            joint_velocity=truth.joint_velocity + config.velocity_noise_rad_s * of_joints[1],
            joint_effort=truth.joint_effort + config.effort_noise_nm * of_joints[2],
            orientation=self._orientation(truth.orientation, of_body[2]),
            angular_velocity=gyro,
            specific_force=force + config.accelerometer_noise_m_s2 * of_body[1],
            foot_force=np.maximum(feet, 0.0) if self._has_foot_force else np.zeros_like(feet),
        )

    def _wander(self, steps: Array) -> None:
        """Moves the slow errors on by one sample period, driven by `steps`, (3, 3)."""
        self._gyro_bias = self._gyro_bias + self._gyro_walk * steps[0]
        self._force_bias = self._force_bias + self._force_walk * steps[1]
        self._attitude_error = self._keep * self._attitude_error + self._fresh * steps[2]

    def _orientation(self, truth: tuple[float, float, float, float], noise: Array) -> Array:
        error = self._attitude_error + self._config.orientation_noise_rad * noise
        yaw = rotations.quaternion_from_rotation_vector((0.0, 0.0, error[2]))
        tilt = rotations.quaternion_from_rotation_vector((error[0], error[1], 0.0))
        turned = rotations.multiply(rotations.multiply(yaw, truth), tilt)
        return np.array(rotations.normalised(turned))

    def _quantised(self, angle: Array) -> Array:
        step = self._config.encoder_resolution_rad
        return np.round(angle / step) * step if step > 0.0 else angle
