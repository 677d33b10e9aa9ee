"""Frees legs that did not fold because they are hooked into each other, or into the body.

Two feet over the back, each in the crook of the other's knee, only jam when both legs fold; nor
does one come free while the other is limp. So one leg first goes on in the direction in which it
is astray, to the ends of its joints, while the other caught ones are limp and give way. Then
those fold, and that leg last. Which leg begins changes from one try to the next. A leg that
cannot go on, such as one that lies under the body with its hip at its end, is let be. So are all
legs of a robot that hops as it rises: that frees them sooner.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quad_learner.reset.config import ResetConfig
from quad_learner.reset.motion import Keyframe, Motion
from quad_learner.reset.path import furthest
from quad_learner.robot.model import RobotModel

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_TRIES = 2
"""in an attempt; then it rises all the same, which frees others"""
_REACH = 1.6
"""[rad] that a joint goes on at most, for some turn without end; the A1's upper joint, jammed at
2.6 rad, has so much left to its end at 4.18"""


class Untangle:
    """The tries to free the legs of one robot, from one fall until it stands."""

    def __init__(self, robot: RobotModel, motion: Motion, config: ResetConfig) -> None:
        """Args:
        robot: whose legs.
        motion: how it gets up.
        config: how fast it moves, and when a leg counts as caught.
        """
        self._robot = robot
        self._fold = motion.fold
        self._hops = bool(motion.rise)
        self._config = config
        self._legs = len(robot.feet)
        self.forget()

    def forget(self) -> None:
        """Begins as after the first fall."""
        self._tries = 0
        self.begin()

    def begin(self) -> None:
        """A new attempt to get up begins."""
        self._left = _TRIES

    def plan(self, joints: Array, velocity: Array) -> tuple[Keyframe, ...]:
        """Returns the poses of the next try; none where no leg can be freed so, or after enough.

        Args:
            joints: where they are, when all should be at the fold [rad], (joints,).
            velocity: of the joints [rad/s], (joints,); one that still moves is not caught.
        """
        astray = joints - self._fold
        still = np.abs(velocity) <= self._config.standing_joint_speed
        far = still & (np.abs(astray) > self._config.caught_error)
        caught = far.reshape(self._legs, -1).any(axis=1)
        low, high = self._robot.position_min, self._robot.position_max
        on = np.clip(joints + np.copysign(_REACH, astray), low, high)
        has_room = far & (np.abs(on - joints) > self._config.caught_error)
        legs = np.flatnonzero(has_room.reshape(self._legs, -1).any(axis=1))
        if self._hops or not len(legs) or self._left == 0:
            return ()
        self._left -= 1
        first = np.arange(self._legs) == legs[self._tries % len(legs)]
        self._tries += 1
        limp = self._joints_of(caught & ~first)
        away = np.where(self._joints_of(first) & far, on, self._fold)
        return (
            self._keyframe(joints, np.where(limp, joints, away), limp),
            self._keyframe(joints, away, None),
            self._keyframe(away, self._fold, None),
        )

    def _joints_of(self, legs: Mask) -> Mask:
        return np.repeat(legs, len(self._fold) // self._legs)

    def _keyframe(self, start: Array, end: Array, limp: Mask | None) -> Keyframe:
        seconds = max(self._config.blend_time, furthest(start, end) / self._config.move_speed)
        return Keyframe(seconds, end, limp)
