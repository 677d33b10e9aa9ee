"""Whether a sensor sample can be gone by at all."""

from __future__ import annotations

import math

from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import SensorSample


def what_is_unusable(sample: SensorSample, robot: RobotModel) -> str:
    """Returns what keeps the get-up from going by `sample`, for people; '': nothing.

    Args:
        sample: what the robot senses now.
        robot: whose joints and feet there must be.
    """
    joints, feet = (len(robot.joints),), (len(robot.feet),)
    parts = (
        (sample.joint_position, joints),
        (sample.joint_velocity, joints),
        (sample.orientation, (4,)),
        (sample.angular_velocity, (3,)),
        (sample.foot_force, feet),
    )
    alike = all(part.shape == shape for part, shape in parts)
    if not alike or sample.joint_effort.shape != joints:
        return 'the sensor sample holds arrays of another length'
    # An effort that is not a number is unknown, and not counted. A sum of squares is finite where
    # all are, and none is so large that it could not be meant.
    if not all(math.isfinite(part.dot(part)) for part, _ in parts):
        return 'the sensor sample holds values that are not finite'
    return ''
