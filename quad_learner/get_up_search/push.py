"""Guesses that push: of several at random, the legs of each side from the one that pushes most.

Who lies on the back is turned over by feet that reach the ground through the back and push the
left side up; who lies on the right side, by feet that push the back up. So the way of the feet
from the last pose but one to the last is worth, by the kinematics of the legs alone,

    Σ max(way towards the ground − way along it, 0) · lever      where the foot is on that side

A push on the other side of the middle counts against it, so that the legs there are those of a
guess in which they stay folded or off the ground.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from quad_learner.get_up_search.space import SECONDS_LEAST, MotionSpace
from quad_learner.get_up_search.workers import with_motions
from quad_learner.reset.motion import motion, right_feet
from quad_learner.robot.kinematics import LegKinematics
from quad_learner.robot.model import RobotModel

Array = NDArray[np.float64]

GROUND_AND_LEVER = {
    'from_back': ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0)),
    'from_side': ((0.0, -1.0, 0.0), (0.0, 0.0, 1.0)),
}
"""by motion: where the ground is, and which way from the middle a push there turns the robot over
its right side, body frame"""
GUESSES = 48
"""motions at random that one is put together from: in one of them a side pushes well"""
STEPS = 6
"""of the way to each pose that feet are looked at"""


class Pushing:
    """Guesses, of one motion of one robot, that push."""

    def __init__(self, robot: RobotModel, name: str, space: MotionSpace) -> None:
        """Args:
        robot: whose legs.
        name: of the motion, as in `GROUND_AND_LEVER`.
        space: the motions that there are.

        Raises:
            ConfigurationError: the robot file does not fit its URDF.
        """
        self._robot = robot
        self._name = name
        self._space = space
        self._legs = LegKinematics(robot)
        self._ground, self._lever = (np.array(axis) for axis in GROUND_AND_LEVER[name])
        right = right_feet(robot)
        self._right = np.array([foot in right for foot in range(len(robot.feet))])

    def guess(self, generator: np.random.Generator) -> Array:
        """Returns the vector of a motion, whose last pose comes as quickly as it may."""
        guesses = [self._space.guess(generator) for _ in range(GUESSES)]
        worth = np.array([self._worth(guess) for guess in guesses])
        right, left = (guesses[index] for index in np.argmax(worth, axis=0).tolist())
        poses = self._space.poses
        rows = left.reshape(poses, -1).copy()
        of_right = slice(1, 1 + (rows.shape[1] - 1) // 2)
        rows[:, of_right] = right.reshape(poses, -1)[:, of_right]
        rows[-1, 0] = math.log(SECONDS_LEAST)
        return np.asarray(rows.reshape(-1))

    def _worth(self, vector: Array) -> tuple[float, float]:
        """Returns how well the right and the left legs push [m²]."""
        moves = motion(with_motions(self._robot, **{self._name: self._space.frames(vector)}))
        frames = getattr(moves, self._name)
        self._legs.reset()
        feet = self._way([moves.fold, *(frame.position for frame in frames)])[-STEPS - 1 :]
        way = np.diff(feet, axis=0)
        down = way @ self._ground
        along = np.linalg.norm(way - down[..., None] * self._ground, axis=-1)
        on_ground = feet[1:] @ self._ground > 0.0
        pushes = np.maximum(down - along, 0.0) * on_ground
        worth = (pushes * (feet[1:] @ self._lever)).sum(axis=0)
        return float(worth[self._right].sum()), float(worth[~self._right].sum())

    def _way(self, poses: Sequence[Array]) -> Array:
        """Returns where the feet come through, from pose to pose [m], (steps, feet, 3)."""
        still = np.zeros_like(poses[0])
        places = [self._legs.solve(poses[0], still).position]
        for start, goal in pairwise(poses):
            for share in np.linspace(0.0, 1.0, STEPS + 1)[1:]:
                places.append(self._legs.solve(start + share * (goal - start), still).position)
        return np.array(places)
