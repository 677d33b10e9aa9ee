"""Tells whether each motor does what it is told: if not, it is lost, or its limb is trapped.

One that makes no torque under load is lost. One that has pushed hard for long without turning is
stalled; the time for which it did anything else is taken off, for noise must not hide it.

Only a pull of the spring counts, kp (q* - q), and only as much of it as damping leaves: what
damping alone asks of a limb that shakes comes and goes quicker than it is measured. A motor near
its top speed makes no torque, and is not lost. Nor is one whose torque the robot does not measure;
a stall is told by the torque that is asked for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import NANOSECONDS, JointCommand
from quad_learner.safety.config import SafetyConfig
from quad_learner.safety.modes import Mode, Reason
from quad_learner.safety.state import Watch

Array = NDArray[np.float64]

FAST_SHARE = 0.5
"""of its no-load speed, above which a motor's own voltage leaves less than half of its torque"""

FORGIVEN = np.array(((np.inf,), (1.0,)))
"""of the time for which a motor was lost, and for which it stalled: what a moment without ends"""

GAP_PERIODS = 2
"""of the command, that the time between two samples counts at most: one sample proves little"""


class Motors:
    """The motors of one robot. Pure after construction."""

    def __init__(self, robot: RobotModel, config: SafetyConfig) -> None:
        """Stores what is judged.

        Args:
            robot: whose motors these are.
            config: what counts as load, and how long a motor may leave it or push in vain.
        """
        self._is_measured = robot.has_joint_torque
        self._load = config.motor_load_share * robot.torque_max
        self._push = config.motor_stall_share * robot.torque_max
        self._fast = FAST_SHARE * robot.speed_max
        self._times_s = np.array((config.motor_lost_time_s, config.motor_stall_time_s))
        self._config = config
        self._dt_cap = GAP_PERIODS / robot.command_hz

    def slack(self, before: Watch, after: Watch, told: JointCommand) -> Array | None:
        """Returns for how long each motor has been lost, and stalled, by now [s]; None: none.

        Shape: (2, joints).

        Args:
            before: what was remembered before the newest sample was taken up.
            after: the same with it, if there was one and it could be believed.
            told: the command in force until now.
        """
        last, sample = before.sample, after.sample
        if last is None or sample is None or told.mode is not Mode.ACTIVE:
            return None
        dt = (sample.time_ns - last.time_ns) / NANOSECONDS
        if dt < 0.0:
            return None
        if dt == 0.0 or np.array_equal(sample.joint_velocity, last.joint_velocity):
            return before.slack  # nothing new, or sensors that repeat themselves: no motor's fault
        spring = told.kp * (told.position - sample.joint_position)
        pull = np.abs(spring) - told.kd * sample.joint_velocity * np.sign(spring)
        pull = np.minimum(pull, np.abs(spring))
        made, speed = sample.joint_effort * np.sign(spring), np.abs(sample.joint_velocity)
        left = (pull >= self._load) & (made < self._config.motor_torque_share * pull)
        left &= (speed <= self._fast) & self._is_measured
        still = (pull >= self._push) & (speed <= self._config.motor_stall_speed_rad_s)
        found, counted = np.stack((left, still)), min(dt, self._dt_cap)
        if before.slack is None and not np.count_nonzero(found):
            return None
        slack = np.zeros(found.shape) if before.slack is None else before.slack
        slack = np.where(found, slack + counted, np.maximum(slack - counted * FORGIVEN, 0.0))
        return slack if np.count_nonzero(slack) else None

    def found(self, slack: Array | None) -> Reason:
        """Returns what speaks for a stop: a motor that was lost, or stalled, for too long."""
        if slack is None:
            return Reason.NONE
        lost, stalled = slack.max(axis=1) >= self._times_s
        found = Reason.MOTOR_LOST if lost else Reason.NONE
        return found | Reason.MOTOR_STALLED if stalled else found
