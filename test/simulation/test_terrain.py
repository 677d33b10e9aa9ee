"""Claims about the shapes of the ground."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pybullet
import pytest

from quad_learner.robot.signals import JointCommand
from quad_learner.simulation.robot import SimulatedRobot

Build = Callable[..., SimulatedRobot]


def struck(simulated: SimulatedRobot, x: float, y: float) -> float:
    """Returns the height at which a ray from above strikes the ground [m]."""
    hit = pybullet.rayTest((x, y, 5.0), (x, y, -5.0), physicsClientId=simulated.world.client)[0]
    return float(hit[3][2])


@pytest.mark.parametrize('x, y', [(0.7, 0.4), (-1.3, 2.2), (2.6, -0.9)])
def test_rough_ground_is_never_above_the_height_it_tells(build: Build, x: float, y: float) -> None:
    simulated = build(seed=2, terrain='rough', terrain_height_m=0.1, terrain_cell_m=0.1)
    assert 0.0 <= struck(simulated, x, y) <= simulated.world.ground_height(x, y) + 1e-6
    assert simulated.world.ground_height(x, y) <= 0.1


def test_rough_ground_differs_with_the_seed_and_is_as_high_as_asked(build: Build) -> None:
    places = np.linspace(-2.0, 2.0, 41)
    fields = []
    for seed in (0, 1):
        simulated = build(seed=seed, terrain='rough', terrain_height_m=0.08)
        fields.append([struck(simulated, x, 1.0) for x in places])
    assert not np.allclose(fields[0], fields[1])
    for heights in fields:
        assert 0.03 < np.ptp(heights) <= 0.08


def test_a_slope_rises_along_x(build: Build) -> None:
    simulated = build(terrain='slope', terrain_slope_rad=0.2)
    # tan 0.2 = 0.20271, by table.
    assert struck(simulated, 2.0, 1.0) == pytest.approx(0.40542, abs=1e-4)
    assert simulated.world.ground_height(2.0, 1.0) == pytest.approx(0.40542, abs=1e-4)


def test_flat_ground_is_flat(build: Build) -> None:
    simulated = build(terrain='flat')
    assert struck(simulated, 3.0, -2.0) == simulated.world.ground_height(3.0, -2.0) == 0.0


@pytest.mark.parametrize('terrain', ['rough', 'slope'])
def test_the_robot_stands_on_it(
    build: Build, order: Callable[..., JointCommand], terrain: str
) -> None:
    simulated = build(terrain=terrain, terrain_height_m=0.04)
    for _ in range(120):
        simulated.step(order(simulated.robot))
    feet, away = simulated.feet_truth(), np.array((0.0, 0.0, 50.0))
    simulated.place(away, np.array((0.0, 0.0, 0.0, 1.0)), simulated.robot.stance)
    for x, y, z in feet.position:
        assert abs(z - simulated.robot.foot_radius - struck(simulated, x, y)) < 0.015
    assert feet.contact.sum() >= 3
