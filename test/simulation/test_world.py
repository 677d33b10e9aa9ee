"""Claims about materials and payload."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pybullet
import pytest

from quad_learner.configuration import ConfigurationError
from quad_learner.robot.signals import JointCommand
from quad_learner.simulation.config import SimulationConfig
from quad_learner.simulation.robot import SimulatedRobot

Build = Callable[..., SimulatedRobot]


def friction_of_ground(simulated: SimulatedRobot) -> float:
    client, robot = simulated.world.client, simulated.world.body
    bodies = range(pybullet.getNumBodies(physicsClientId=client))
    ground = next(number for number in bodies if number != robot)
    return float(pybullet.getDynamicsInfo(ground, -1, physicsClientId=client)[1])


def test_ground_friction_is_drawn_once_a_run_within_its_bounds(build: Build) -> None:
    bounds = {'ground_friction_min': 0.4, 'ground_friction_max': 0.9}
    drawn = [friction_of_ground(build(seed=seed, **bounds)) for seed in range(4)]
    assert 0.4 <= min(drawn) < max(drawn) <= 0.9
    assert len(set(drawn)) == 4


def test_the_centre_of_mass_is_where_the_urdf_has_it(
    build: Build, exact: dict[str, float]
) -> None:
    import pinocchio

    simulated = build(**exact)
    robot, place = simulated.robot, np.array((0.3, -0.2, 20.0))
    simulated.place(place, np.array((0, 0, 0, 1.0)), robot.stance)
    model = pinocchio.buildModelFromUrdf(str(robot.urdf), pinocchio.JointModelFreeFlyer())
    angles = pinocchio.neutral(model)
    angles[:3] = place
    for name, angle in zip(robot.joints, robot.stance, strict=True):
        angles[model.idx_qs[model.getJointId(name)]] = angle
    centre = pinocchio.centerOfMass(model, model.createData(), angles)
    assert simulated.world.centre_of_mass() == pytest.approx(centre, abs=1e-6)


@pytest.mark.parametrize('friction, slides', [(0.9, False), (0.05, True)])
def test_a_robot_slides_down_a_slippery_slope_only(
    build: Build, order: Callable[..., JointCommand], friction: float, slides: bool
) -> None:
    simulated = build(
        terrain='slope',
        terrain_slope_rad=0.15,  # tan 0.15 = 0.151: between the two coefficients
        ground_friction_min=friction,
        ground_friction_max=friction,
    )
    xs = []
    for _ in range(180):
        simulated.step(order(simulated.robot))
        xs.append(simulated.truth().position[0])
    assert (xs[60] - xs[-1] > 0.3) == slides


def test_crossed_friction_bounds_are_refused(configure: Callable[..., SimulationConfig]) -> None:
    with pytest.raises(ConfigurationError, match=r'ground_friction_min = 0\.9 must not be above'):
        configure(ground_friction_min=0.9, ground_friction_max=0.5)


def test_nothing_but_the_motors_holds_a_joint(
    build: Build, order: Callable[..., JointCommand], exact: dict[str, float]
) -> None:
    simulated = build(**exact)
    simulated.place(np.array((0.0, 0.0, 20.0)), np.array((0, 0, 0, 1.0)), simulated.robot.stance)
    pull = order(simulated.robot, kp=np.zeros(12), kd=np.zeros(12), effort=np.full(12, 0.05))
    speeds = [np.abs(simulated.step(pull).joint_velocity) for _ in range(6)]
    # The engine's own brake would hold against 0.05 N·m: without it every joint moves off.
    assert speeds[-1].min() > 0.01
