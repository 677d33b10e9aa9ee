"""Which feet stand, and how far each can be trusted not to slide.

A foot touches down at `foot_force_threshold` and lifts at a lower force, so that noise does not
make it chatter. Its trust, 0 to 1, ramps up after touch-down, when the foot still rebounds and
settles, and is scaled by its load: a light foot slides easily. Where a robot has no foot force
sensors the force follows from the motors' torques by the statics of the legs, τ = -Jᵀ f.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quad_learner.estimation.config import EstimatorConfig
from quad_learner.robot.kinematics import LegState
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import SensorSample

Array = NDArray[np.float64]

_SINGULAR_LEG = 1e-3
"""[m²] added to J Jᵀ: bounds the force told by a leg so stretched that J loses rank."""


class ContactDetector:
    """Contact and trust of each foot from its load."""

    def __init__(self, robot: RobotModel, config: EstimatorConfig, weight: float) -> None:
        """Stores.

        Args:
            robot: feet, threshold, and whether they sense force.
            config: hysteresis and trust.
            weight: of the whole robot [N].
        """
        feet = len(robot.feet)
        self._has_sensor = robot.has_foot_force
        self._touch = robot.foot_force_threshold
        self._lift = robot.foot_force_threshold * config.contact_release_ratio
        self._full_load = max(config.contact_full_load * weight / feet, self._touch)
        self._rise = config.contact_trust_time_s
        self._feet = feet
        self.reset()

    def reset(self) -> None:
        """Forgets every contact."""
        self._since = [0.0] * self._feet
        self._on = [False] * self._feet

    def update(self, sample: SensorSample, legs: LegState, up: Array, dt: float) -> list[float]:
        """Returns the trust in each foot, 0 (in the air) to 1.

        Args:
            sample: the sensors.
            legs: the feet in the body frame.
            up: the world's vertical in the body frame, (3,).
            dt: time since the last sample [s].
        """
        loads = sample.foot_force if self._has_sensor else _statics(sample, legs, up)
        trust = []
        for foot, load in enumerate(loads.tolist()):
            on = load > (self._lift if self._on[foot] else self._touch)
            self._since[foot] = self._since[foot] + dt if on and self._on[foot] else 0.0
            self._on[foot] = on
            trust.append(self._trust(foot, load) if on else 0.0)
        return trust

    @property
    def contact(self) -> NDArray[np.bool_]:
        """Whether each foot is on the ground, (feet,)."""
        return np.array(self._on)

    def _trust(self, foot: int, load: float) -> float:
        settled = min(1.0, self._since[foot] / self._rise) if self._rise > 0.0 else 1.0
        return settled * min(1.0, load / self._full_load)


def _statics(sample: SensorSample, legs: LegState, up: Array) -> Array:
    """Returns the vertical force that the ground exerts on each foot [N], (feet,)."""
    feet = legs.position.shape[0]
    rows = legs.jacobian.reshape(3 * feet, -1)
    normal = rows @ rows.T
    normal[np.diag_indices_from(normal)] += _SINGULAR_LEG
    force = -np.linalg.solve(normal, rows @ sample.joint_effort).reshape(feet, 3)
    return np.asarray(force @ up, dtype=np.float64)
