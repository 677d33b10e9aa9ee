"""Tells whether each motor does what it is told: one that makes no torque under load is lost.

Only a pull of the spring counts, kp (q* - q), and only as much of it as damping leaves: what
damping alone asks of a limb that shakes comes and goes quicker than it is measured. A motor near
its top speed makes no torque, and is not judged. Nor is one whose torque the robot does not
measure.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import NANOSECONDS, JointCommand
from quad_learner.safety.config import SafetyConfig
from quad_learner.safety.modes import Mode
from quad_learner.safety.state import Watch

Array = NDArray[np.float64]

FAST_SHARE = 0.5
"""of its no-load speed, above which a motor's own voltage leaves less than half of its torque"""

GAP_PERIODS = 2
"""of the command, that the time between two samples counts at most: one sample proves little"""


class Motors:
    """The motors of one robot. Pure after construction."""

    def __init__(self, robot: RobotModel, config: SafetyConfig) -> None:
        """Stores what is judged.

        Args:
            robot: whose motors these are.
            config: what counts as load, and how long a motor may leave it.
        """
        self._is_measured = robot.has_joint_torque
        self._load = config.motor_load_share * robot.torque_max
        self._share = config.motor_torque_share
        self._fast = FAST_SHARE * robot.speed_max
        self._time_s = config.motor_lost_time_s
        self._dt_cap = GAP_PERIODS / robot.command_hz

    def slack(self, before: Watch, after: Watch, told: JointCommand) -> Array | None:
        """Returns for how long each motor has left its load by now [s], (joints,); None: none.

        Args:
            before: what was remembered before the newest sample was taken up.
            after: the same with it, if there was one and it could be believed.
            told: the command in force until now.
        """
        last, sample = before.sample, after.sample
        if not self._is_measured or last is None or sample is None or told.mode is not Mode.ACTIVE:
            return None
        dt = (sample.time_ns - last.time_ns) / NANOSECONDS
        if dt < 0.0:
            return None
        if dt == 0.0 or np.array_equal(sample.joint_velocity, last.joint_velocity):
            return before.slack  # nothing new, or sensors that repeat themselves: no motor's fault
        spring = told.kp * (told.position - sample.joint_position)
        pull = np.abs(spring) - told.kd * sample.joint_velocity * np.sign(spring)
        pull = np.minimum(pull, np.abs(spring))
        made = sample.joint_effort * np.sign(spring)
        left = (pull >= self._load) & (made < self._share * pull)
        left &= np.abs(sample.joint_velocity) <= self._fast
        if not np.count_nonzero(left):
            return None
        counted = min(dt, self._dt_cap)
        return np.where(left, counted + (0.0 if before.slack is None else before.slack), 0.0)

    def is_lost(self, slack: Array | None) -> bool:
        """Returns whether a motor has left its load for too long."""
        return slack is not None and float(slack.max()) >= self._time_s
