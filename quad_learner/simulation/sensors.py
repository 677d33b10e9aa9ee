"""The sensors: what the robot reads of what is true.

An inertial sensor with an anti-alias filter reports means over its sample period, so the specific
force is the change of velocity over the period less gravity, in the body frame. Each reading has
white noise; offsets walk; roll and pitch err by a slow wandering angle and yaw by one that grows.
"""

from __future__ import annotations

import itertools
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
        self._generator = generator
        self._step = config.encoder_resolution_rad
        self._has_foot_force = robot.has_foot_force
        period = 1.0 / robot.command_hz
        # Roll and pitch wander but keep their deviation: x ← a x + √(1 − a²) σ n. Yaw adds up.
        keep = math.exp(-period / config.tilt_error_time_s)
        fresh = math.sqrt(1.0 - keep * keep) * config.tilt_error_rad
        self._keep = np.array((keep, keep, 1.0))
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
        ends = np.cumsum([part.size for part in deviations]).tolist()
        self._parts = [slice(*ends) for ends in itertools.pairwise((0, *ends))]
        self._gyro_bias = config.gyro_bias_rad_s * generator.standard_normal(_AXES)
        self._force_bias = config.accelerometer_bias_m_s2 * generator.standard_normal(_AXES)
        self._attitude_error = np.zeros(_AXES)
        self._attitude_error[:2] = config.tilt_error_rad * generator.standard_normal(2)

    def read(self, truth: Reading) -> SensorSample:
        """Returns the sample made of `truth`, which is one sample period after the last."""
        error = self._deviation * self._generator.standard_normal(self._deviation.size)
        angle, speed, effort, gyro, force, turn, *walks, feet = [error[p] for p in self._parts]
        self._wander(walks)
        load = truth.foot_force + feet
        return SensorSample(
            time_ns=truth.time_ns,
            joint_position=self._quantised(truth.joint_position + angle),
            joint_velocity=truth.joint_velocity + speed,
            joint_effort=truth.joint_effort + effort,
            orientation=self._orientation(truth.orientation, turn),
            angular_velocity=truth.angular_velocity + self._gyro_bias + gyro,
            specific_force=truth.specific_force + self._force_bias + force,
            foot_force=np.maximum(load, 0.0) if self._has_foot_force else np.zeros_like(load),
        )

    def _wander(self, steps: list[Array]) -> None:
        """Moves the slow errors on by one sample period, each by its step, (3,)."""
        self._gyro_bias = self._gyro_bias + steps[0]
        self._force_bias = self._force_bias + steps[1]
        self._attitude_error = self._keep * self._attitude_error + steps[2]

    def _orientation(self, truth: tuple[float, float, float, float], noise: Array) -> Array:
        roll, pitch, yaw = (self._attitude_error + noise).tolist()
        turn = rotations.quaternion_from_rotation_vector((0.0, 0.0, yaw))
        tilt = rotations.quaternion_from_rotation_vector((roll, pitch, 0.0))
        turned = rotations.multiply(rotations.multiply(turn, truth), tilt)
        return np.array(rotations.normalised(turned))

    def _quantised(self, angle: Array) -> Array:
        return np.rint(angle / self._step) * self._step if self._step > 0.0 else angle
