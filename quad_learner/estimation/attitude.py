"""How the body leans and turns: the gyro carries the attitude, the IMU's quaternion corrects it.

    q̇ = q (ω - b) / 2,   q ← turn(dt/T e) q,   b ← b - dt/T_b e_body / T

with e the rotation vector from the carried attitude to the measured one, b the gyro's offset.
A measured attitude that jumps away from the gyro is not believed until it has persisted.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from quad_learner.estimation.config import EstimatorConfig
from quad_learner.robot import rotations

Array = NDArray[np.float64]
Quaternion = tuple[float, float, float, float]


class AttitudeFilter:
    """Attitude and gyro offset from an inertial sensor that also reports an orientation."""

    def __init__(self, config: EstimatorConfig) -> None:
        self._config = config
        self.restart(rotations.IDENTITY)

    def restart(self, orientation: rotations.Numbers) -> None:
        """Believes `orientation` (world_from_body) as it is, and no gyro offset."""
        self.orientation: Quaternion = rotations.normalised(orientation)
        self.middle: Quaternion = self.orientation
        """Attitude in the middle of the last sample period."""
        self._bias = [0.0, 0.0, 0.0]
        self._disagreed_for = 0.0
        self.agrees = True
        """Whether gyro and reported orientation tell the same story."""

    def update(self, orientation: Array, angular_velocity: Array, dt: float) -> list[float]:
        """Moves on by one sample and returns the angular velocity without offset [rad/s].

        Args:
            orientation: reported world_from_body quaternion x, y, z, w, (4,).
            angular_velocity: mean over the sample period, body frame [rad/s], (3,).
            dt: time since the last sample [s].
        """
        rate = [w - b for w, b in zip(angular_velocity.tolist(), self._bias, strict=True)]
        before = self.orientation
        half = rotations.quaternion_from_rotation_vector([w * dt / 2.0 for w in rate])
        self.middle = rotations.multiply(before, half)
        carried = rotations.multiply(self.middle, half)
        error = _rotation_vector(
            rotations.multiply(rotations.normalised(orientation), rotations.conjugate(carried))
        )
        size = math.sqrt(sum(e * e for e in error))
        self.agrees = size <= self._config.orientation_jump_rad
        if self.agrees:
            self._disagreed_for = 0.0
            self._correct(carried, error, dt)
        else:
            self._wait(carried, orientation, dt)
        return rate

    def _correct(self, carried: Quaternion, error: list[float], dt: float) -> None:
        config = self._config
        share = min(1.0, dt / config.orientation_time_s)
        turn = rotations.quaternion_from_rotation_vector([share * e for e in error])
        self.orientation = rotations.normalised(rotations.multiply(turn, carried))
        learn = dt / (config.gyro_bias_time_s * config.orientation_time_s)
        limit = config.gyro_bias_max_rad_s
        in_body = rotations.rotate_back(carried, error).tolist()
        self._bias = [
            max(-limit, min(limit, b - learn * e))
            for b, e in zip(self._bias, in_body, strict=True)
        ]

    def _wait(self, carried: Quaternion, orientation: Array, dt: float) -> None:
        self.orientation = rotations.normalised(carried)
        self._disagreed_for += dt
        if self._disagreed_for > self._config.orientation_patience_s:
            self.restart(orientation)
            self.agrees = False


def _rotation_vector(quaternion: Quaternion) -> list[float]:
    """Returns axis times angle [rad] of a unit quaternion, the short way round."""
    x, y, z, w = quaternion if quaternion[3] >= 0.0 else [-part for part in quaternion]
    sine = math.sqrt(x * x + y * y + z * z)
    scale = 2.0 * math.atan2(sine, w) / sine if sine > 0.0 else 2.0
    return [scale * x, scale * y, scale * z]
