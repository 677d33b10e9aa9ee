"""Claims about the feet, checked against the physics engine and finite differences."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pybullet
import pytest
from numpy.typing import NDArray

from quad_learner.configuration import ConfigurationError
from quad_learner.robot.kinematics import LegKinematics
from quad_learner.robot.model import RobotModel, load

Array = NDArray[np.float64]


@pytest.fixture(scope='module')
def a1() -> RobotModel:
    return load('a1')


@pytest.fixture(scope='module')
def minitaur() -> RobotModel:
    return load('minitaur')


@pytest.fixture
def engine() -> Iterator[int]:
    client = pybullet.connect(pybullet.DIRECT)
    yield client
    pybullet.disconnect(client)


def _pose(robot: RobotModel, seed: int) -> tuple[Array, Array]:
    generator = np.random.default_rng(seed)
    joints = len(robot.joints)
    offset = generator.uniform(-1.0, 1.0, joints) * robot.action_box
    return robot.stance + offset, generator.standard_normal(joints)


def _engine_feet(robot: RobotModel, client: int, angles: Array, rates: Array) -> list[Array]:
    """Returns position, velocity and angular velocity of each foot link as the engine has them."""
    body = pybullet.loadURDF(str(robot.urdf), useFixedBase=True, physicsClientId=client)
    count = pybullet.getNumJoints(body, physicsClientId=client)
    infos = [pybullet.getJointInfo(body, i, physicsClientId=client) for i in range(count)]
    joints = {info[1].decode(): info[0] for info in infos}
    links = {info[12].decode(): info[0] for info in infos}
    for name, angle, rate in zip(robot.joints, angles, rates, strict=True):
        pybullet.resetJointState(body, joints[name], angle, rate, physicsClientId=client)
    centre, _ = pybullet.getBasePositionAndOrientation(body, physicsClientId=client)
    root = np.array(centre) - pybullet.getDynamicsInfo(body, -1, physicsClientId=client)[3]
    states = [
        pybullet.getLinkState(
            body,
            links[foot],
            computeLinkVelocity=1,
            computeForwardKinematics=1,
            physicsClientId=client,
        )
        for foot in robot.feet
    ]
    return [
        np.array([state[4] for state in states]) - root,
        np.array([state[6] for state in states]),
        np.array([state[7] for state in states]),
    ]


@pytest.mark.parametrize('seed', range(4))
def test_feet_are_where_the_physics_engine_has_them(
    a1: RobotModel, engine: int, seed: int
) -> None:
    angles, rates = _pose(a1, seed)
    legs = LegKinematics(a1).solve(angles, rates)
    position, velocity, turning = _engine_feet(a1, engine, angles, rates)
    assert legs.solved
    np.testing.assert_allclose(legs.position, position, atol=1e-6)
    np.testing.assert_allclose(legs.velocity, velocity, atol=1e-6)
    np.testing.assert_allclose(legs.angular_velocity, turning, atol=1e-6)


def test_joints_are_matched_by_name_not_by_place(a1: RobotModel) -> None:
    order = np.random.default_rng(3).permutation(len(a1.joints))
    shuffled = dataclasses.replace(a1, joints=tuple(a1.joints[i] for i in order))
    angles, rates = _pose(a1, 0)
    np.testing.assert_allclose(
        LegKinematics(shuffled).solve(angles[order], rates[order]).position,
        LegKinematics(a1).solve(angles, rates).position,
    )


@pytest.mark.parametrize('name', ['a1', 'minitaur'])
@pytest.mark.parametrize('seed', range(3))
def test_jacobian_is_the_slope_of_position(name: str, seed: int) -> None:
    robot = load(name)
    kinematics = LegKinematics(robot)
    angles, rates = _pose(robot, seed)
    legs = kinematics.solve(angles, rates)
    step = 1e-3
    ahead = kinematics.solve(angles + step * rates, rates).position
    behind = kinematics.solve(angles - step * rates, rates).position
    slope = (ahead - behind) / (2.0 * step)
    # Central differences err by step² times the third derivative, some 1e-6.
    np.testing.assert_allclose(legs.jacobian @ rates, slope, atol=2e-5)
    np.testing.assert_allclose(legs.velocity, slope, atol=2e-5)


def test_a_five_bar_leg_hangs_where_two_circles_meet(minitaur: RobotModel) -> None:
    # Upper links 0.11 m between motor and knee axes (half lengths 0.055), lower links 0.2 m, both
    # motors of a leg on one axis: with both uppers level the knees are 0.22 m apart, and the foot
    # is below the axis by sqrt(0.2² - 0.11²) = 0.167 m.
    legs = LegKinematics(minitaur).solve(minitaur.stance, np.zeros_like(minitaur.stance))
    assert legs.solved
    np.testing.assert_allclose(legs.position[:, 2], -np.sqrt(0.2**2 - 0.11**2), atol=5e-3)
    np.testing.assert_allclose(np.abs(legs.position[:, 0]), 0.21, atol=1e-3)


def test_loops_stay_closed_all_over_the_action_box(minitaur: RobotModel) -> None:
    kinematics = LegKinematics(minitaur)
    for seed in range(40):
        assert kinematics.solve(*_pose(minitaur, seed)).solved


def test_a_leg_that_cannot_close_is_told_and_forgotten(minitaur: RobotModel) -> None:
    kinematics = LegKinematics(minitaur)
    still = np.zeros_like(minitaur.stance)
    first = kinematics.solve(minitaur.stance, still)
    # The knees of a leg 0.22 m apart cannot be joined by lower links of a tenth their length.
    short = tuple(
        dataclasses.replace(loop, point_a=(0.0, 0.0, 0.02), point_b=(0.0, 0.0, 0.02))
        for loop in minitaur.loop_closures
    )
    broken = LegKinematics(dataclasses.replace(minitaur, loop_closures=short))
    assert not broken.solve(minitaur.stance, still).solved
    kinematics.solve(np.full_like(still, np.nan), still)
    kinematics.reset()
    np.testing.assert_allclose(
        kinematics.solve(minitaur.stance, still).position, first.position, atol=1e-5
    )


@pytest.mark.parametrize('bad', [np.nan, np.inf])
def test_a_number_that_is_not_finite_is_flagged_not_raised(a1: RobotModel, bad: float) -> None:
    kinematics = LegKinematics(a1)
    angles, rates = _pose(a1, 0)
    good = kinematics.solve(angles, rates)
    spoilt = angles.copy()
    spoilt[4] = bad
    answer = kinematics.solve(spoilt, rates)
    assert not answer.solved
    np.testing.assert_allclose(answer.position, good.position)


def test_an_unknown_joint_is_refused_with_the_known_ones(a1: RobotModel) -> None:
    wrong = dataclasses.replace(a1, joints=(*a1.joints[:-1], 'tail_joint'))
    with pytest.raises(ConfigurationError, match=r"'tail_joint'.*FR_hip_joint"):
        LegKinematics(wrong)


def test_an_unknown_foot_is_refused(a1: RobotModel) -> None:
    wrong = dataclasses.replace(a1, feet=(*a1.feet[:-1], 'fin'))
    with pytest.raises(ConfigurationError, match=r"'fin' is not in .*, which has trunk, FL_hip"):
        LegKinematics(wrong)


def test_a_foot_may_lie_off_its_links_origin(a1: RobotModel) -> None:
    # The A1's toes are 0.2 m down their lower legs: told by the lower leg it is the same foot.
    lower = tuple(foot.replace('toe', 'lower') for foot in a1.feet)
    offset = np.array([0.0, 0.0, -0.2])
    angles, rates = _pose(a1, 3)
    found = LegKinematics(dataclasses.replace(a1, feet=lower, foot_offset=offset))
    one, other = found.solve(angles, rates), LegKinematics(a1).solve(angles, rates)
    np.testing.assert_allclose(one.position, other.position, atol=1e-9)
    np.testing.assert_allclose(one.velocity, other.velocity, atol=1e-9)


def test_what_is_no_urdf_is_refused(a1: RobotModel, tmp_path: Path) -> None:
    wrong = tmp_path / 'robot.urdf'
    wrong.write_text('words')
    with pytest.raises(ConfigurationError, match=r"robot\.urdf' is no URDF"):
        LegKinematics(dataclasses.replace(a1, urdf=wrong))


@pytest.mark.parametrize('passive', [['knee'], {'FR_hip_joint': 'bent'}])
def test_angles_of_motorless_joints_that_are_none_are_refused(
    a1: RobotModel, passive: object
) -> None:
    wrong = dataclasses.replace(a1, sections={'passive': passive})
    with pytest.raises(ConfigurationError, match=r'passive = .* angle in the stance'):
        LegKinematics(wrong)


def test_a_base_that_is_not_the_root_is_refused(a1: RobotModel) -> None:
    wrong = dataclasses.replace(a1, base_link='FR_hip')
    with pytest.raises(ConfigurationError, match=r"must be the root link of .* is 'trunk'"):
        LegKinematics(wrong)


def test_mass_is_the_sum_that_the_physics_engine_finds(a1: RobotModel, engine: int) -> None:
    body = pybullet.loadURDF(str(a1.urdf), physicsClientId=engine)
    links = range(-1, pybullet.getNumJoints(body, physicsClientId=engine))
    total = sum(pybullet.getDynamicsInfo(body, i, physicsClientId=engine)[0] for i in links)
    assert LegKinematics(a1).mass == pytest.approx(total, rel=1e-6)
