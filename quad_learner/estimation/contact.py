"""Which feet stand, and how far each can be trusted not to slide.

A foot touches down at `foot_force_threshold` and lifts at a lower force, so that noise does not
make it chatter. Its trust, 0 to 1, is the product of three: it ramps up after touch-down, when a
foot still rebounds; it falls with a small load, for a light foot slides easily; and it falls as
the ratio of the ground's sideways to its upward force nears what friction can hold, for a sliding
foot is at that limit. The forces follow from the motors' torques by the statics of the legs,

    τ = -Jᵀ f,

which also stands in for foot force sensors where a robot has none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dposv

from quad_learner.estimation.config import EstimatorConfig
from quad_learner.robot.kinematics import LegState
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import SensorSample

Array = NDArray[np.float64]

_SINGULAR_LEG = 1e-4
"""[m²] added to J Jᵀ: bounds the force told by a leg so stretched that J loses rank. A lever of
0.01 m, small against the 0.2 m of a bent leg."""


class ContactDetector:
    """Contact and trust of each foot from its load."""

    def __init__(self, robot: RobotModel, config: EstimatorConfig, weight: float) -> None:
        """Stores.

        Args:
            robot: feet, threshold, and whether they sense force.
            config: hysteresis and trust.
            weight: of the whole robot [N].
        """
        self._feet = len(robot.feet)
        self._has_sensor = robot.has_foot_force
        self._touch = robot.foot_force_threshold
        self._lift = robot.foot_force_threshold * config.contact_release_ratio
        self._full_load = max(config.contact_full_load * weight / self._feet, self._touch)
        self._rise = config.contact_trust_time_s
        self._grip = config.grip_ratio
        self._regular = _SINGULAR_LEG * np.eye(3 * self._feet)
        self.reset()

    def reset(self) -> None:
        """Forgets every contact."""
        self._stood = [0.0] * self._feet
        self._on = [False] * self._feet

    def update(self, sample: SensorSample, legs: LegState, up: Array, dt: float) -> list[float]:
        """Returns the trust in each foot, 0 (in the air) to 1.

        Args:
            sample: the sensors.
            legs: the feet in the body frame.
            up: the world's vertical in the body frame, (3,).
            dt: time since the last sample [s].
        """
        force = self._statics(sample.joint_effort, legs.jacobian)
        upward = force @ up
        sideways = np.sqrt(np.maximum((force * force).sum(axis=1) - upward * upward, 0.0))
        loads = sample.foot_force if self._has_sensor else upward
        trust = []
        for foot, (load, side) in enumerate(zip(loads.tolist(), sideways.tolist(), strict=True)):
            on = load > (self._lift if self._on[foot] else self._touch)
            self._stood[foot] = self._stood[foot] + dt if on else 0.0
            self._on[foot] = on
            trust.append(self._trust(self._stood[foot], load, side) if on else 0.0)
        return trust

    @property
    def contact(self) -> NDArray[np.bool_]:
        """Whether each foot is on the ground, (feet,)."""
        return np.array(self._on)

    def _trust(self, stood: float, load: float, sideways: float) -> float:
        settled = min(1.0, stood / self._rise)
        loaded = min(1.0, load / self._full_load)
        # The fourth power keeps a foot well inside its friction cone at nearly full trust.
        gripping = 1.0 / (1.0 + (sideways / (self._grip * load)) ** 4)
        return settled * loaded * gripping

    def _statics(self, effort: Array, jacobian: Array) -> Array:
        """Returns the force of the ground on each foot, body frame [N], (feet, 3)."""
        rows = jacobian.reshape(3 * self._feet, -1)
        # LAPACK's solver for positive definite matrices, without numpy's checks around it.
        _, force, _ = dposv(rows @ rows.T + self._regular, rows @ effort)
        return np.asarray(-force.reshape(self._feet, 3), dtype=np.float64)
