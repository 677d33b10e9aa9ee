"""Legs hooked over the back: what is tried, in which order, and when no longer."""

from dataclasses import replace

import numpy as np
import pytest

from quad_learner.reset.config import ResetConfig
from quad_learner.reset.motion import Keyframe, Motion, motion
from quad_learner.reset.untangle import Untangle
from quad_learner.robot.model import RobotModel

FOLD = np.tile([0.0, 1.4, -2.65], 4)
FRONT, HIND = slice(0, 3), slice(6, 9)
STILL = np.zeros(12)


def tucked(robot: RobotModel) -> Motion:
    return replace(motion(robot), fold=FOLD)


@pytest.fixture
def untangle(robot: RobotModel, config: ResetConfig) -> Untangle:
    return Untangle(robot, tucked(robot), replace(config, caught_error=0.6))


@pytest.fixture
def hooked() -> np.ndarray:
    """The A1's right legs, each foot in the crook of the other's knee, over the back."""
    joints = FOLD.copy()
    joints[FRONT], joints[HIND] = [0.06, 2.6, -1.4], [-0.08, 3.5, -2.4]
    return joints


def test_legs_of_a_robot_that_hops_are_let_be(
    robot: RobotModel, config: ResetConfig, untangle: Untangle, hooked: np.ndarray
) -> None:
    assert untangle.plan(hooked, STILL)
    hops = replace(tucked(robot), rise=(Keyframe(0.1, robot.stance),))
    assert Untangle(robot, hops, config).plan(hooked, STILL) == ()


def test_legs_that_folded_need_nothing(untangle: Untangle) -> None:
    assert untangle.plan(FOLD + 0.59, STILL) == ()
    assert len(untangle.plan(FOLD + 0.61, STILL)) == 3


def test_one_leg_goes_on_while_the_other_gives_way_then_that_one_folds_then_both(
    untangle: Untangle, hooked: np.ndarray
) -> None:
    on, fold, both = untangle.plan(hooked, STILL)
    # 2.6 + 1.6 is beyond the upper joint's 4.18, -1.4 + 1.6 beyond the lower joint's -0.92
    for pose in (on, fold):
        np.testing.assert_allclose(pose.position[FRONT], [0.0, 4.18, -0.92])
    assert on.limp is not None
    np.testing.assert_array_equal(np.flatnonzero(on.limp), [6, 7, 8])
    np.testing.assert_allclose(fold.position[HIND], FOLD[HIND])
    assert fold.limp is None and both.limp is None
    np.testing.assert_allclose(both.position, FOLD)
    # 1.58, 2.1 and 2.78 rad at 8 rad/s, and never below 0.4 s, the blend_time
    assert [pose.seconds for pose in (on, fold, both)] == pytest.approx([0.4, 0.4, 0.4])


def test_it_goes_on_the_way_it_is_astray_and_no_further_than_its_reach(
    untangle: Untangle, robot: RobotModel, config: ResetConfig
) -> None:
    joints = FOLD.copy()
    joints[FRONT] = [-0.7, 0.2, -2.65]
    on = untangle.plan(joints, STILL)[0]
    np.testing.assert_allclose(on.position[FRONT], [-0.8, -1.04, -2.65])
    joints[FRONT] = [-0.7, 1.4, -2.65]
    assert untangle.plan(joints, STILL) == (), 'a hip at its end has nowhere to go'
    endless = replace(robot, position_max=np.full(12, 9.0), position_min=np.full(12, -9.0))
    free = Untangle(endless, tucked(endless), config).plan(joints, STILL)[0]
    np.testing.assert_allclose(free.position[FRONT], [-2.3, 1.4, -2.65])


def test_each_try_begins_with_another_leg_and_two_are_enough_in_an_attempt(
    untangle: Untangle, hooked: np.ndarray
) -> None:
    limp = []
    for _ in range(2):
        first = untangle.plan(hooked, STILL)[0].limp
        assert first is not None
        limp.append(int(np.flatnonzero(first)[0]))
    assert limp == [6, 0]
    assert untangle.plan(hooked, STILL) == ()
    untangle.begin()
    third = untangle.plan(hooked, STILL)[0].limp
    assert third is not None and np.flatnonzero(third)[0] == 6


def test_a_leg_that_is_still_on_its_way_is_not_caught(
    untangle: Untangle, hooked: np.ndarray
) -> None:
    moving = np.where(np.abs(hooked - FOLD) > 0.6, 1.6, 0.0)
    assert untangle.plan(hooked, moving) == ()
    assert untangle.plan(hooked, moving - 0.2) != ()
