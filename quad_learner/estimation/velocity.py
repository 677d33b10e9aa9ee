"""How fast the body moves: a Kalman filter that the IMU drives and standing feet correct.

States, each a vector of the world or the body: position p, velocity v (world), offset b of the
specific force f (body), which also takes up the gravity that leaks in through an error of tilt:

    ṗ = v,   v̇ = R (f - b) + g,   ḃ = -b / T + noise

A standing foot says what v is. Every error is taken to be the same in all directions, so the
covariance of the nine numbers is one symmetric 3 x 3 matrix P of (p, v, b) shared by the three
axes; this holds in any frame, and makes an update a handful of scalar operations.

Feet that disagree with the prediction weigh less, by w = 1 / (1 + (d/gate)²)² for a deviation of
d sigma: the influence of a sliding foot falls to nothing, and a filter that is itself wrong still
comes back. Upwards the deviation is counted far more strictly, as the ground does not move that
way: a foot that does is landing, lifting or bouncing, and says nothing about sideways either.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quad_learner.estimation import velocity_kernels
from quad_learner.estimation.config import EstimatorConfig

Array = NDArray[np.float64]

_GRAVITY = -9.81
"""[m/s²] along z, mean over the Earth's land, rounded; the offset takes up the rest."""
_START_DEVIATION = 0.3
"""[m/s] of velocity after a restart: a robot that is being started hardly moves."""
_LEAST_WEIGHT = 1e-6
"""[s²/m²] below it the feet together tell less than to within 1 km/s: nothing."""
_AXES = 3
"""Axes of space."""


class VelocityFilter:
    """Position, velocity and specific-force offset of one point of the body."""

    def __init__(self, config: EstimatorConfig) -> None:
        self._offset_variance = config.force_bias_m_s2**2
        self._still_variance = config.still_noise_m_s**2
        self._of_time = np.array(
            (
                _GRAVITY,
                config.specific_force_noise_m_s2,
                config.specific_force_scale_noise,
                config.force_bias_time_s,
                self._offset_variance,
            )
        )
        self._of_feet = np.array(
            (
                config.foot_noise_m_s**2,
                config.slip_gate**2,
                config.foot_vertical_noise_m_s**2,
                _LEAST_WEIGHT,
            )
        )
        self.position = np.zeros(_AXES)
        """world frame [m], (3,); written to by the next step, like `velocity`"""
        self.restart()

    def restart(self) -> None:
        """Believes that the body is at rest, where it was last."""
        self.velocity = np.zeros(_AXES)
        self._offset = np.zeros(_AXES)
        # The upper half of P, row by row: pp, pv, pb, vv, vb, bb.
        self._spread = np.array((0.0, 0.0, 0.0, _START_DEVIATION**2, 0.0, self._offset_variance))

    @property
    def position_variance(self) -> float:
        """Of each coordinate [m²]."""
        return float(self._spread[0])

    @property
    def velocity_variance(self) -> float:
        """Of each component [m²/s²]."""
        return float(self._spread[3])

    def predict(self, specific_force: Array, world_from_body: Array, dt: float) -> None:
        """Moves on by `dt` [s].

        Args:
            specific_force: mean over the period, body frame [m/s²], (3,).
            world_from_body: rotation matrix in the middle of the period, (3, 3).
            dt: the period [s].
        """
        velocity_kernels.predict(
            specific_force,
            world_from_body,
            dt,
            self._of_time,
            self.position,
            self.velocity,
            self._offset,
            self._spread,
        )

    def correct(self, told: Array, trust: Array, world_from_body: Array) -> None:
        """Corrects the velocity by the feet that stand.

        Args:
            told: the velocity that each foot tells if it stands, world frame [m/s], (feet, 3).
            trust: in each foot, 0 to 1, (feet,).
            world_from_body: rotation matrix, (3, 3).
        """
        velocity_kernels.correct(
            told,
            trust,
            world_from_body,
            self._of_feet,
            self.position,
            self.velocity,
            self._offset,
            self._spread,
        )

    def assume_still(self, world_from_body: Array) -> None:
        """Draws the velocity gently to zero: for a robot that no foot carries."""
        velocity_kernels.assume_still(
            self._still_variance,
            world_from_body,
            self.position,
            self.velocity,
            self._offset,
            self._spread,
        )
