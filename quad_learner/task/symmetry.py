"""The robot's left-right symmetry, in the numbers of observation and action.

A step seen in a mirror is a step that could have happened too. The robot's YAML says which leg
takes the place of which (`mirror.leg_swap`), which joint within a leg (`mirror.joint_swap`) and
which joints turn the other way (`mirror.joint_sign`, one for each joint of a leg or one for each
joint); without that section there is no mirror.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quad_learner.configuration import ConfigurationError
from quad_learner.robot.model import RobotModel
from quad_learner.task.action import Oscillator, oscillator_of
from quad_learner.task.config import TaskConfig
from quad_learner.task.kinds import FORWARD, Kind, in_a_mirror
from quad_learner.task.observation import layout_of, seen_columns

Indices = NDArray[np.intp]
Signs = NDArray[np.float32]

LEAN_SIGN = (-1.0, 1.0)
"""roll turns over, pitch stays"""
RATE_SIGN = (-1.0, 1.0, -1.0)
"""angular velocity is an axial vector"""
VELOCITY_SIGN = (1.0, -1.0, 1.0)
COMMAND_SIGN = (1.0, -1.0, -1.0)
"""what is asked ahead stays, to the left and as a turn it is the other side's"""

_ENTRIES = ('leg_swap', 'joint_swap', 'joint_sign')


class Symmetry(NamedTuple):
    """mirrored[i] = sign[i] · original[index[i]]."""

    observation_index: Indices
    observation_sign: Signs
    action_index: Indices
    action_sign: Signs


class JointMirror(NamedTuple):
    """Joints and feet in a mirror: mirrored[i] = sign[i] · original[index[i]]."""

    joint_index: Indices
    joint_sign: Signs
    foot_index: Indices


def symmetry(robot: RobotModel, config: TaskConfig, kind: Kind = FORWARD) -> Symmetry | None:
    """Returns the symmetry of who learns task `kind`, None where there is none.

    A turn seen in a mirror is a turn to the other side: another task. One learner of both has it
    all the same: in the mirror it sees the other task.

    Raises:
        ConfigurationError: the section `mirror` of the robot's YAML does not fit its joints.
    """
    swap = joint_mirror(robot)
    taught_by = config.taught_by()
    taught_by.setdefault(kind, kind)
    learned = [task for task, by in taught_by.items() if by == taught_by[kind]]
    mirrored = [in_a_mirror(task) for task in learned]
    if swap is None or set(mirrored) != set(learned):
        return None
    phase = _phase_sign(oscillator_of(robot) if config.use_oscillator else None, swap)
    if phase is None:
        return None
    place = layout_of(robot, config)
    index = np.arange(place.size)
    sign = np.ones(place.size, np.float32)
    for part in (place.joint_position, place.joint_velocity, place.action):
        index[part] = part.start + swap.joint_index
        sign[part] = swap.joint_sign
    index[place.contact] = place.contact.start + swap.foot_index
    sign[place.lean] = LEAN_SIGN
    sign[place.angular_velocity] = RATE_SIGN
    sign[place.velocity] = VELOCITY_SIGN
    sign[place.heading] = -1.0
    sign[place.phase] = phase
    if config.commanded:
        sign[place.command] = COMMAND_SIGN
    if config.sees_task:
        index[place.task] = [place.task.start + learned.index(task) for task in mirrored]
    # Each part is its own image, so that what is left out leaves no gap.
    seen = seen_columns(place, config)
    index, sign = np.searchsorted(seen, index[seen]), sign[seen]
    frames = 1 + config.history
    indices = np.concatenate([index + seen.size * frame for frame in range(frames)])
    return Symmetry(indices, np.tile(sign, frames), swap.joint_index, swap.joint_sign)


def joint_mirror(robot: RobotModel) -> JointMirror | None:
    """Returns what the robot's section `mirror` says, None where it has none.

    Raises:
        ConfigurationError: it does not fit the robot's joints.
    """
    section = robot.sections.get('mirror')
    if section is None:
        return None
    if not isinstance(section, Mapping) or set(section) != set(_ENTRIES):
        raise ConfigurationError(
            f'robot {robot.name}: mirror = {section!r} must hold exactly {", ".join(_ENTRIES)}'
        )
    legs = _whole_numbers(robot, section, 'leg_swap')
    joints = _whole_numbers(robot, section, 'joint_swap')
    signs = _whole_numbers(robot, section, 'joint_sign')
    every = len(robot.joints)
    if len(legs) * len(joints) != every or len(signs) not in (len(joints), every):
        raise ConfigurationError(
            f'robot {robot.name}: mirror.leg_swap needs one number a leg, mirror.joint_swap one a '
            f'joint of a leg, mirror.joint_sign the same or one a joint ({every} joints in all)'
        )
    feet = len(robot.feet) // len(legs)
    if not np.isin(signs, (-1, 1)).all():
        raise ConfigurationError(
            f'robot {robot.name}: mirror.joint_sign = {signs.tolist()} must be 1 or -1 each'
        )
    swap = JointMirror(
        (legs[:, None] * len(joints) + joints[None, :]).ravel(),
        np.resize(signs, every).astype(np.float32),
        (legs[:, None] * feet + np.arange(feet)[None, :]).ravel(),
    )
    _check(robot, swap)
    return swap


def _whole_numbers(robot: RobotModel, section: Mapping[str, Any], name: str) -> Indices:
    values = section.get(name)
    if not isinstance(values, list) or not all(type(value) is int for value in values):
        raise ConfigurationError(
            f'robot {robot.name}: mirror.{name} = {values!r} must be a list of whole numbers'
        )
    return np.array(values, np.intp)


def _check(robot: RobotModel, swap: JointMirror) -> None:
    """Refuses a mirror that does not lead back, or in which the stance looks otherwise."""
    joints = np.arange(len(robot.joints))
    inside = np.isin(swap.joint_index, joints).all()
    if not inside or (swap.joint_index[swap.joint_index] != joints).any():
        raise ConfigurationError(
            f'robot {robot.name}: mirror.leg_swap and mirror.joint_swap must count from 0 and '
            'lead back to the start when done twice'
        )
    if (swap.joint_sign * swap.joint_sign[swap.joint_index] < 0).any():
        raise ConfigurationError(
            f'robot {robot.name}: mirror.joint_sign must be the same for two joints that take '
            "each other's place"
        )
    for name in ('stance', 'action_box'):
        values = getattr(robot, name)
        sign = swap.joint_sign if name == 'stance' else 1.0
        if not np.allclose(values, sign * values[swap.joint_index]):
            raise ConfigurationError(
                f'robot {robot.name}: joints.{name} = {values.tolist()} is not its own mirror '
                'image; correct the section mirror, or leave it out'
            )


def _phase_sign(oscillator: Oscillator | None, swap: JointMirror) -> float | None:
    """Returns what mirroring does to sine and cosine of the rhythm: nothing, or half a turn."""
    if oscillator is None:
        return 1.0
    if not np.allclose(
        oscillator.amplitude, swap.joint_sign * oscillator.amplitude[swap.joint_index]
    ):
        return None
    turn = oscillator.phase[swap.joint_index] - oscillator.phase
    for angle, sign in ((0.0, 1.0), (np.pi, -1.0)):
        if np.allclose(np.cos(turn - angle), 1.0):
            return sign
    return None
