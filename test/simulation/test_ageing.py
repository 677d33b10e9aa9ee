"""What time does to the simulated robot: on paper, and in the world."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pybullet
import pytest

from quad_learner import configuration
from quad_learner.configuration import ConfigurationError
from quad_learner.resources import config_directory
from quad_learner.robot.signals import JointCommand
from quad_learner.simulation.ageing import Ageing
from quad_learner.simulation.config import SimulationConfig
from quad_learner.simulation.robot import SimulatedRobot

Build = Callable[..., SimulatedRobot]
Order = Callable[..., JointCommand]
NEVER = {'motor_wear_per_h': 0.0, 'battery_fade_per_h': 0.0, 'friction_drift': 0.0}


def config(**changes: Any) -> SimulationConfig:
    values = {**NEVER, 'ground_friction_min': 0.5, 'ground_friction_max': 1.0, **changes}
    return configuration.read(SimulationConfig, config_directory() / 'simulation.yaml', values)


def ageing(seed: int = 0, **changes: Any) -> Ageing:
    return Ageing(config(**changes), 0.8, np.random.default_rng(seed))


def test_nothing_changes_unless_it_is_asked_for() -> None:
    assert ageing().at(36000.0) is None


@pytest.mark.parametrize('hours', [0.5, 1.0, 3.0])
def test_motors_and_battery_wear_at_their_rates(hours: float) -> None:
    age = ageing(motor_wear_per_h=math.log(2.0), battery_fade_per_h=math.log(4.0)).at(
        3600.0 * hours
    )
    assert age is not None
    assert age.torque == pytest.approx(0.5**hours)
    assert age.drag == pytest.approx(2.0**hours)
    assert age.capacity == pytest.approx(0.25**hours)
    assert age.friction == 0.8


def test_it_is_told_once_a_period() -> None:
    slow = ageing(motor_wear_per_h=0.1)
    assert slow.at(9.9) is None
    assert slow.at(10.0) is not None
    assert slow.at(19.9) is None


def test_friction_walks_within_its_bounds_as_far_as_a_random_walk_does() -> None:
    hour = [ageing(seed, friction_drift=0.05).at(3600.0) for seed in range(400)]
    moved = np.array([age.friction - 0.8 for age in hour if age is not None])
    assert len(moved) == 400
    assert moved.std() == pytest.approx(0.05, rel=0.15)
    wild = ageing(friction_drift=3.0)
    seen = [age.friction for s in range(10, 36000, 10) if (age := wild.at(float(s))) is not None]
    assert (min(seen), max(seen)) == (0.5, 1.0)


def test_looks_further_apart_see_the_same_walk() -> None:
    often, rarely = ageing(friction_drift=0.2), ageing(friction_drift=0.2)
    for second in range(10, 600, 10):
        often.at(float(second))
    assert often.at(600.0) == rarely.at(600.0)


def test_a_drift_without_room_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r'friction_drift = 0.1 needs room'):
        config(friction_drift=0.1, ground_friction_min=1.0)


def hold(sim: SimulatedRobot, order: Order, seconds: float) -> SimulatedRobot:
    """Returns `sim` after its springs have held it in its stance for so long."""
    for _ in range(round(seconds * sim.robot.command_hz)):
        sim.step(order(sim.robot))
    return sim


def test_a_worn_robot_sags_in_its_springs(build: Build, order: Order) -> None:
    """At rest the springs bear the same weight: half as strong, they bend twice as far."""

    def bent(**changes: float) -> float:
        sim = hold(build('a1', 1, **changes), order, 12.0)
        knees = [n for n, name in enumerate(sim.robot.joints) if 'lower' in name]
        return float(np.mean(np.abs(sim.robot.stance - sim.sense().joint_position)[knees]))

    half_in_ten_seconds = math.log(2.0) * 360.0
    assert bent(motor_wear_per_h=half_in_ten_seconds) / bent() == pytest.approx(2.0, rel=0.25)


def test_the_ground_of_the_world_follows(build: Build, order: Order) -> None:
    sim = build('a1', 1, friction_drift=3.0, ground_friction_min=0.5)
    first = sim.world.ground_friction
    hold(sim, order, 10.1)
    ground = pybullet.getDynamicsInfo(0, -1, physicsClientId=sim.world.client)
    assert ground[1] == sim.world.ground_friction != first


def test_a_faded_battery_is_empty_sooner(build: Build, order: Order) -> None:
    """The same power for the same time takes twice the share from half the capacity."""

    def lost(**changes: float) -> tuple[float, float]:
        sim = build('a1', 1, charger_w=0.0, **changes)
        half = 1.0 - hold(sim, order, 10.0).health().battery_charge
        return half, 1.0 - hold(sim, order, 10.0).health().battery_charge - half

    new, faded = lost(), lost(battery_fade_per_h=math.log(2.0) * 360.0)
    assert faded[0] == pytest.approx(new[0])
    assert faded[1] == pytest.approx(2.0 * new[1], rel=0.02)
