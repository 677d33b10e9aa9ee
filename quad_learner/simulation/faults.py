"""Faults put into sensor samples on their way out, declared as short texts.

'kind@start+duration' or 'kind:joint@start+duration', in seconds of simulated time. A new kind is
one function in `KINDS`. Faults serve tests and studies of the layers above.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from quad_learner.configuration import ConfigurationError
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import NANOSECONDS, SensorSample

NO_FAULT = 'none'
_FORM = re.compile(
    r'(?P<kind>\w+)(:(?P<joint>\w+))?@(?P<start>\d+(\.\d+)?)\+(?P<duration>\d+(\.\d+)?)'
)


@dataclass(frozen=True)
class Fault:
    """One fault and when it is present."""

    kind: str
    joint: int
    """index of the joint it strikes; −1: not about a joint"""
    start_ns: int
    end_ns: int


Change = Callable[[SensorSample, SensorSample, int], SensorSample]
"""(sample, the last good sample, joint) -> the sample with the fault in it"""


def _nan_joint(sample: SensorSample, held: SensorSample, joint: int) -> SensorSample:
    position = sample.joint_position.copy()
    position[joint] = np.nan
    return dataclasses.replace(sample, joint_position=position)


def _stuck_joint(sample: SensorSample, held: SensorSample, joint: int) -> SensorSample:
    position, velocity = sample.joint_position.copy(), sample.joint_velocity.copy()
    position[joint], velocity[joint] = held.joint_position[joint], 0.0
    return dataclasses.replace(sample, joint_position=position, joint_velocity=velocity)


def _flipped_joint(sample: SensorSample, held: SensorSample, joint: int) -> SensorSample:
    position, velocity = sample.joint_position.copy(), sample.joint_velocity.copy()
    position[joint], velocity[joint] = -position[joint], -velocity[joint]
    return dataclasses.replace(sample, joint_position=position, joint_velocity=velocity)


def _frozen_imu(sample: SensorSample, held: SensorSample, joint: int) -> SensorSample:
    return dataclasses.replace(
        sample,
        orientation=held.orientation,
        angular_velocity=held.angular_velocity,
        specific_force=held.specific_force,
    )


def _zero_imu(sample: SensorSample, held: SensorSample, joint: int) -> SensorSample:
    return dataclasses.replace(
        sample,
        orientation=np.zeros_like(sample.orientation),
        angular_velocity=np.zeros_like(sample.angular_velocity),
        specific_force=np.zeros_like(sample.specific_force),
    )


def _no_foot_force(sample: SensorSample, held: SensorSample, joint: int) -> SensorSample:
    return dataclasses.replace(sample, foot_force=np.zeros_like(sample.foot_force))


def _dropped_sample(sample: SensorSample, held: SensorSample, joint: int) -> SensorSample:
    return held


KINDS: Mapping[str, Change] = {
    'nan_joint': _nan_joint,
    'stuck_joint': _stuck_joint,
    'flipped_joint': _flipped_joint,
    'frozen_imu': _frozen_imu,
    'zero_imu': _zero_imu,
    'no_foot_force': _no_foot_force,
    'dropped_sample': _dropped_sample,
}
"""Every kind of fault. `dropped_sample` gives the last good sample again, old stamp and all."""


class FaultInjector:
    """Puts the declared faults into the samples that pass through."""

    def __init__(self, robot: RobotModel, declarations: tuple[str, ...]) -> None:
        """Reads the declarations.

        Raises:
            ConfigurationError: a declaration has another form, or names no kind or joint known.
        """
        self._faults = [parse(text, robot) for text in declarations if text != NO_FAULT]
        self._held: SensorSample | None = None

    def apply(self, sample: SensorSample) -> SensorSample:
        """Returns `sample` with the faults of its time in it."""
        active = [f for f in self._faults if f.start_ns <= sample.time_ns < f.end_ns]
        if not active or self._held is None:
            self._held = sample
            return sample
        for fault in active:
            sample = KINDS[fault.kind](sample, self._held, fault.joint)
        return sample


def parse(text: str, robot: RobotModel) -> Fault:
    """Returns the fault that `text` declares.

    Raises:
        ConfigurationError: wrong form, unknown kind or joint, or a joint missing or too many.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ConfigurationError(
            f'fault {text!r} must read kind@start+duration or kind:joint@start+duration [s], '
            "such as 'frozen_imu@10+0.5'"
        )
    kind, joint = match['kind'], match['joint']
    if kind not in KINDS:
        raise ConfigurationError(f'fault {text!r}: choose a kind of {", ".join(sorted(KINDS))}')
    if kind.endswith('_joint') != (joint is not None):
        raise ConfigurationError(
            f'fault {text!r}: only the kinds …_joint take a joint, and they need it'
        )
    if joint is not None and joint not in robot.joints:
        raise ConfigurationError(f'fault {text!r}: choose a joint of {", ".join(robot.joints)}')
    start = round(float(match['start']) * NANOSECONDS)
    end = start + round(float(match['duration']) * NANOSECONDS)
    return Fault(kind, -1 if joint is None else robot.joints.index(joint), start, end)
