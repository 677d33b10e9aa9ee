"""When the robot should rest: hand-made warmth and charge against limits written out here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from quad_learner.reset.config import ResetConfig
from quad_learner.reset.fatigue import Fatigue
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import Health

HOTTEST = 7


def felt(fatigue: Fatigue, warmest: float = 30.0, charge: float = 0.9) -> str:
    """Returns the cause after one more look at the robot."""
    temperature = np.full(12, 30.0)
    temperature[HOTTEST] = warmest
    fatigue.feel(Health(0, 24.0, charge, temperature))
    return fatigue.cause


@pytest.fixture
def fatigue(robot: RobotModel, config: ResetConfig) -> Fatigue:
    limits = {'rest_temperature_margin': 4.0, 'rest_cooling': 5.0}
    charges = {'rest_charge': 0.2, 'rest_charge_gain': 0.3}
    robot = replace(robot, motor_temperature_max=70.0)
    return Fatigue(robot, replace(config, **limits, **charges))


def test_hot_motors_rest_before_their_limit_until_they_are_cool(fatigue: Fatigue) -> None:
    tired = [bool(felt(fatigue, warmth)) for warmth in (65.9, 66.1, 61.1, 60.9, 65.9)]
    assert tired == [False, True, True, False, False]


def test_a_low_battery_rests_until_it_is_charged(fatigue: Fatigue) -> None:
    tired = [bool(felt(fatigue, charge=charge)) for charge in (0.21, 0.19, 0.49, 0.51, 0.21)]
    assert tired == [False, True, True, False, False]


def test_the_cause_names_motor_and_charge(fatigue: Fatigue, robot: RobotModel) -> None:
    cause = felt(fatigue, 68.0, 0.1)
    assert robot.joints[HOTTEST] in cause
    assert '68 °C' in cause
    assert '10 %' in cause


def test_what_is_unknown_asks_for_no_rest(fatigue: Fatigue) -> None:
    fatigue.feel(None)
    fatigue.feel(Health(0, np.nan, np.nan, np.full(12, np.nan)))
    assert fatigue.cause == ''


def test_one_motor_without_a_sensor_hides_no_hot_one(fatigue: Fatigue) -> None:
    temperature = np.full(12, np.nan)
    temperature[HOTTEST] = 69.0
    fatigue.feel(Health(0, 24.0, 0.9, temperature))
    assert fatigue.cause != ''
