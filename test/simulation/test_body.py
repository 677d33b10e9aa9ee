"""Claims about finding the robot's joints and links in its URDF."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pybullet
import pytest

from quad_learner.configuration import ConfigurationError
from quad_learner.robot import model
from quad_learner.robot.model import RobotModel
from quad_learner.simulation.config import SimulationConfig
from quad_learner.simulation.robot import SimulatedRobot

Configure = Callable[..., SimulationConfig]


@pytest.mark.parametrize(
    'change, complaint',
    [
        ({'base_link': 'FR_hip'}, "base_link = 'FR_hip' must be the root link .* 'trunk'"),
        ({'feet': ('paw',)}, "'paw' is not in .*a1.urdf; it has FL_hip"),
        ({'joints': ('elbow',)}, "'elbow' is not in .*a1.urdf; it has FL_hip_fixed"),
        ({'urdf': Path('/nowhere/robot.urdf')}, '/nowhere/robot.urdf cannot be loaded'),
    ],
)
def test_a_robot_file_that_does_not_fit_its_urdf_is_refused(
    a1: RobotModel, configure: Configure, change: dict[str, object], complaint: str
) -> None:
    wrong = dataclasses.replace(a1, **change)
    simulated = SimulatedRobot(wrong, configure(), np.random.default_rng(0))
    with pytest.raises(ConfigurationError, match=complaint):
        simulated.connect()
    simulated.close()


def with_facts(robot: RobotModel, **facts: object) -> RobotModel:
    section = {**robot.sections['simulation'], **facts}
    return dataclasses.replace(robot, sections={**robot.sections, 'simulation': section})


@pytest.mark.parametrize('stops', [False, True])
def test_a_joint_without_limits_in_the_urdf_stops_where_the_robot_file_says(
    configure: Configure, stops: bool
) -> None:
    robot = with_facts(model.load('aliengo'), joint_stops=stops)
    simulated = SimulatedRobot(robot, configure(), np.random.default_rng(0))
    simulated.connect()
    simulated.place(np.array([0.0, 0.0, 50.0]), np.array([0.0, 0.0, 0.0, 1.0]), robot.stance)
    torque = [0.0] * 12
    torque[1] = 5.0  # the right front upper leg, which the URDF lets turn without end
    reached = 0.0
    for _ in range(robot.physics_hz):
        simulated.world.advance(torque)
        reached = max(reached, simulated.world.joints()[0][1])
    simulated.close()
    assert (reached < robot.position_max[1] + 0.05) == stops


@pytest.mark.parametrize('passes', [False, True])
def test_links_that_pass_through_the_others_do_not_touch_them(
    a1: RobotModel, configure: Configure, passes: bool
) -> None:
    lower = [foot.replace('toe', 'lower') for foot in a1.feet]
    parts = [*a1.feet, *lower] if passes else []
    simulated = SimulatedRobot(
        with_facts(a1, pass_through=parts), configure(), np.random.default_rng(0)
    )
    simulated.connect()
    # The right legs hang to the left and the left ones to the right: feet in each other's place.
    crossed = a1.stance + np.tile([0.55, 0.0, 0.0, -0.55, 0.0, 0.0], 2)
    simulated.place(np.array([0.0, 0.0, 50.0]), np.array([0.0, 0.0, 0.0, 1.0]), crossed)
    world = simulated.world
    pybullet.performCollisionDetection(physicsClientId=world.client)
    touching = pybullet.getContactPoints(world.body, world.body, physicsClientId=world.client)
    simulated.close()
    assert bool(touching) != passes


@pytest.mark.parametrize(
    'facts, complaint',
    [
        ({'joint_stops': 'yes'}, "section simulation: joint_stops = 'yes' must be of type bool"),
        ({'pass_through': ['paw']}, "'paw' is not in .*a1.urdf"),
        ({'colling': 1.0}, "unknown parameter 'colling'; did you mean 'cooling'"),
    ],
)
def test_a_wrong_fact_is_named(
    a1: RobotModel, configure: Configure, facts: dict[str, object], complaint: str
) -> None:
    simulated = SimulatedRobot(with_facts(a1, **facts), configure(), np.random.default_rng(0))
    with pytest.raises(ConfigurationError, match=complaint):
        simulated.connect()
    simulated.close()


def test_a_robot_file_without_the_section_is_told_what_it_needs(
    a1: RobotModel, configure: Configure
) -> None:
    bare = dataclasses.replace(a1, sections={})
    simulated = SimulatedRobot(bare, configure(), np.random.default_rng(0))
    with pytest.raises(ConfigurationError, match='section simulation: None must be a mapping of'):
        simulated.connect()
    simulated.close()
