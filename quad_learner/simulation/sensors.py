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
from quad_learner.simulation import kernels
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
        self._generator = generator
        self._resolution = config.encoder_resolution_rad
        self._has_foot_force = robot.has_foot_force
        period = 1.0 / robot.command_hz
        # Roll and pitch wander but keep their deviation: x ← a x + √(1 − a²) σ n. Yaw adds up.
        keep = math.exp(-period / config.tilt_error_time_s)
        fresh = math.sqrt(1.0 - keep * keep) * config.tilt_error_rad
        joints, feet = len(robot.joints), len(robot.feet)
        deviations = (
            np.full(joints, config.encoder_noise_rad),
            np.full(joints, config.velocity_noise_rad_s),
            np.full(joints, config.effort_noise_nm),
            np.full(_AXES, config.gyro_noise_rad_s),
            np.full(_AXES, config.accelerometer_noise_m_s2),
            np.full(_AXES, config.orientation_noise_rad),
            np.full(_AXES, config.gyro_bias_walk * math.sqrt(period)),
            np.full(_AXES, config.accelerometer_bias_walk * math.sqrt(period)),
            np.array((fresh, fresh, config.yaw_drift * math.sqrt(period))),
            np.full(feet, config.foot_force_noise_n),
        )
        # One draw and one product give the errors of all sensors, in the order of this row.
        self._deviation = np.concatenate(deviations)
        self._of_turn = slice(3 * joints + 2 * _AXES, 3 * joints + 3 * _AXES)
        self._gyro_bias = config.gyro_bias_rad_s * generator.standard_normal(_AXES)
        self._force_bias = config.accelerometer_bias_m_s2 * generator.standard_normal(_AXES)
        tilt = config.tilt_error_rad * generator.standard_normal(2)
        self._lean = np.array((keep, keep, 1.0, *tilt, 0.0))

    def read(self, truth: Reading) -> SensorSample:
        """Returns the sample made of `truth`, which is one sample period after the last."""
        error = self._deviation * self._generator.standard_normal(self._deviation.size)
        position = np.empty_like(truth.joint_position)
        velocity, effort = np.empty_like(position), np.empty_like(position)
        gyro, force, load = np.empty(_AXES), np.empty(_AXES), np.empty_like(truth.foot_force)
        kernels.sense(
            truth.joint_position,
            truth.joint_velocity,
            truth.joint_effort,
            truth.angular_velocity,
            truth.specific_force,
            truth.foot_force,
            error,
            self._gyro_bias,
            self._force_bias,
            self._lean,
            self._resolution,
            self._has_foot_force,
            position,
            velocity,
            effort,
            gyro,
            force,
            load,
        )
        return SensorSample(
            time_ns=truth.time_ns,
            joint_position=position,
            joint_velocity=velocity,
            joint_effort=effort,
            orientation=self._orientation(truth.orientation, error[self._of_turn]),
            angular_velocity=gyro,
            specific_force=force,
            foot_force=load,
        )

    def _orientation(self, truth: tuple[float, float, float, float], noise: Array) -> Array:
        roll, pitch, yaw = (self._lean[_AXES:] + noise).tolist()
        turn = rotations.quaternion_from_rotation_vector((0.0, 0.0, yaw))
        tilt = rotations.quaternion_from_rotation_vector((roll, pitch, 0.0))
        turned = rotations.multiply(rotations.multiply(turn, truth), tilt)
        return np.array(rotations.normalised(turned))
