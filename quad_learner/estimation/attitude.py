"""How the body leans and turns: the gyro carries the attitude, the IMU's quaternion corrects it.

    q̇ = q (ω - b) / 2,   q ← turn(dt/T e) q,   b ← b - dt/T_b e_body / T

with e the rotation vector from the carried attitude to the measured one, b the gyro's offset.
A measured attitude that jumps away from the gyro is not believed until it has persisted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quad_learner.estimation import attitude_kernels
from quad_learner.estimation.config import EstimatorConfig
from quad_learner.robot import rotations

Array = NDArray[np.float64]


class AttitudeFilter:
    """Attitude and gyro offset from an inertial sensor that also reports an orientation."""

    def __init__(self, config: EstimatorConfig) -> None:
        self._config = config
        learn = 1.0 / (config.gyro_bias_time_s * config.orientation_time_s)
        self._tuning = np.array(
            (
                config.orientation_time_s,
                config.orientation_jump_rad,
                learn,
                config.gyro_bias_max_rad_s,
            )
        )
        self._orientation = np.empty(4)
        self._now, self._midway = np.empty((3, 3)), np.empty((3, 3))
        self.restart(np.array(rotations.IDENTITY))

    def restart(self, orientation: Array) -> None:
        """Believes `orientation` (world_from_body, (4,)) as it is, and no gyro offset."""
        self._orientation[:] = rotations.normalised(orientation)
        attitude_kernels.matrix(self._orientation, self._now)
        self._midway[:] = self._now
        self._bias = np.zeros(3)
        self._disagreed_for = 0.0
        self.agrees = True
        """Whether gyro and reported orientation tell the same story."""

    @property
    def orientation(self) -> Array:
        """Attitude now, world_from_body quaternion x, y, z, w, (4,)."""
        return self._orientation.copy()

    @property
    def now(self) -> Array:
        """The same as a matrix, (3, 3): good until the next sample."""
        return self._now

    @property
    def midway(self) -> Array:
        """Matrix of the attitude in the middle of the last sample period, (3, 3): likewise."""
        return self._midway

    def update(self, orientation: Array, angular_velocity: Array, dt: float) -> Array:
        """Moves on by one sample and returns the angular velocity without offset [rad/s], (3,).

        Args:
            orientation: reported world_from_body quaternion x, y, z, w, (4,).
            angular_velocity: mean over the sample period, body frame [rad/s], (3,).
            dt: time since the last sample [s].
        """
        rate = np.empty(3)
        error = attitude_kernels.turn_on(
            orientation,
            angular_velocity,
            self._tuning,
            dt,
            self._orientation,
            self._bias,
            rate,
            self._midway,
            self._now,
        )
        self.agrees = error <= self._config.orientation_jump_rad
        if self.agrees:
            self._disagreed_for = 0.0
        else:
            self._wait(orientation, dt)
        return rate

    def _wait(self, orientation: Array, dt: float) -> None:
        self._disagreed_for += dt
        if self._disagreed_for > self._config.orientation_patience_s:
            self.restart(orientation)
            self.agrees = False
