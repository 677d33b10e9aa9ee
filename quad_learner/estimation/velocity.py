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

import math

import numpy as np
from numpy.typing import NDArray

from quad_learner.estimation.config import EstimatorConfig

Array = NDArray[np.float64]

_GRAVITY = np.array((0.0, 0.0, -9.81))
"""[m/s²] mean over the Earth's land, rounded; the offset takes up the rest."""
_START_DEVIATION = 0.3
"""[m/s] of velocity after a restart: a robot that is being started hardly moves."""
_LEAST_WEIGHT = 1e-6
"""[s²/m²] below it the feet together tell less than to within 1 km/s: nothing."""
_AXES = 3
"""Axes of space."""


class VelocityFilter:
    """Position, velocity and specific-force offset of one point of the body."""

    def __init__(self, config: EstimatorConfig) -> None:
        self._config = config
        self.position = np.zeros(_AXES)
        """world frame [m], (3,)"""
        self.restart()

    def restart(self) -> None:
        """Believes that the body is at rest, where it was last."""
        self.velocity = np.zeros(_AXES)
        self._offset = np.zeros(_AXES)
        self._pp = self._pv = self._pb = self._vb = 0.0
        self._vv = _START_DEVIATION**2
        self._bb = self._config.force_bias_m_s2**2

    @property
    def position_variance(self) -> float:
        """Of each coordinate [m²]."""
        return self._pp

    @property
    def velocity_variance(self) -> float:
        """Of each component [m²/s²]."""
        return self._vv

    def predict(self, specific_force: Array, world_from_body: Array, dt: float) -> None:
        """Moves on by `dt` [s].

        Args:
            specific_force: mean over the period, body frame [m/s²], (3,).
            world_from_body: rotation matrix in the middle of the period, (3, 3).
            dt: the period [s].
        """
        config = self._config
        acceleration = world_from_body @ (specific_force - self._offset) + _GRAVITY
        self.position = self.position + dt * (self.velocity + 0.5 * dt * acceleration)
        self.velocity = self.velocity + dt * acceleration
        keep = math.exp(-dt / config.force_bias_time_s)
        self._offset = keep * self._offset
        shaking = math.sqrt(float(acceleration @ acceleration))
        noise = config.specific_force_noise_m_s2 + config.specific_force_scale_noise * shaking
        pv, pb, vv, vb, bb = self._pv, self._pb, self._vv, self._vb, self._bb
        self._pp += dt * (2.0 * pv + dt * vv)
        self._pv = pv + dt * (vv - pb - dt * vb)
        self._vv = vv - dt * (2.0 * vb - dt * bb) + (noise * dt) ** 2
        self._pb = keep * (pb + dt * vb)
        self._vb = keep * (vb - dt * bb)
        self._bb = keep * keep * bb + (1.0 - keep * keep) * config.force_bias_m_s2**2

    def correct(self, told: Array, trust: list[float], world_from_body: Array) -> None:
        """Corrects the velocity by the feet that stand.

        Args:
            told: the velocity that each foot tells if it stands, world frame [m/s], (feet, 3).
            trust: in each foot, 0 to 1.
            world_from_body: rotation matrix, (3, 3).
        """
        errors = told - self.velocity
        noise = self._config.foot_noise_m_s**2
        gate = self._config.slip_gate**2
        upward = self._vv + self._config.foot_vertical_noise_m_s**2
        weights = []
        for (x, y, z), share in zip(errors.tolist(), trust, strict=True):
            sideways = share * self._vv + noise
            deviation = share * (x * x + y * y) / (2.0 * sideways) + z * z / upward
            weights.append(share / (noise * (1.0 + deviation / gate) ** 2))
        total = sum(weights)
        if total > _LEAST_WEIGHT:
            self._update(np.array(weights) @ errors / total, 1.0 / total, world_from_body)

    def assume_still(self, world_from_body: Array) -> None:
        """Draws the velocity gently to zero: for a robot that no foot carries."""
        self._update(-self.velocity, self._config.still_noise_m_s**2, world_from_body)

    def settle_height(self, height: float, share: float) -> None:
        """Moves the position's z by `share` of its way to `height` [m]."""
        x, y, z = self.position.tolist()
        self.position = np.array((x, y, z + share * (height - z)))

    def _update(self, innovation: Array, variance: float, world_from_body: Array) -> None:
        pv, vv, vb = self._pv, self._vv, self._vb
        total = vv + variance
        self.position = self.position + (pv / total) * innovation
        self.velocity = self.velocity + (vv / total) * innovation
        self._offset = self._offset + (vb / total) * (innovation @ world_from_body)
        self._pp -= pv * pv / total
        self._pb -= pv * vb / total
        self._bb -= vb * vb / total
        rest = variance / total
        self._pv, self._vv, self._vb = pv * rest, vv * rest, vb * rest
