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

from quad_learner.estimation import contact_kernels
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
        touch = robot.foot_force_threshold
        self._tuning = np.array(
            (
                touch,
                touch * config.contact_release_ratio,
                max(config.contact_full_load * weight / self._feet, touch),
                config.contact_trust_time_s,
                config.grip_ratio,
                _SINGULAR_LEG,
            )
        )
        self.reset()

    def reset(self) -> None:
        """Forgets every contact."""
        self._stood = np.zeros(self._feet)
        self._on = np.zeros(self._feet, np.bool_)

    def update(self, sample: SensorSample, legs: LegState, up: Array, dt: float) -> Array:
        """Returns the trust in each foot, 0 (in the air) to 1, (feet,).

        Args:
            sample: the sensors.
            legs: the feet in the body frame.
            up: the world's vertical in the body frame, (3,).
            dt: time since the last sample [s].
        """
        trust = np.empty(self._feet)
        contact_kernels.stand(
            sample.joint_effort,
            legs.jacobian,
            sample.foot_force,
            self._has_sensor,
            up,
            dt,
            self._tuning,
            self._stood,
            self._on,
            trust,
        )
        return trust

    @property
    def contact(self) -> NDArray[np.bool_]:
        """Whether each foot is on the ground, (feet,)."""
        return self._on.copy()
