"""Claims about closed leg loops, on the Minitaur."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pybullet
import pytest

from quad_learner.configuration import ConfigurationError
from quad_learner.robot import model
from quad_learner.robot.signals import JointCommand
from quad_learner.simulation.config import SimulationConfig
from quad_learner.simulation.robot import SimulatedRobot

Build = Callable[..., SimulatedRobot]
LEVEL = np.array((0.0, 0.0, 0.0, 1.0))
SIGNS = np.array((-1.0, -1.0, -1.0, -1.0, 1.0, 1.0, 1.0, 1.0))
"""The motors of left and right legs turn about opposite axes."""
SPLAY = 0.0872665
"""[rad] by which the URDF tilts the legs outwards"""


def gap(simulated: SimulatedRobot) -> float:
    """Returns the widest opening between the tips of the two lower links of a leg [m]."""
    client, body = simulated.world.client, simulated.world.body
    tips = {}
    for joint in range(pybullet.getNumJoints(body, physicsClientId=client)):
        name = pybullet.getJointInfo(body, joint, physicsClientId=client)[12].decode()
        if name.startswith('lower_leg'):
            offset = (0.0, 0.005 if name.endswith('R_link') else 0.01, 0.2)
            state = pybullet.getLinkState(body, joint, False, True, physicsClientId=client)
            tips[name], _ = map(
                np.array, pybullet.multiplyTransforms(state[4], state[5], offset, (0, 0, 0, 1))
            )
    rights = [name for name in tips if name.endswith('R_link')]
    return max(np.linalg.norm(tips[n] - tips[n.replace('R_link', 'L_link')]) for n in rights)


def leg_length(extension: float) -> float:
    """Returns hip to foot of a leg with upper links of 0.115 m and lower ones of 0.2 m [m]."""
    rise = 0.115 * np.sin(extension)
    return float(rise + np.sqrt(0.2**2 - (0.115 * np.cos(extension)) ** 2))


@pytest.mark.parametrize('extension', [-0.9, -0.4, 0.4, 0.9])
def test_a_placed_leg_is_as_long_as_its_links_make_it(build: Build, extension: float) -> None:
    simulated = build('minitaur')
    heights = []
    for angle in (0.0, extension):
        target = SIGNS * (np.pi / 2.0 + angle)
        simulated.place(np.array((0.0, 0.0, 1.0)), LEVEL, target)
        feet = simulated.feet_truth().position
        np.testing.assert_allclose(np.abs(feet[:, 0]), 0.21, atol=1e-3)
        heights.append(feet[:, 2])
    longer = (leg_length(extension) - leg_length(0.0)) * np.cos(SPLAY)
    np.testing.assert_allclose(heights[0] - heights[1], longer, atol=1e-3)


def test_loops_are_closed_where_the_robot_is_placed(build: Build) -> None:
    simulated = build('minitaur')
    for shift in (-0.8, 0.0, 0.8):
        target = simulated.robot.stance + shift * np.array((1.0, 0.3) * 4)
        simulated.place(np.array((0.0, 0.0, 1.0)), LEVEL, target)
        assert gap(simulated) < 1e-3


def test_loops_stay_closed_while_the_legs_work(
    build: Build, order: Callable[..., JointCommand]
) -> None:
    simulated = build('minitaur')
    widest = 0.0
    for tick in range(120):
        swing = 0.3 * np.sin(0.2 * tick + np.arange(8))
        simulated.step(order(simulated.robot, position=simulated.robot.stance + swing))
        widest = max(widest, gap(simulated))
    assert widest < 5e-3


def test_a_motorless_joint_that_the_urdf_lacks_is_named(
    configure: Callable[..., SimulationConfig],
) -> None:
    robot = model.load('minitaur')
    wrong = dataclasses.replace(robot, sections={**robot.sections, 'passive': {'ankle': 0.0}})
    with pytest.raises(ConfigurationError, match=r"'ankle' is not in .*minitaur\.urdf"):
        SimulatedRobot(wrong, configure(), np.random.default_rng(0)).connect()


def test_loops_that_cannot_close_are_refused(configure: Callable[..., SimulationConfig]) -> None:
    robot = model.load('minitaur')
    far = tuple(dataclasses.replace(loop, point_a=(0.0, 0.5, 0.2)) for loop in robot.loop_closures)
    wrong = dataclasses.replace(robot, loop_closures=far)
    # The knees turn in the plane of the leg: what is 0.495 m aside of it stays about so far.
    words = (
        'the loops do not close in the stance: lower_leg_front_leftR_link and '
        r'lower_leg_front_leftL_link miss each other by x .*, y \+0\.(49|50)'
    )
    with pytest.raises(ConfigurationError, match=words):
        SimulatedRobot(wrong, configure(), np.random.default_rng(0)).connect()


def aside(far: float) -> model.RobotModel:
    """Returns the Minitaur with lower links that miss each other by so much [m] more, sideways."""
    robot = model.load('minitaur')
    loops = tuple(
        dataclasses.replace(loop, point_a=(0.0, 0.005 + far, 0.2)) for loop in robot.loop_closures
    )
    return dataclasses.replace(robot, loop_closures=loops)


def test_links_that_rounding_leaves_a_hair_out_of_one_plane_close_all_the_same(
    configure: Callable[..., SimulationConfig],
) -> None:
    # 1.57075 for a right angle, as minitaur_rainbow_dash.urdf has it, over 0.2 m: 1e-5 m.
    simulated = SimulatedRobot(aside(3e-5), configure(), np.random.default_rng(0))
    simulated.connect()
    simulated.close()


def test_what_is_more_than_a_hair_out_of_one_plane_is_refused_with_its_size(
    configure: Callable[..., SimulationConfig],
) -> None:
    with pytest.raises(ConfigurationError, match=r'y \+0\.0005'):
        SimulatedRobot(aside(5e-4), configure(), np.random.default_rng(0)).connect()


def test_loops_of_which_no_motorless_joint_is_named_are_refused(
    configure: Callable[..., SimulationConfig],
) -> None:
    robot = model.load('minitaur')
    wrong = dataclasses.replace(robot, sections={**robot.sections, 'passive': {}})
    with pytest.raises(
        ConfigurationError, match=r'miss each other .* or the angles under passive'
    ):
        SimulatedRobot(wrong, configure(), np.random.default_rng(0)).connect()
