"""Claims about battery and warmth."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from quad_learner.configuration import ConfigurationError
from quad_learner.robot.model import RobotModel
from quad_learner.simulation.config import SimulationConfig
from quad_learner.simulation.energy import Energy

Make = Callable[..., Energy]

FACTS = {
    'inertia_from_urdf': True,
    'joint_stops': False,
    'pass_through': [],
    'copper_loss': 0.5,
    'heat_capacity': 200.0,
    'cooling': 0.4,
    'idle_power': 20.0,
    'battery_resistance': 0.1,
}
NOTHING = np.zeros((5, 12))


@pytest.fixture
def robot(a1: RobotModel) -> RobotModel:
    return dataclasses.replace(
        a1,
        sections={'simulation': FACTS},
        battery_capacity=100.0,
        battery_full_voltage=25.0,
        battery_empty_voltage=20.0,
    )


@pytest.fixture
def energy(configure: Callable[..., SimulationConfig]) -> Make:
    """Gives `energy(robot, **overrides)` in air of 20 °C."""

    def make(robot: RobotModel, **overrides: object) -> Energy:
        surroundings = {'ambient_temperature_c': 20.0, 'charger_w': 0.0}
        return Energy(robot, configure(**(surroundings | overrides)))

    return make


def test_an_idle_robot_lives_as_long_as_its_battery(robot: RobotModel, energy: Make) -> None:
    battery = energy(robot)
    battery.spend(NOTHING, NOTHING, 3600.0)
    # 20 W for an hour out of 100 W·h.
    assert battery.health(0).battery_charge == pytest.approx(0.8)


def test_the_battery_is_never_emptier_than_empty(robot: RobotModel, energy: Make) -> None:
    battery = energy(robot, initial_charge=0.1)
    battery.spend(NOTHING, NOTHING, 1e6)
    assert battery.health(0).battery_charge == 0.0


def test_a_charger_fills_the_battery_of_who_draws_less_up_to_the_brim(
    robot: RobotModel, energy: Make
) -> None:
    battery = energy(robot, initial_charge=0.5, charger_w=30.0)
    charges = []
    for _ in range(3):
        battery.spend(NOTHING, NOTHING, 2.0 * 3600.0)
        charges.append(battery.health(0).battery_charge)
    # 30 W come in and 20 W are drawn: 20 W·h of 100 in two hours.
    assert charges == pytest.approx([0.7, 0.9, 1.0])


def test_who_draws_more_than_the_charger_gives_lives_on_the_battery(
    robot: RobotModel, energy: Make
) -> None:
    battery = energy(robot, charger_w=15.0)
    battery.spend(NOTHING, NOTHING, 3600.0)
    assert battery.health(0).battery_charge == pytest.approx(0.95)
    # Only what the battery itself gives drops its voltage: 0.1 Ω · 5 W, at 25 V of 20 to 25.
    full = energy(robot, charger_w=15.0)
    full.spend(NOTHING, NOTHING, 0.0)
    assert full.health(0).battery_voltage == pytest.approx(25.0 - 0.1 * 5.0 / 25.0)


def test_work_and_copper_are_paid_for_and_braking_gives_nothing_back(
    robot: RobotModel, energy: Make
) -> None:
    torque = np.full((5, 12), 2.0)
    charges = []
    for speed in (0.0, 3.0, -3.0):
        battery = energy(robot)
        battery.spend(torque, np.full((5, 12), speed), 3600.0)
        charges.append(battery.health(0).battery_charge)
    # Copper: 12 · 0.5 · 2² = 24 W. Work: 12 · 2 · 3 = 72 W. Idle: 20 W.
    assert charges == pytest.approx([0.56, 0.0, 0.56])


def test_the_truth_is_what_was_spent(robot: RobotModel, energy: Make) -> None:
    battery = energy(robot, initial_charge=0.0)
    torque, velocity = np.full((5, 12), 2.0), np.full((5, 12), 3.0)
    velocity[:, :4] = -1.0
    for _ in range(2):
        battery.spend(torque, velocity, 5.0)
    truth = battery.truth()
    # Eight motors drive with 6 W each; what the other four brake is not deducted.
    assert truth.work == pytest.approx(8 * 6.0 * 10.0)
    # Idle 20 W, copper 24 W; on the common supply the brakes' 8 W spare the drivers as much.
    assert truth.drawn == pytest.approx((20.0 + 24.0 + 40.0) * 10.0)


def test_voltage_falls_with_charge_and_load(robot: RobotModel, energy: Make) -> None:
    battery = energy(robot, initial_charge=0.5)
    battery.spend(NOTHING, NOTHING, 0.0)
    # 22.5 V at half charge, less 0.1 Ω · 20 W / 22.5 V.
    assert battery.health(0).battery_voltage == pytest.approx(22.5 - 0.1 * 20.0 / 22.5)


def test_a_loaded_motor_warms_to_its_balance(robot: RobotModel, energy: Make) -> None:
    torque = NOTHING.copy()
    torque[:, 3] = 4.0
    battery = energy(robot)
    for _ in range(1000):
        battery.spend(torque, NOTHING, 5.0)
    warmth = battery.health(7).motor_temperature
    # Balance: 0.5 · 4² W over 0.4 W/K above the air; the others stay at the air's 20 °C.
    assert warmth[3] == pytest.approx(20.0 + 8.0 / 0.4, rel=1e-3)
    np.testing.assert_allclose(np.delete(warmth, 3), 20.0)


def test_a_robot_without_the_sensor_knows_no_temperature(robot: RobotModel, energy: Make) -> None:
    bare = dataclasses.replace(robot, has_motor_temperature=False)
    assert np.isnan(energy(bare).health(0).motor_temperature).all()


@pytest.mark.parametrize('value', [None, 0.0, -1.0, True, 'much'])
def test_a_missing_fact_is_named(robot: RobotModel, energy: Make, value: object) -> None:
    wrong = dataclasses.replace(robot, sections={'simulation': FACTS | {'cooling': value}})
    with pytest.raises(ConfigurationError, match='section simulation: cooling'):
        energy(wrong)
