"""Decides whether the robot stands: the end of a get-up and the beginning of an episode."""

from __future__ import annotations

import numpy as np

from quad_learner.reset.config import ResetConfig
from quad_learner.reset.posture import posture
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import SensorSample


def is_standing(sample: SensorSample, robot: RobotModel, config: ResetConfig) -> bool:
    """Returns whether the robot is upright, near its stance, slow, and on its feet.

    Args:
        sample: what the robot senses now. A value that is not finite makes the answer no.
        robot: whose stance and feet are meant.
        config: the thresholds, `standing_…`.
    """
    if robot.has_foot_force:
        loaded = np.mean(sample.foot_force > robot.foot_force_threshold)
        if not loaded >= config.standing_feet_fraction:
            return False
    error = np.abs(sample.joint_position - robot.stance)
    # Comparisons with NaN are false, so a broken sensor never stands.
    return bool(
        posture(sample.orientation).tilt <= config.standing_tilt
        and np.all(error <= config.standing_joint_error)
        and np.all(np.abs(sample.joint_velocity) <= config.standing_joint_speed)
        and np.all(np.abs(sample.angular_velocity) <= config.standing_body_rate)
    )
