"""Claims about the shapes of the ground."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pybullet
import pytest
from scipy.spatial.transform import Rotation

from quad_learner.robot.signals import JointCommand
from quad_learner.simulation.poses import is_sunk
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


@pytest.mark.parametrize('x, y, height', [(0.0, 0.0, -0.02), (0.04, 0.04, 0.0), (0.12, 0.3, 0.0)])
def test_a_doormat_has_a_crevice_each_eight_centimetres(
    build: Build, x: float, y: float, height: float
) -> None:
    simulated = build(terrain='doormat')
    for row in (-20, 13, 25):  # clear of the robot, that the ray would strike
        assert struck(simulated, x + 0.08 * row, y) == pytest.approx(height, abs=1e-3)
    assert simulated.world.ground_height(x, y) == 0.0


def test_beside_the_doormat_is_floor(build: Build) -> None:
    assert struck(build(terrain='doormat'), 3.0, 0.0) == pytest.approx(-0.02, abs=1e-3)


@pytest.mark.parametrize('seed', [0, 1])
def test_rubble_is_stones_on_a_floor_no_higher_than_told(build: Build, seed: int) -> None:
    simulated = build(seed=seed, terrain='rubble', terrain_height_m=0.06)
    places = np.random.default_rng(seed).uniform(
        (0.8, -2.2), (2.2, 2.2), (200, 2)
    )  # clear of the robot
    found = np.array([struck(simulated, x, y) for x, y in places])
    told = np.array([simulated.world.ground_height(x, y) for x, y in places])
    assert (found <= told + 1e-3).all()
    assert told.max() <= 0.06
    share = np.mean(found > 0.005)
    assert 0.15 < share < 0.6, 'stones, and floor between them'


def test_a_mattress_gives_way_and_holds_on(
    build: Build, order: Callable[..., JointCommand]
) -> None:
    simulated = build(terrain='mattress', terrain_stiffness_n_m=1500.0)
    for _ in range(120):
        simulated.step(order(simulated.robot))
    feet = simulated.feet_truth().position[:, 2] - simulated.robot.foot_radius
    # A quarter of the weight on each spring, 12.5 kg · 9.81 m/s² / 4 / 1500 N/m = 2.0 cm; less
    # where the lower leg beside the foot sinks in, too.
    assert -0.021 < feet.mean() < -0.010
    ground, client = 0, simulated.world.client
    friction = pybullet.getDynamicsInfo(ground, -1, physicsClientId=client)[1]
    assert friction == pytest.approx(1.4 * 0.8)  # of the shipped floor


@pytest.mark.parametrize('terrain', ['rubble', 'doormat'])
def test_the_robot_keeps_upright_on_it(
    build: Build, order: Callable[..., JointCommand], terrain: str
) -> None:
    simulated = build(terrain=terrain)
    for _ in range(120):
        simulated.step(order(simulated.robot))
    up = Rotation.from_quat(simulated.truth().orientation).apply([0.0, 0.0, 1.0])
    assert up[2] > 0.9
    assert simulated.feet_truth().contact.sum() >= 2


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


@pytest.mark.parametrize('terrain', ['flat', 'rough', 'slope', 'mattress', 'doormat', 'rubble'])
@pytest.mark.parametrize('depth_m, sunk', [(-0.02, False), (0.12, True)])
def test_feet_under_the_ground_are_told_from_feet_on_it(
    build: Build, terrain: str, depth_m: float, sunk: bool
) -> None:
    simulated = build(seed=4, terrain=terrain)
    robot, world = simulated.robot, simulated.world
    height = robot.height + world.ground_height(0.0, 0.0) - depth_m
    if not sunk:
        height += 0.06  # the ground may be higher under a foot than under the trunk
    simulated.place(np.array([0.0, 0.0, height]), np.array([0.0, 0.0, 0.0, 1.0]), robot.stance)
    assert is_sunk(world, robot.foot_radius) is sunk
