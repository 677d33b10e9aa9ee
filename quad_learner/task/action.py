"""From the policy's numbers to joint targets and back.

target = stance + rhythm(phase) + action_box · action, with every action in −1 … 1.

The rhythm is an optional oscillator prior that lifts the feet in turn without going anywhere: each
joint of leg l is offset by amplitude · max(0, sin(2π f t + phase_l)) (after the joint-space
oscillators of Raffin et al. 2023, arXiv 2310.05808). Where the robot's YAML has no `oscillator`,
or the task switches it off, the rhythm is zero and the action is the whole of the motion.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quad_learner.configuration import ConfigurationError
from quad_learner.robot.entries import is_number
from quad_learner.robot.model import RobotModel

Array = NDArray[np.float64]

_ENTRIES = ('frequency_hz', 'leg_phase', 'amplitude')


@dataclass(frozen=True)
class Oscillator:
    """A stepping rhythm: one rectified sine a joint, one frequency for all."""

    frequency_hz: float
    amplitude: Array
    """[rad], (joints,)"""
    phase: Array
    """[rad], (joints,)"""
    leg_phase: Array
    """[rad], (legs,)"""

    def swing(self, time_s: float) -> Array:
        """Returns where each leg is in its stride, (legs,), `time_s` [s] after the rhythm began.

        0 … 1 as far as the rhythm lifts it; 0 … −1 while the leg is to stand, −1 half way through.
        """
        angle = 2.0 * np.pi * self.frequency_hz * time_s
        return np.sin(angle + self.leg_phase)

    def offset(self, time_s: float) -> Array:
        """Returns the joint offsets [rad], (joints,), `time_s` [s] after the rhythm began."""
        angle = 2.0 * np.pi * self.frequency_hz * time_s
        return self.amplitude * np.maximum(0.0, np.sin(angle + self.phase))


def oscillator_of(robot: RobotModel) -> Oscillator | None:
    """Returns the rhythm in the robot's YAML, or None where it has none.

    Raises:
        ConfigurationError: the section is there but is not as docs/new_robot.md says.
    """
    section = robot.sections.get('oscillator')
    if section is None:
        return None
    if not isinstance(section, Mapping) or set(section) != set(_ENTRIES):
        raise ConfigurationError(
            f'robot {robot.name}: oscillator = {section!r} must hold exactly {", ".join(_ENTRIES)}'
        )
    joints = len(robot.joints)
    amplitude = _numbers(section, 'amplitude', robot)
    phase = _numbers(section, 'leg_phase', robot)
    legs = len(phase)
    fits = legs > 0 and joints % legs == 0 and len(amplitude) in (joints, joints // legs)
    if not fits:
        raise ConfigurationError(
            f'robot {robot.name}: oscillator.leg_phase needs one number a leg and '
            'oscillator.amplitude one a joint of a leg, or one a joint '
            f'({joints} joints in all)'
        )
    repeats = joints // len(amplitude)
    return Oscillator(
        _frequency(section, robot),
        np.tile(amplitude, repeats),
        np.repeat(phase, joints // legs),
        phase,
    )


def _frequency(section: Mapping[str, Any], robot: RobotModel) -> float:
    value = section['frequency_hz']
    if not is_number(value) or not value > 0.0:
        raise ConfigurationError(
            f'robot {robot.name}: oscillator.frequency_hz = {value!r} must be one number above 0'
        )
    return float(value)


def _numbers(section: Mapping[str, Any], name: str, robot: RobotModel) -> Array:
    values = section[name]
    if not isinstance(values, list) or not all(is_number(value) for value in values):
        raise ConfigurationError(
            f'robot {robot.name}: oscillator.{name} = {values!r} must be a list of finite numbers'
        )
    return np.array(values, dtype=np.float64)


class ActionMap:
    """Turns actions into joint targets at a phase of the rhythm, and targets back into actions."""

    def __init__(self, robot: RobotModel, oscillator: Oscillator | None) -> None:
        self._robot = robot
        self._oscillator = oscillator
        self.size = len(robot.joints)

    def phase_features(self, time_s: float) -> Array:
        """Returns the rhythm's sine and cosine, (2,), zeros without a rhythm."""
        if self._oscillator is None:
            return np.zeros(2)
        angle = 2.0 * np.pi * self._oscillator.frequency_hz * time_s
        return np.array((math.sin(angle), math.cos(angle)))

    def target(self, action: Array, time_s: float) -> Array:
        """Returns the joint positions [rad], (joints,), that `action` (joints,) asks for."""
        position = self._centre(time_s) + self._robot.action_box * _unit(action)
        return np.minimum(np.maximum(position, self._robot.position_min), self._robot.position_max)

    def action(self, position: Array, time_s: float) -> Array:
        """Returns the action, −1 … 1, (joints,), that would have asked for `position` [rad]."""
        return _unit((position - self._centre(time_s)) / self._robot.action_box)

    def _centre(self, time_s: float) -> Array:
        if self._oscillator is None:
            return self._robot.stance
        return self._robot.stance + self._oscillator.offset(time_s)


def _unit(action: Array) -> Array:
    return np.minimum(np.maximum(action, -1.0), 1.0)
