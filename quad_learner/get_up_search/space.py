"""Roll-overs as vectors that a search may change freely, and back: every vector is a valid motion.

A motion is as the robot file has it: poses, each `{seconds, right, left}`. In the vector each pose
is log seconds, then the angles [rad] of the right and of the left legs. What comes back keeps the
margin of safety off the joints' limits, and takes so long that no joint is asked to go faster than
the target speed of reset, from the fold to the first pose and from each to the next.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quad_learner.configuration import ConfigurationError
from quad_learner.reset.motion import motion, right_feet
from quad_learner.robot.model import RobotModel
from quad_learner.safety.config import SafetyConfig
from quad_learner.task.symmetry import joint_mirror

Array = NDArray[np.float64]
Frames = list[dict[str, Any]]

SECONDS_LEAST, SECONDS_MOST = 0.1, 1.5
"""[s] of a pose: shorter ones throw the body, longer ones hold it against a wall of its own weight
(the slowest pose of a shipped robot takes 0.5 s; docs/new_robot.md tells of one of 1.5 s)"""
GUESSED_SECONDS = (0.1, 0.8)
"""[s] of a pose that is drawn at random: the Minitaur throws itself over in 0.23, not in 0.5"""
REACH = math.pi
"""[rad] from the fold that a pose is drawn at random: half a turn is anywhere"""
STRETCH = 2.0
"""of the way from fold to stance that a closed leg is stretched at random, at most"""
DIGITS = 2
"""of what is written into the file: 0.01 rad is below what a joint follows to"""
_GRID = 10.0**DIGITS
_ROUNDING = 1e-9
"""of a number on the grid: it may be a hair off, and is there all the same"""


class MotionSpace:
    """The roll-overs of one robot with so many poses."""

    def __init__(
        self, robot: RobotModel, safety: SafetyConfig, poses: int, legs_alike: bool
    ) -> None:
        """Args:
        robot: whose joints, limits, fold and right feet.
        safety: how far poses keep off the limits, and how fast targets may go.
        poses: of a motion, >= 1.
        legs_alike: the legs of one side move alike: one list of angles stands for each.

        Raises:
            ConfigurationError: `fold`, `right_feet` or `mirror` cannot be used, or there is no
                room.
        """
        self._speed = safety.reset_target_speed_rad_s
        self._poses = poses
        sides = _sides(robot)
        self._joints = len(robot.joints) // len(robot.feet)
        legs = 1 if legs_alike else len(robot.feet) // 2
        self._side = legs * self._joints
        margin = safety.position_margin_rad
        low, high = (_by_side(bound, sides) for bound in _bounds(robot, margin))
        fold, stance = (_by_side(pose, sides) for pose in (motion(robot).fold, robot.stance))
        if legs_alike:
            low, high = low.max(axis=1), high.min(axis=1)
            fold, stance = fold.mean(axis=1), stance.mean(axis=1)
        # Inwards to the grid on which the file's numbers are.
        self._low = np.ceil(low.reshape(-1) * _GRID - _ROUNDING) / _GRID
        self._high = np.floor(high.reshape(-1) * _GRID + _ROUNDING) / _GRID
        self._fold = fold.reshape(-1)
        self._stretch = (stance - fold).reshape(2, legs, self._joints)
        self._closed = bool(robot.loop_closures)
        if not (self._low <= self._high).all():
            raise ConfigurationError(
                f'robot {robot.name!r}: position_min to position_max, less the margin of {margin} '
                'rad, leaves a joint no room that all legs of a side have: correct joints'
            )

    @property
    def poses(self) -> int:
        """Of a motion."""
        return self._poses

    def frames(self, vector: Array) -> Frames:
        """Returns the motion of `vector`, (poses · (1 + angles),), as a robot file has it."""
        found, last = Frames(), self._fold
        for pose in vector.reshape(self._poses, -1):
            longest, shortest = math.log(SECONDS_MOST), math.log(SECONDS_LEAST)
            seconds = math.exp(min(max(pose[0], shortest), longest))
            angles = np.clip(np.round(pose[1:], DIGITS), self._low, self._high)
            seconds = max(seconds, float(np.abs(angles - last).max()) / self._speed)
            right, left = np.split(angles, 2)
            found.append(
                {
                    'seconds': math.ceil(seconds * _GRID - _ROUNDING) / _GRID,
                    'right': [round(angle, DIGITS) for angle in right.tolist()],
                    'left': [round(angle, DIGITS) for angle in left.tolist()],
                }
            )
            last = angles
        return found

    def vector(self, frames: Frames) -> Array:
        """Returns the vector of a motion of so many poses, as a robot file has it."""
        rows = [
            [math.log(frame['seconds']), *self._whole(frame['right']), *self._whole(frame['left'])]
            for frame in frames
        ]
        return np.array(rows, dtype=np.float64).reshape(-1)

    def outside(self, vector: Array) -> float:
        """Returns how far the angles of `vector` are outside what is allowed, squared [rad²]."""
        angles = vector.reshape(self._poses, -1)[:, 1:]
        beyond = np.maximum(self._low - angles, 0.0) + np.maximum(angles - self._high, 0.0)
        return float(np.square(beyond).sum())

    def guess(self, generator: np.random.Generator) -> Array:
        """Returns the vector of a motion at random: poses within half a turn of the fold.

        In one of three the right legs stay folded, in one the left, and the others push alone:
        legs that reach out on the side that comes down end beneath the body.
        """
        resting = np.repeat(np.arange(2) == generator.integers(3), self._side)
        against = bool(generator.integers(2))
        rows = [
            [
                math.log(generator.uniform(*GUESSED_SECONDS)),
                *np.where(resting, self._fold, self._pose(generator, against)),
            ]
            for _ in range(self._poses)
        ]
        return np.array(rows, dtype=np.float64).reshape(-1)

    def _pose(self, generator: np.random.Generator, against: bool) -> Array:
        """Returns angles at random; closed legs of one side turn as one, or `against` each other.

        Few angles of a closed leg fit together: those between fold and stance do, and on beyond
        it, however far the leg is turned. A turn is what is at right angles to that stretching,
        made as large again as what was drawn, or half a turn would hardly ever come up.
        """
        low = np.maximum(self._low, self._fold - REACH)
        high = np.maximum(low, np.minimum(self._high, self._fold + REACH))
        angles: Array = generator.uniform(low, high)
        if not self._closed:
            return angles
        along = self._stretch
        first = (angles - self._fold).reshape(along.shape)[:, :1]
        ways = np.where(np.arange(along.shape[1]) % 2, -1.0 if against else 1.0, 1.0)
        turn = first * ways[:, None]
        length = np.maximum(np.square(along).sum(axis=-1, keepdims=True), _ROUNDING)
        across = turn - (turn * along).sum(axis=-1, keepdims=True) / length * along
        across *= _largest(turn) / np.maximum(_largest(across), _ROUNDING)
        stretched = generator.uniform(0.0, STRETCH, (2, 1, 1)) * along
        posed = self._fold + (across + stretched).reshape(-1)
        return np.asarray(np.clip(posed, self._low, self._high))

    def _whole(self, angles: Sequence[float]) -> Array:
        """Returns the angles of a side, given for one leg or for all that this space tells."""
        return np.resize(np.array(angles, dtype=np.float64), self._side)


def are_alike(robot: RobotModel, frames: Frames) -> bool:
    """Returns whether a motion of a robot file gives one list for all legs of a side."""
    joints = len(robot.joints) // len(robot.feet)
    return all(len(frame[side]) == joints for frame in frames for side in ('right', 'left'))


def _largest(legs: Array) -> Array:
    """Returns the largest of each leg's angles, either way [rad], (2, legs of a side, 1)."""
    return np.asarray(np.abs(legs).max(axis=-1, keepdims=True))


