"""What people are told was measured when the robot was stopped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from quad_learner.robot.model import load
from quad_learner.robot.signals import Health, SensorSample
from quad_learner.safety.evidence import evidence
from quad_learner.safety.modes import Reason

A1 = load('a1')
JOINTS = len(A1.joints)
STILL = SensorSample(
    time_ns=0,
    joint_position=A1.stance,
    joint_velocity=np.zeros(JOINTS),
    joint_effort=np.zeros(JOINTS),
    orientation=np.array((0.0, 0.0, 0.0, 1.0)),
    angular_velocity=np.zeros(3),
    specific_force=np.zeros(3),
    foot_force=np.zeros(4),
)
WARM = Health(0, 21.04, 0.094, np.array([40.0] * 7 + [81.6] + [40.0] * 4))


def test_the_joint_is_named_that_is_fastest_for_its_motor() -> None:
    unlike = replace(A1, speed_max=np.array([10.0] * 5 + [30.0] * 7))
    speeds = np.zeros(JOINTS)
    speeds[2], speeds[9] = -15.0, 33.0  # 1.5 and 1.1 times
    told = evidence(Reason.OVER_SPEED, replace(STILL, joint_velocity=speeds), None, unlike)
    assert told == f'{A1.joints[2]} at -15.0 rad/s, 1.5 times its speed_max'


@pytest.mark.parametrize(
    ('reasons', 'words'),
    [
        (Reason.OVER_TEMPERATURE, f'{A1.joints[7]} at 82 °C'),
        (Reason.LOW_BATTERY, 'battery at 9 %, 21.0 V'),
        (Reason.TILT | Reason.LOW_BATTERY, 'roll 90°, pitch 0°; battery at 9 %, 21.0 V'),
        (Reason.SENSORS_STALE | Reason.OPERATOR, ''),
        (Reason.NONE, ''),
    ],
)
def test_what_was_measured_is_told(reasons: Reason, words: str) -> None:
    on_its_side = np.array((np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)))
    assert evidence(reasons, replace(STILL, orientation=on_its_side), WARM, A1) == words


def test_without_measurements_nothing_is_told() -> None:
    every = Reason.OVER_SPEED | Reason.TILT | Reason.OVER_TEMPERATURE | Reason.LOW_BATTERY
    assert evidence(every, None, None, A1) == ''


@pytest.mark.parametrize('odd', [np.nan, np.inf, -np.inf, 1e300])
def test_whatever_was_measured_something_is_told_and_nothing_raises(odd: float) -> None:
    every = Reason.OVER_SPEED | Reason.TILT | Reason.OVER_TEMPERATURE | Reason.LOW_BATTERY
    joints = np.full(JOINTS, odd)
    sample = replace(STILL, joint_velocity=joints, orientation=np.full(4, odd))
    with np.errstate(all='ignore'):
        told = evidence(every, sample, Health(0, odd, odd, joints), A1)
    for words in ('rad/s', 'roll', '°C', 'battery'):
        assert words in told
