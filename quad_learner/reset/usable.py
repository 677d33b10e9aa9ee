"""Whether a sensor sample can be gone by at all."""

from __future__ import annotations

import math

from quad_learner.robot.signals import SensorSample


def is_usable(sample: SensorSample) -> bool:
    """Returns whether all that the get-up goes by is finite."""
    parts = (
        sample.joint_position,
        sample.joint_velocity,
        sample.orientation,
        sample.angular_velocity,
        sample.foot_force,
    )
    # A sum of squares is finite where all are, and none is so large that it could not be meant.
    return all(math.isfinite(part.dot(part)) for part in parts)
