"""The joint angles that get one robot up, read from the `reset` section of its YAML.

A roll-over is written once, for a body with its right side down; for the other side it is
mirrored by the robot's `mirror` section. A robot without roll-overs folds, rises, and otherwise
says that it cannot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quad_learner.configuration import ConfigurationError
from quad_learner.robot.model import RobotModel

Array = NDArray[np.float64]

_KNOWN = (
    'stiffness',
    'fold',
    'fold_first',
    'right_feet',
    'from_side',
    'from_back',
    'rise',
    'rise_again',
)

MOTIONS = ('from_side', 'from_back', 'rise', 'rise_again')
"""entries that are poses which follow each other"""


@dataclass(frozen=True)
class Keyframe:
    """One pose of a motion."""

    seconds: float
    """time to get there from the pose before [s]"""
    position: Array
    """[rad], (joints,)"""
    limp: NDArray[np.bool_] | None = None
    """joints that are left limp meanwhile, (joints,); None: none"""


@dataclass(frozen=True)
class Motion:
    """How one robot gets up. Every pose lies within the robot's position limits."""

    stiffness: float
    """of the robot's kp, while it moves"""
    fold: Array
    """legs tucked, feet off the ground when the body lies on its belly [rad], (joints,)"""
    fold_first: NDArray[np.bool_]
    """joints that go there before the others, so that no leg is caught on the body, (joints,)"""
    from_side: tuple[Keyframe, ...]
    """rolls a body from its right side to its belly; empty: the robot has no such motion"""
    from_back: tuple[Keyframe, ...]
    """rolls a body that leans to the right from its back to its side or belly; or empty"""
    rise: tuple[Keyframe, ...]
    """between `fold` and stance each time it rises; empty: straight there"""
    rise_again: tuple[Keyframe, ...]
    """before those, where it has not come to stand before"""
    from_left_side: tuple[Keyframe, ...]
    from_left_back: tuple[Keyframe, ...]

    def poses_to_rise(self, attempt: int) -> list[Keyframe]:
        """Returns the poses between `fold` and stance: `rise`, from the second attempt on more.

        In turns with `rise` alone, if there is one: what frees a leg may catch another.

        Args:
            attempt: to get up, from 1.
        """
        again = attempt > 1 and not (self.rise and attempt % 2)
        return [*(self.rise_again if again else ()), *self.rise]


def motion(robot: RobotModel) -> Motion:
    """Returns how `robot` gets up; a robot without a `reset` section folds into its stance.

    Raises:
        ConfigurationError: the section has an unknown entry, or one of the wrong shape.
    """
    section = robot.sections.get('reset') or {}
    return _Reader(robot, section).motion()


def right_feet(robot: RobotModel) -> list[int]:
    """Returns the numbers of the feet on the right, in the order in which poses give their legs.

    Raises:
        ConfigurationError: the section does not name half of the robot's feet.
    """
    return _Reader(robot, robot.sections.get('reset') or {}).right_feet()


