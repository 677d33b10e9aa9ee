"""When the robot should rest: hand-made warmth and charge against limits written out here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from quad_learner import configuration
from quad_learner.reset.config import ResetConfig
from quad_learner.reset.fatigue import Fatigue
from quad_learner.resources import config_directory
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import Health
from quad_learner.simulation.config import SimulationConfig
from quad_learner.simulation.energy import Energy

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
    charges = {'rest_charge': 0.2, 'rest_charge_gain': 0.3, 'rest_voltage': 0.1}
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


def sags(fatigue: Fatigue, readings: list[tuple[float, float]]) -> list[bool]:
    """Returns whether it is tired after each reading of voltage and charge, one a second."""
    tired = []
    for second, (voltage, charge) in enumerate(readings):
        time_ns = second * 1_000_000_000
        fatigue.feel(Health(time_ns, voltage, charge, np.full(12, 30.0)))
        tired.append(fatigue.tired)
    return tired


def test_a_voltage_that_sags_while_it_walks_is_a_low_battery(fatigue: Fatigue) -> None:
    """A tenth of the way from 19.8 to 25.2 V is 20.34 V."""
    assert sags(fatigue, [(20.3, 0.5)] * 3) == [False, False, True], 'two seconds of it'
    assert '50 %' in fatigue.cause
    assert '20.3 V' in fatigue.cause


def test_one_low_reading_is_a_stumble(fatigue: Fatigue) -> None:
    assert not any(sags(fatigue, [(20.3, 0.5), (20.3, 0.5), (20.4, 0.5)] * 5))


def test_a_battery_that_sagged_is_charged_though_its_voltage_comes_back(
    fatigue: Fatigue,
) -> None:
    assert sags(fatigue, [(20.0, 0.4)] * 3)[-1]
    assert sags(fatigue, [(23.0, 0.4), (23.5, 0.69), (24.0, 0.71)]) == [True, True, False]


def test_a_battery_that_sags_when_nearly_full_does_not_rest_for_ever(fatigue: Fatigue) -> None:
    assert sags(fatigue, [(20.0, 0.9)] * 3)[-1]
    assert sags(fatigue, [(25.0, 0.94), (25.0, 0.96)]) == [True, False]


def test_who_tells_no_charge_has_as_much_as_its_voltage_says(fatigue: Fatigue) -> None:
    """0.2 and 0.2 + 0.3 of the way from 19.8 to 25.2 V: 20.88 V and 22.5 V."""
    readings = [(20.9, np.nan), (20.8, np.nan), (22.4, np.nan), (22.6, np.nan)]
    assert sags(fatigue, readings) == [False, True, True, False]


def test_a_charge_that_no_battery_reaches_is_refused(config: ResetConfig) -> None:
    with pytest.raises(ValueError, match=r'rest_charge = 0\.95 and rest_charge_gain = 0\.1'):
        replace(config, rest_charge=0.95, rest_charge_gain=0.1)
    replace(config, rest_charge=0.9, rest_charge_gain=0.1)


@pytest.mark.parametrize('watts', [200.0, 300.0, 400.0])
def test_without_a_charger_it_rests_before_safety_would_stop_it(
    robot: RobotModel, config: ResetConfig, watts: float
) -> None:
    """Ten seconds of walking, three of standing, from a battery at 30 % down to the rest."""
    alone = {'initial_charge': 0.3, 'charger_w': 0.0}
    simulation = configuration.read(
        SimulationConfig, config_directory() / 'simulation.yaml', alone
    )
    battery, fatigue = Energy(robot, simulation), Fatigue(robot, config)
    torque = np.ones((1, 12))
    walking, standing = torque * watts / 12.0, torque * 0.0
    second, lowest_v = 0, robot.battery_full_voltage
    while not fatigue.tired:
        for speed in [walking] * 10 + [standing] * 3:
            second += 1
            battery.spend(torque, speed, 1.0)
            health = battery.health(second * 1_000_000_000)
            fatigue.feel(health)
            lowest_v = min(lowest_v, health.battery_voltage)
    assert lowest_v > robot.battery_empty_voltage
    assert health.battery_charge > 0.1