def _sides(robot: RobotModel) -> tuple[list[int], list[int]]:
    """Returns the numbers of the right and of the left feet, in the order of a robot file."""
    section = robot.sections.get('reset') or {}
    for name in ('fold', 'right_feet'):
        if name not in section:
            raise ConfigurationError(
                f'robot {robot.name!r}, section reset: {name} is not there, and roll-overs begin '
                'with it; add it (docs/new_robot.md, "Getting up")'
            )
    right = right_feet(robot)
    return right, [foot for foot in range(len(robot.feet)) if foot not in right]


def _bounds(robot: RobotModel, margin: float) -> tuple[Array, Array]:
    """Returns between which angles [rad] a pose and its mirror image keep `margin` off limits."""
    low, high = robot.position_min + margin, robot.position_max - margin
    swap = joint_mirror(robot)
    if swap is None:
        raise ConfigurationError(
            f'robot {robot.name!r}: a robot that rolls over needs the section mirror; add it '
            '(docs/new_robot.md)'
        )
    ends = np.sort([swap.joint_sign * low, swap.joint_sign * high], axis=0)
    there = np.argsort(swap.joint_index)
    return np.maximum(low, ends[0][there]), np.minimum(high, ends[1][there])


def _by_side(values: Array, sides: tuple[list[int], list[int]]) -> Array:
    """Returns values, (joints,), as (2, legs of a side, joints of a leg), right legs first."""
    legs = values.reshape(len(sides[0]) + len(sides[1]), -1)
    return np.stack([legs[list(side)] for side in sides])