class _Reader:
    """Reads one `reset` section, naming the robot and the entry in each error."""

    def __init__(self, robot: RobotModel, section: Any) -> None:
        self._robot = robot
        self._section = section
        self._joints = len(robot.joints)
        self._per_leg = self._joints // max(1, len(robot.feet))

    def motion(self) -> Motion:
        """Returns the motion.

        Raises:
            ConfigurationError: an entry is unknown or has the wrong shape.
        """
        if not isinstance(self._section, Mapping):
            raise self._error('reset', self._section, 'must be a mapping of entries')
        for name in self._section:
            if name not in _KNOWN:
                raise self._error(name, self._section[name], f'is not one of {", ".join(_KNOWN)}')
        fold = self._fold()
        sides = {name: self._keyframes(name) for name in MOTIONS}
        return Motion(
            stiffness=self._stiffness(),
            fold=self._within(fold),
            fold_first=self._fold_first(),
            from_side=self._poses(sides['from_side'], mirrored=False),
            from_back=self._poses(sides['from_back'], mirrored=False),
            rise=self._poses(sides['rise'], mirrored=False),
            rise_again=self._poses(sides['rise_again'], mirrored=False),
            from_left_side=self._poses(sides['from_side'], mirrored=True),
            from_left_back=self._poses(sides['from_back'], mirrored=True),
        )

    def _error(self, name: str, value: Any, rule: str) -> ConfigurationError:
        return ConfigurationError(
            f'robot {self._robot.name!r}, section reset: {name} = {value!r}: {rule}'
        )

    def _stiffness(self) -> float:
        value = self._section.get('stiffness', 1.0)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0.0:
            raise self._error('stiffness', value, "must be a number above 0, times the robot's kp")
        return float(value)

    def _leg(self, name: str, value: Any) -> Array:
        try:
            array = np.array(value, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise self._error(name, value, 'must be a list of numbers') from error
        if array.shape != (self._per_leg,) or not np.isfinite(array).all():
            raise self._error(name, value, f'must be {self._per_leg} finite numbers, one a joint')
        return array

    def _fold(self) -> Array:
        value = self._section.get('fold')
        if value is None:
            return self._robot.stance
        legs = len(self._robot.feet)
        return np.resize(self._legs('fold', value, legs), self._joints)

    def _fold_first(self) -> NDArray[np.bool_]:
        names = self._section.get('fold_first') or []
        if not isinstance(names, list):
            raise self._error('fold_first', names, 'must be a list of joints')
        names = [str(name) for name in names]  # YAML reads a name such as 10 as a number
        for name in names:
            if name not in self._robot.joints:
                known = ', '.join(self._robot.joints)
                raise self._error('fold_first', name, f'is not one of {known}')
        return np.array([joint in names for joint in self._robot.joints])

    def _keyframes(self, name: str) -> list[tuple[float, Array, Array]]:
        frames, items = [], self._section.get(name, [])
        if not isinstance(items, list):
            raise self._error(name, items, 'must be a list of poses')
        for item in items:
            if not isinstance(item, Mapping) or set(item) != {'seconds', 'right', 'left'}:
                raise self._error(name, item, 'must hold exactly seconds, right and left')
            seconds = item['seconds']
            if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or seconds <= 0:
                raise self._error(f'{name}.seconds', seconds, 'must be a number above 0 [s]')
            right, left = (
                self._legs(f'{name}.{side}', item[side], len(self._robot.feet) // 2)
                for side in ('right', 'left')
            )
            frames.append((float(seconds), right, left))
        return frames

    def _legs(self, name: str, value: Any, legs: int) -> Array:
        """Returns a number a joint, for one leg or `legs`, (1 or legs, joints of a leg)."""
        if not isinstance(value, list) or len(value) != legs * self._per_leg:
            return self._leg(name, value)[np.newaxis]
        starts = range(0, len(value), self._per_leg)
        return np.stack(
            [self._leg(name, value[start : start + self._per_leg]) for start in starts]
        )

    def _poses(
        self, frames: list[tuple[float, Array, Array]], mirrored: bool
    ) -> tuple[Keyframe, ...]:
        if not frames:
            return ()
        right = self.right_feet()
        left = [i for i in range(len(self._robot.feet)) if i not in right]
        poses = []
        for seconds, of_right, of_left in frames:
            position = np.empty((len(self._robot.feet), self._per_leg))
            position[right], position[left] = of_right, of_left
            if mirrored:
                position = self._mirror_image(position)
            poses.append(Keyframe(seconds, self._within(position.reshape(-1))))
        return tuple(poses)

    def right_feet(self) -> list[int]:
        """Returns the numbers of the feet on the right.

        Raises:
            ConfigurationError: half of the feet are not named.
        """
        feet = self._section.get('right_feet')
        if not isinstance(feet, list) or not feet:
            raise self._error('right_feet', feet, 'must name the feet on the right')
        for foot in feet:
            if foot not in self._robot.feet:
                raise self._error(
                    'right_feet', foot, f'is not one of {", ".join(self._robot.feet)}'
                )
        found = [self._robot.feet.index(foot) for foot in feet]
        if 2 * len(set(found)) != len(self._robot.feet):
            half = len(self._robot.feet) // 2
            raise self._error('right_feet', feet, f'must name the {half} feet on the right')
        return found

    def _mirror_image(self, position: Array) -> Array:
        """Returns the pose of the body's mirror image; `position` is (legs, joints of a leg)."""
        section = self._robot.sections.get('mirror')
        if not isinstance(section, Mapping):
            raise self._error('mirror', section, 'a robot that rolls over needs this section')
        legs, joints = section.get('leg_swap'), section.get('joint_swap')
        for name, order, size in (
            ('leg_swap', legs, len(position)),
            ('joint_swap', joints, self._per_leg),
        ):
            if not isinstance(order, list) or sorted(order) != list(range(size)):
                raise self._error(
                    f'mirror.{name}', order, f'must be 0 to {size - 1} in some order'
                )
        sign = self._legs('mirror.joint_sign', section.get('joint_sign'), len(position))
        return np.asarray(position[legs][:, joints] * sign)

    def _within(self, position: Array) -> Array:
        clipped = np.clip(position, self._robot.position_min, self._robot.position_max)
        clipped.setflags(write=False)
        return clipped
