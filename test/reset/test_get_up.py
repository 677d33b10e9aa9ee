"""How a robot gets up when all goes well: joints obey, the test sets the posture."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from quad_learner.reset.config import ResetConfig
from quad_learner.reset.get_up import GetUp
from quad_learner.reset.state import State
from quad_learner.safety.modes import Authority, Mode

if TYPE_CHECKING:
    from quad_learner.robot.model import RobotModel
    from test.reset.conftest import Body

ON_ITS_BACK = 3.0
ON_ITS_RIGHT = 1.5
ON_ITS_LEFT = -1.5


def test_it_waits_and_asks_before_it_drives(body: Body) -> None:
    target = body.step()
    assert body.machine.state is State.WAIT
    assert (target.source, target.request) == (Authority.RESET, 1)
    assert not target.kp.any()


def test_between_two_episodes_it_is_ready_within_a_second(body: Body) -> None:
    body.joints = body.robot.stance + 0.3
    body.until(State.READY)
    assert body.machine.ready
    assert body.seconds < 1.0
    assert body.states == [State.WAIT, State.STAND, State.VERIFY, State.READY]


def test_ready_means_the_stance_is_held_under_the_same_request(body: Body) -> None:
    body.until(State.READY)
    target = body.step(400)
    assert body.machine.ready
    np.testing.assert_allclose(target.position, body.robot.stance)
    np.testing.assert_array_equal(target.kp, body.robot.kp)
    assert target.request == 1


def test_it_moves_as_stiffly_as_the_robot_file_says_and_holds_as_softly_as_policy(
    body: Body, hasty: ResetConfig
) -> None:
    stiff = replace(body.robot, sections={'reset': {'stiffness': 1.44}})
    body.machine = GetUp(stiff, hasty)
    target = body.until(State.STAND)
    np.testing.assert_allclose(target.kp, [86.4] * 12)  # the A1's 60 N·m/rad
    np.testing.assert_allclose(target.kd, [2.4] * 12)  # and 2 N·m·s/rad, times the root of 1.44
    target = body.until(State.READY)
    np.testing.assert_array_equal(target.kp, stiff.kp)
    np.testing.assert_array_equal(target.kd, stiff.kd)


def test_splayed_legs_fold_before_they_lift(body: Body) -> None:
    body.joints = np.tile([0.0, 3.0, -1.0], 4)
    body.until(State.READY)
    rising = [State.STAND, State.VERIFY, State.READY]
    assert body.states == [State.WAIT, State.FOLD, *rising]


@pytest.mark.parametrize(
    'roll, pose',
    [
        (ON_ITS_RIGHT, [0.3, 3.0, -1.0, 0.0, 1.0, -2.0]),
        (ON_ITS_LEFT, [0.0, 1.0, -2.0, -0.3, 3.0, -1.0]),
        (ON_ITS_BACK, [0.0, 1.0, -2.6, 0.3, 3.0, -2.6]),
        (-ON_ITS_BACK, [-0.3, 3.0, -2.6, 0.0, 1.0, -2.6]),
    ],
)
def test_it_rolls_by_the_motion_for_the_way_it_lies(
    roll: float, pose: list[float], body: Body
) -> None:
    body.roll = roll
    body.until(State.ROLL)
    target = body.step(8)  # entering starts the first pose; its 0.2 s are 8 ticks
    np.testing.assert_allclose(target.position, pose * 2)


def test_a_side_that_it_stuck_on_does_not_choose_the_way_off_its_back(body: Body) -> None:
    body.roll = ON_ITS_RIGHT
    for _ in range(2):
        body.until(State.ROLL)
        body.until(State.FOLD)
    body.roll = ON_ITS_BACK
    body.until(State.ROLL)
    assert body.machine.reason == 'lies on its back, rolls by the right side'


def test_once_upright_it_stops_rolling_folds_and_rises(body: Body) -> None:
    body.roll = ON_ITS_BACK
    body.until(State.ROLL)
    body.step(3)
    body.roll = 0.0
    body.until(State.READY)
    expected = ['WAIT', 'FOLD', 'ROLL', 'FOLD', 'STAND', 'VERIFY', 'READY']
    assert [state.name for state in body.states] == expected


def test_from_back_to_side_to_belly_is_one_attempt(body: Body) -> None:
    body.roll = ON_ITS_BACK
    body.until(State.ROLL)
    body.step(4)
    body.roll = ON_ITS_RIGHT
    body.until(State.FOLD)
    body.until(State.ROLL)
    assert body.machine.reason == 'lies on its side, rolls by the right side'
    body.roll = 0.0
    body.step(1)
    assert body.machine.attempt == 1
    body.until(State.READY)


def test_it_folds_anew_after_each_roll(body: Body) -> None:
    body.roll = ON_ITS_RIGHT
    body.until(State.ROLL)
    body.until(State.FOLD)
    assert body.machine.reason == 'rolled back to where it was'
    body.until(State.ROLL)
    names = [state.name for state in body.states]
    assert names == ['WAIT', 'FOLD', 'ROLL', 'FOLD', 'ROLL']


def test_the_joints_named_first_are_folded_before_the_others_move(body: Body) -> None:
    body.joints = np.tile([0.7, 3.0, -1.0], 4)
    body.until(State.FOLD)
    while np.abs(body.joints[::3]).max() > 1e-9:  # the hips fold to 0
        np.testing.assert_allclose(body.joints[1::3], 3.0)
        np.testing.assert_allclose(body.joints[2::3], -1.0)
        body.step()
    body.until(State.STAND)
    assert State.FOLD in body.states


def test_off_its_back_it_tries_the_other_way_when_one_fails(body: Body) -> None:
    body.roll = ON_ITS_BACK
    ways = []
    for _ in range(3):
        body.until(State.ROLL)
        ways.append(body.machine.reason.removeprefix('lies on its back, rolls by the '))
        body.until(State.FOLD)
    assert ways == ['right side', 'left side', 'right side']


def test_off_its_back_onto_a_side_it_rolls_on_without_tucking(body: Body) -> None:
    body.roll = ON_ITS_BACK
    body.until(State.ROLL)
    body.step(4)
    body.roll = ON_ITS_RIGHT
    reasons = []
    while body.machine.state is State.ROLL and len(reasons) < 200:
        body.step()
        reasons.append(body.machine.reason)
    assert list(dict.fromkeys(reasons)) == [
        'lies on its back, rolls by the right side',
        'lies on its side, rolls by the right side',
        'rolled back to where it was',
    ]


def test_off_a_side_each_third_motion_is_the_one_off_a_back(body: Body) -> None:
    body.roll = ON_ITS_LEFT
    of_the_side, of_the_back = [0.0, 1.0, -2.0, -0.3, 3.0, -1.0], [-0.3, 3.0, -2.6, 0.0, 1.0, -2.6]
    third = [of_the_side, of_the_side, of_the_back]
    for pose in third + third:
        body.until(State.ROLL)
        assert body.machine.reason == 'lies on its side, rolls by the left side'
        np.testing.assert_allclose(body.step(8).position, pose * 2)
        body.until(State.FOLD)


def test_without_a_motion_off_its_back_it_keeps_to_the_one_off_its_side(
    robot: RobotModel, hasty: ResetConfig, body: Body
) -> None:
    sections = body.robot.sections
    frames = {name: value for name, value in sections['reset'].items() if name != 'from_back'}
    body.machine = GetUp(replace(robot, sections={**sections, 'reset': frames}), hasty)
    body.roll = ON_ITS_RIGHT
    for _ in range(3):
        body.until(State.ROLL)
        target = body.step(8)
        np.testing.assert_allclose(target.position, [0.3, 3.0, -1.0, 0.0, 1.0, -2.0] * 2)
        body.until(State.FOLD)


def test_folded_it_rises_when_its_body_rests_but_does_not_wait_for_ever(
    body: Body, hasty: ResetConfig
) -> None:
    body.joints = np.tile([0.0, 3.0, -1.0], 4)
    body.until(State.FOLD)
    body.changes = {'angular_velocity': np.array([1.5, 0.0, 0.0])}
    began = body.seconds
    body.until(State.STAND)
    # The fold of 1.65 rad at 8 rad/s and the second look at it; a body at rest is not waited for.
    waited = body.seconds - began
    assert waited > hasty.settle_time
    body.changes = {}
    body.machine = GetUp(body.robot, hasty)
    body.joints = np.tile([0.0, 3.0, -1.0], 4)
    body.until(State.FOLD)
    began = body.seconds
    body.until(State.STAND)
    assert body.seconds - began < waited - 0.5 * hasty.settle_time


def test_a_body_that_still_moves_after_a_roll_is_given_time_but_not_for_ever(
    body: Body, hasty: ResetConfig
) -> None:
    body.roll = ON_ITS_RIGHT
    body.until(State.ROLL)
    body.changes = {'angular_velocity': np.array([5.0, 0.0, 0.0])}
    began = body.seconds
    body.until(State.FOLD)
    waited = body.seconds - began
    assert waited == pytest.approx(0.2 + hasty.settle_time, abs=0.05)  # 0.2 s of motion


def test_it_stays_limp_until_a_fall_is_over_but_not_for_ever(
    body: Body, hasty: ResetConfig
) -> None:
    body.roll = ON_ITS_RIGHT
    body.changes = {'angular_velocity': np.array([5.0, 0.0, 0.0])}
    target = body.until(State.LIMP)
    assert not target.kp.any()
    began = body.seconds
    body.until(State.FOLD)
    waited = body.seconds - began
    assert waited == pytest.approx(hasty.limp_time, abs=0.05)


def test_no_target_jumps(body: Body, hasty: ResetConfig) -> None:
    body.joints = np.tile([0.7, 4.0, -1.0], 4)
    last = body.joints
    fastest = max(hasty.move_speed, hasty.rise_speed)
    while not body.machine.ready:
        target = body.step()
        step = np.max(np.abs(target.position - last))
        assert step <= fastest * 0.025 + 1e-9  # a tick of 0.025 s
        last = target.position


def test_no_target_leaves_the_robots_limits(body: Body) -> None:
    generator = np.random.default_rng(3)
    low, high = body.robot.position_min, body.robot.position_max
    for _ in range(20):
        body.joints = generator.uniform(low, high)
        body.roll = generator.uniform(-math.pi, math.pi)
        for _ in range(60):
            position = body.step().position
            assert np.all(position >= low - 1e-12)
            assert np.all(position <= high + 1e-12)


def test_the_policy_gets_the_robot_and_reset_falls_silent(body: Body) -> None:
    body.until(State.READY)
    body.executed = body.make_command(Authority.POLICY, 5)
    assert body.step().request == 0
    assert body.machine.state is State.WAIT
    assert not body.machine.ready


def test_after_the_policy_it_asks_with_a_fresh_number(body: Body) -> None:
    body.until(State.READY)
    body.executed = body.make_command(Authority.POLICY, 5)
    body.step()
    body.executed = body.make_command(Authority.NOBODY, mode=Mode.SOFT_STOP)
    assert body.step().request == 2
