"""Decides whether the robot stands: the end of a get-up and the beginning of an episode."""

from __future__ import annotations

import numpy as np

from quad_learner.reset.config import ResetConfig
from quad_learner.reset.posture import posture
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import NANOSECONDS, SensorSample


def is_standing(sample: SensorSample, robot: RobotModel, config: ResetConfig) -> bool:
    """Returns whether the robot is upright, near its stance, slow, and on its feet.

    Args:
        sample: what the robot senses now. A value that is not finite makes the answer no.
        robot: whose stance and feet are meant.
        config: the thresholds, `standing_…`.
    """
    return not what_is_missing(sample, robot, config)


def what_is_missing(sample: SensorSample, robot: RobotModel, config: ResetConfig) -> str:
    """Returns the first thing that keeps the robot from standing, for people; '': it stands.

    Args:
        sample: what the robot senses now.
        robot: whose stance and feet are meant.
        config: the thresholds, `standing_…`.
    """
    if robot.has_foot_force:
        loaded = sample.foot_force > robot.foot_force_threshold
        if not np.mean(loaded) >= config.standing_feet_fraction:
            return f'{np.count_nonzero(loaded)} of {len(loaded)} feet on the ground'
    # Comparisons with NaN are false, so a broken sensor never stands.
    tilt = posture(sample.orientation).tilt
    if not tilt <= config.standing_tilt:
        return f'tilted by {tilt:.2f} rad'
    error = np.abs(sample.joint_position - robot.stance)
    if not np.all(error <= config.standing_joint_error):
        worst = int(np.argmax(error))
        return f'{robot.joints[worst]} {error[worst]:.2f} rad from its stance'
    speed = np.abs(sample.joint_velocity)
    if not np.all(speed <= config.standing_joint_speed):
        return f'{robot.joints[int(np.argmax(speed))]} still moves'
    if not np.all(np.abs(sample.angular_velocity) <= config.standing_body_rate):
        return 'the body still turns'
    return ''


class Standing:
    """Tells from one sample after the other whether the robot has come to stand.

    One look is not enough: a body that rocks to and fro after a stop looks like standing wherever
    it turns back, and an episode that begins there begins with a stumble.
    """

    def __init__(self, robot: RobotModel, config: ResetConfig) -> None:
        """Args:
        robot: whose stance and feet are meant.
        config: the thresholds, `standing_…`, and what counts as a gap, `tick_max`.
        """
        self._robot = robot
        self._config = config
        self._hold_ns = round(config.standing_hold * NANOSECONDS)
        self._gap_ns = round(config.tick_max * NANOSECONDS)
        self._since_ns = self._last_ns = 0
        self._stands = False

    def has_stood(self, sample: SensorSample) -> bool:
        """Returns whether it stands and has stood for `standing_hold`, as far as was looked."""
        before, self._stands = self._stands, is_standing(sample, self._robot, self._config)
        gap = sample.time_ns - self._last_ns
        if not before or not 0 <= gap <= self._gap_ns:
            self._since_ns = sample.time_ns
        self._last_ns = sample.time_ns
        return self._stands and sample.time_ns - self._since_ns >= self._hold_ns
