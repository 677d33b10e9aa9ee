"""Getting up when something goes wrong: it gives up, tries again, or lets go."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from quad_learner.reset.config import ResetConfig
from quad_learner.reset.get_up import GetUp
from quad_learner.reset.state import State
from quad_learner.robot.model import RobotModel
from quad_learner.safety.modes import Authority, Mode

if TYPE_CHECKING:
    from test.reset.conftest import Body

ON_ITS_BACK = 3.0
ON_ITS_RIGHT = 1.5


def test_a_robot_that_never_rights_itself_makes_it_give_up_in_bounded_time(
    body: Body, hasty: ResetConfig
) -> None:
    body.roll = ON_ITS_BACK
    target = body.until(State.GIVE_UP)
    assert hasty.round_time < body.seconds <= hasty.round_time + 1.0
    assert body.machine.attempt > 1
    assert ', the last' in body.machine.reason
    assert '4.5 s have been spent' in body.machine.reason
    assert target.request == 0
    assert not target.kp.any()
    assert body.step(10).request == 0


def test_before_it_gives_up_it_lies_down_on_its_tucked_legs(
    body: Body, hasty: ResetConfig
) -> None:
    body.machine = GetUp(body.robot, replace(hasty, attempt_time=10.0, round_time=2.0))
    body.changes = {'foot_force': np.zeros(4)}  # it rises, and is held in the air
    body.until(State.GIVE_UP)
    assert body.states[-3:] == [State.VERIFY, State.LIE_DOWN, State.GIVE_UP]
    np.testing.assert_allclose(body.joints, np.tile([0.0, 1.4, -2.6], 4), atol=0.1)
    assert 'did not come to stand' in body.machine.reason


def test_stops_in_between_do_not_refill_the_budget(body: Body, hasty: ResetConfig) -> None:
    body.roll = ON_ITS_BACK
    for _ in range(int(4 * hasty.round_time)):
        body.step(20)
        if body.machine.state is State.GIVE_UP:
            return
        body.executed = body.make_command(Authority.NOBODY, mode=Mode.SOFT_STOP)
    raise AssertionError('it went on for ever')


def test_motors_that_work_too_hard_end_a_round_before_its_time(
    body: Body, hasty: ResetConfig
) -> None:
    body.machine = GetUp(body.robot, replace(hasty, round_work=2.0))
    body.roll = ON_ITS_BACK
    torque, speed = 0.5 * body.robot.torque_max, 4.0
    body.changes = {'joint_effort': -torque, 'joint_velocity': np.full(12, speed)}
    body.until(State.GIVE_UP)
    # half of all torque at 4 rad/s is 2 rad/s
    assert 1.0 < body.seconds < 2.0
    assert 'work of 2.0 rad' in body.machine.reason


def test_effort_that_nobody_knows_counts_for_nothing_and_what_is_known_later_counts(
    body: Body, hasty: ResetConfig
) -> None:
    body.machine = GetUp(body.robot, replace(hasty, round_work=2.0, round_time=60.0))
    body.roll = ON_ITS_BACK
    speed = np.full(12, 4.0)
    body.changes = {'joint_effort': np.full(12, np.nan), 'joint_velocity': speed}
    body.step(100)
    assert body.machine.state is not State.GIVE_UP
    body.changes = {'joint_effort': 0.5 * body.robot.torque_max, 'joint_velocity': speed}
    body.until(State.GIVE_UP)
    assert 'work of 2.0 rad' in body.machine.reason


def test_having_given_up_it_starts_again_after_the_cool_down(
    body: Body, hasty: ResetConfig
) -> None:
    body.roll = ON_ITS_BACK
    body.until(State.GIVE_UP)
    began = body.seconds
    body.until(State.WAIT)
    assert body.seconds - began == pytest.approx(hasty.cool_down, abs=0.1)
    assert body.machine.attempt == 1
    assert body.step().request > 1


def test_having_given_up_it_starts_again_when_somebody_sets_it_upright(
    body: Body, hasty: ResetConfig
) -> None:
    body.roll = ON_ITS_BACK
    body.until(State.GIVE_UP)
    body.roll = 0.0
    began = body.seconds
    body.until(State.READY)
    assert body.seconds - began < hasty.upright_rest + 1.5


def test_after_the_last_round_it_waits_for_a_person_however_long_that_takes(
    body: Body, hasty: ResetConfig
) -> None:
    body.machine = GetUp(body.robot, replace(hasty, rounds=2))
    body.roll = ON_ITS_BACK
    body.until(State.GIVE_UP)
    assert not body.machine.waits_for_a_person
    body.until(State.WAIT)
    body.until(State.GIVE_UP)
    assert body.machine.waits_for_a_person
    assert 'waits for a person' in body.machine.reason
    assert body.step(40 * 10 * round(hasty.cool_down)).request == 0
    assert body.machine.state is State.GIVE_UP
    body.roll = 0.0
    body.until(State.READY)
    body.roll = ON_ITS_BACK
    body.until(State.GIVE_UP)
    assert not body.machine.waits_for_a_person, 'what failed before is forgotten'


def test_one_that_gives_up_upright_does_not_take_itself_for_helped(
    body: Body, hasty: ResetConfig
) -> None:
    body.machine = GetUp(body.robot, replace(hasty, rounds=1))
    body.changes = {'foot_force': np.zeros(4)}  # it rises, and is held in the air
    body.until(State.GIVE_UP)
    body.step(40 * 10 * round(hasty.cool_down))
    assert body.machine.waits_for_a_person
    body.roll = ON_ITS_RIGHT  # somebody tips it, and sets it down
    body.step(2)
    body.roll, body.changes = 0.0, {}
    body.until(State.READY)


def test_one_that_gave_up_upright_tries_again_when_it_is_put_into_its_stance(
    body: Body, hasty: ResetConfig
) -> None:
    body.machine = GetUp(body.robot, replace(hasty, rounds=1))
    body.changes = {'foot_force': np.zeros(4)}
    body.until(State.GIVE_UP)
    assert 'tip it on a side first, then set it on its feet' in body.machine.reason
    body.changes = {}  # somebody frees a leg; its belly still bears it
    body.step(40 * 10)
    assert body.machine.waits_for_a_person
    body.joints = body.robot.stance.copy()  # set on its feet, level all the time
    began = body.seconds
    body.until(State.READY)
    assert hasty.upright_rest < body.seconds - began < hasty.upright_rest + 1.5


def test_a_bad_sample_neither_helps_who_gave_up_nor_costs_a_round(
    body: Body, hasty: ResetConfig
) -> None:
    body.machine = GetUp(body.robot, replace(hasty, rounds=2, cool_down=60.0))
    body.roll = ON_ITS_BACK
    body.until(State.GIVE_UP)
    reason = body.machine.reason
    body.changes = {'joint_position': np.full(12, math.nan)}
    target = body.step()
    assert not target.kp.any()
    assert target.request == 0
    body.changes = {}
    body.step(400)
    assert body.machine.state is State.GIVE_UP
    assert body.machine.reason == reason
    assert 'gave up 1 of 2 times' in reason


def test_a_bad_sample_while_it_lies_down_to_give_up_is_no_way_round_that(
    body: Body, hasty: ResetConfig
) -> None:
    body.machine = GetUp(body.robot, replace(hasty, rounds=1))
    body.roll = ON_ITS_BACK
    body.until(State.LIE_DOWN)
    body.changes = {'joint_position': np.full(12, math.nan)}
    body.step(2)
    body.changes = {}
    body.step(2)
    assert body.machine.waits_for_a_person


def test_a_robot_without_a_roll_over_says_that_it_cannot(body: Body, hasty: ResetConfig) -> None:
    flat = replace(body.robot, sections={})
    body.machine = GetUp(flat, hasty)
    body.roll = ON_ITS_BACK
    body.until(State.GIVE_UP)
    assert 'no motion rolls it over' in body.machine.reason


def test_a_robot_without_a_roll_over_still_stands_up_from_its_belly(
    body: Body, hasty: ResetConfig
) -> None:
    body.machine = GetUp(replace(body.robot, sections={}), hasty)
    body.joints = np.tile([0.0, 3.0, -1.0], 4)
    body.until(State.READY)


@pytest.mark.parametrize('state', [State.STAND, State.VERIFY])
def test_tipping_before_it_stands_costs_an_attempt(state: State, body: Body) -> None:
    body.until(state)
    body.roll = ON_ITS_RIGHT
    body.step(2)
    assert body.machine.attempt == 2
    assert 'tipped' in body.machine.reason or body.machine.state is State.FOLD


def test_rising_without_coming_to_stand_costs_an_attempt(body: Body) -> None:
    body.changes = {'foot_force': np.zeros(4)}  # held in the air
    body.until(State.STAND)
    body.step(80)
    assert body.machine.attempt == 2
    assert not body.machine.ready


def test_a_robot_that_did_not_come_to_stand_folds_before_it_rises_again(body: Body) -> None:
    body.changes = {'foot_force': np.zeros(4)}
    body.until(State.VERIFY)
    assert State.FOLD not in body.states, 'near its stance it rises at once'
    body.until(State.FOLD)
    body.changes = {}
    body.until(State.READY)


def test_it_rises_by_other_poses_after_it_has_not_come_to_stand(
    body: Body, hasty: ResetConfig
) -> None:
    hop = [{'seconds': 0.1, 'right': [0.0, 0.5, -1.0], 'left': [0.0, 0.6, -1.2]}]
    section = {**body.robot.sections['reset'], 'rise_again': hop}
    able = replace(body.robot, sections={**body.robot.sections, 'reset': section})
    body.machine = GetUp(able, hasty)
    body.changes = {'foot_force': np.zeros(4)}
    straight = body.until(State.STAND)
    assert straight.position[1] == pytest.approx(0.9), 'it began in its stance'
    body.until(State.FOLD)
    body.until(State.STAND)
    target = body.step(4)  # 0.1 s
    np.testing.assert_allclose(target.position, [0.0, 0.5, -1.0, 0.0, 0.6, -1.2] * 2)


def able(body: Body, config: ResetConfig, **entries: object) -> GetUp:
    """Returns the machine of a robot whose section reset has these entries, too."""
    section = {**body.robot.sections['reset'], **entries}
    return GetUp(replace(body.robot, sections={**body.robot.sections, 'reset': section}), config)


def test_a_robot_that_hops_does_so_each_time_and_swings_its_legs_before_each_second_time(
    body: Body, hasty: ResetConfig
) -> None:
    poses = {'rise': [0.0, 0.8, -1.6], 'rise_again': [0.0, 0.5, -1.0]}
    entries = {
        name: [{'seconds': 0.1, 'right': pose, 'left': pose}] for name, pose in poses.items()
    }
    body.machine = able(body, hasty, **entries)
    body.changes = {'foot_force': np.zeros(4)}
    straight = body.until(State.STAND)
    np.testing.assert_allclose(straight.position[:3], [0.0, 0.9, -1.8])  # it began in its stance
    body.joints = np.tile([0.0, 3.0, -1.0], 4)
    body.machine = able(body, hasty, **entries)
    seen = []
    for _ in range(4):
        body.until(State.STAND)
        first = body.step(4).position[:3]  # 0.1 s
        seen.append(next(name for name, pose in poses.items() if np.allclose(first, pose)))
        body.until(State.VERIFY)
        last = body.step().position[:3]
        np.testing.assert_allclose(last, poses['rise'])
        body.until(State.FOLD)
    assert seen == ['rise', 'rise_again'] * 2


def test_a_ready_robot_that_is_pushed_over_gets_up_again(body: Body) -> None:
    body.until(State.READY)
    body.roll = ON_ITS_RIGHT
    body.until(State.ROLL)
    body.roll = 0.0
    body.until(State.READY)


def test_a_ready_robot_that_no_longer_stands_rises_again(body: Body, hasty: ResetConfig) -> None:
    body.until(State.READY)
    body.changes = {'angular_velocity': np.array([2.0, 0.0, 0.0])}
    body.step(round(0.8 * hasty.settle_time * 40))
    assert body.machine.ready
    body.until(State.STAND, round(0.4 * hasty.settle_time * 40))
    body.changes = {}
    body.until(State.READY)


@pytest.mark.parametrize('mode', [Mode.INIT, Mode.LATCHED_STOP])
def test_it_is_silent_where_safety_does_not_listen(mode: Mode, body: Body) -> None:
    body.executed = body.make_command(mode=mode)
    assert body.step().request == 0


def test_it_is_silent_before_safety_has_spoken(body: Body) -> None:
    assert body.machine.step(body.make_sample(), None).request == 0


@pytest.mark.parametrize(
    'what', ['joint_position', 'joint_velocity', 'orientation', 'angular_velocity', 'foot_force']
)
@pytest.mark.parametrize('how', ['not numbers', 'too few'])
@pytest.mark.parametrize('state', [State.WAIT, State.STAND, State.VERIFY, State.READY])
def test_a_broken_sensor_makes_it_let_go(what: str, how: str, state: State, body: Body) -> None:
    if state is not State.WAIT:
        body.until(state)
    well = getattr(body.make_sample(), what)
    body.changes = {what: well[:-1] if how == 'too few' else np.full_like(well, math.nan)}
    target = body.step()
    assert target.request == 0
    assert not target.kp.any()
    assert np.isfinite(target.position).all()
    assert body.machine.state is State.WAIT


def test_a_gap_between_samples_does_not_make_the_motion_jump(
    body: Body, hasty: ResetConfig
) -> None:
    body.joints = np.tile([0.0, 3.0, -1.0], 4)
    before = body.until(State.FOLD).position
    body.ticks += 400  # ten seconds without a sample
    after = body.step().position
    most = hasty.move_speed * hasty.tick_max
    assert np.max(np.abs(after - before)) <= most + 1e-9


def test_time_that_runs_backwards_stands_still(body: Body) -> None:
    body.joints = np.tile([0.0, 3.0, -1.0], 4)
    before = body.until(State.FOLD).position
    body.ticks = 0
    np.testing.assert_allclose(body.step().position, before)


def test_the_first_number_is_the_one_given(
    robot: RobotModel, hasty: ResetConfig, body: Body
) -> None:
    body.machine = GetUp(robot, hasty, first_request=40)
    assert body.step().request == 40


def test_legs_that_do_not_fold_are_freed_before_it_rises(body: Body) -> None:
    caught = np.tile([0.0, 3.0, -1.0], 4)
    body.joints = caught
    body.until(State.FOLD)
    while body.machine.state is State.FOLD:
        body.joints = np.where(np.arange(12) < 6, caught, body.joints)
        target = body.step()
    assert body.machine.state is State.FREE
    np.testing.assert_array_equal(np.flatnonzero(target.kp == 0.0), [3, 4, 5])
    body.until(State.READY)
    assert body.machine.attempt == 1


def test_a_robot_that_hops_does_not_free_its_legs_one_by_one(
    body: Body, hasty: ResetConfig
) -> None:
    hop = [{'seconds': 0.1, 'right': [0.0, 0.9, -1.8], 'left': [0.0, 0.9, -1.8]}]
    body.machine = able(body, hasty, rise=hop)
    caught = np.tile([0.0, 3.0, -1.0], 4)
    body.joints = caught
    body.until(State.FOLD)
    while body.machine.state is State.FOLD:
        body.joints = np.where(np.arange(12) < 6, caught, body.joints)
        body.step()
    assert body.machine.state is State.STAND


def test_a_body_that_tips_while_its_legs_are_freed_folds_again(body: Body) -> None:
    body.joints = np.tile([0.0, 3.0, -1.0], 4)
    body.until(State.FOLD)
    while body.machine.state is State.FOLD:
        body.joints = np.tile([0.0, 3.0, -1.0], 4)
        body.step()
    assert body.machine.state is State.FREE
    body.roll = ON_ITS_RIGHT
    target = body.until(State.FOLD)
    assert target.kp.all()
