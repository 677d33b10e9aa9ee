"""The machine, on a robot whose joints go where they are told and whose posture the test sets."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from quad_learner.reset.config import ResetConfig
from quad_learner.reset.get_up import GetUp, State
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import JointCommand, JointTarget, SensorSample
from quad_learner.safety.modes import Authority, Mode

TICK_NS = 25_000_000
ON_ITS_BACK = 3.0
ON_ITS_RIGHT = 1.5
ON_ITS_LEFT = -1.5
FRAMES = {
    'fold': [0.0, 1.4, -2.6],
    'fold_first': ['FR_hip_joint', 'FL_hip_joint', 'RR_hip_joint', 'RL_hip_joint'],
    'right_feet': ['FR_toe', 'RR_toe'],
    'from_side': [{'seconds': 0.2, 'right': [0.3, 3.0, -1.0], 'left': [0.0, 1.0, -2.0]}],
    'from_back': [
        {'seconds': 0.2, 'right': [0.0, 1.0, -2.6], 'left': [0.3, 3.0, -2.6]},
        {'seconds': 0.1, 'right': [0.0, 1.0, -2.6], 'left': [0.3, 3.0, -1.0]},
    ],
}
MIRROR = {'leg_swap': [1, 0, 3, 2], 'joint_swap': [0, 1, 2], 'joint_sign': [-1, 1, 1]}


class Body:
    """A robot that obeys, a safety layer that grants at once, and a machine between them."""

    def __init__(
        self,
        robot: RobotModel,
        config: ResetConfig,
        make_sample: Callable[..., SensorSample],
        make_command: Callable[..., JointCommand],
    ) -> None:
        self.robot = robot
        self.machine = GetUp(robot, config)
        self.make_sample = make_sample
        self.make_command = make_command
        self.executed = make_command()
        self.joints = robot.stance.copy()
        self.roll = 0.0
        self.changes: dict[str, object] = {}
        self.ticks = 0
        self.states: list[State] = []

    def step(self, ticks: int = 1) -> JointTarget:
        for _ in range(ticks):
            target = self._once()
        return target

    def _once(self) -> JointTarget:
        sample = self.make_sample(
            self.roll,
            time_ns=self.ticks * TICK_NS,
            **{'joint_position': self.joints, **self.changes},
        )
        target = self.machine.step(sample, self.executed)
        if self.executed.authority is Authority.RESET and target.kp.any():
            self.joints = target.position
        if self.executed.authority is not Authority.POLICY:
            driver = Authority.RESET if target.request else Authority.NOBODY
            self.executed = self.make_command(driver, target.request)
        self.ticks += 1
        if not self.states or self.states[-1] is not self.machine.state:
            self.states.append(self.machine.state)
        return target

    def until(self, state: State, ticks: int = 4000) -> JointTarget:
        for _ in range(ticks):
            target = self.step()
            if self.machine.state is state:
                return target
        raise AssertionError(f'{state} not reached: {self.states}, {self.machine.reason}')

    @property
    def seconds(self) -> float:
        return self.ticks * TICK_NS * 1e-9


@pytest.fixture
def config(config: ResetConfig) -> ResetConfig:
    """Short budgets: the same logic in fewer ticks."""
    return replace(config, attempts=3, attempt_time=1.5, cool_down=2.0, upright_rest=0.5)


@pytest.fixture
def body(
    robot: RobotModel,
    config: ResetConfig,
    make_sample: Callable[..., SensorSample],
    make_command: Callable[..., JointCommand],
) -> Body:
    return Body(
        replace(robot, sections={'reset': FRAMES, 'mirror': MIRROR}),
        config,
        make_sample,
        make_command,
    )


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
    assert body.states == [State.WAIT, State.STAND, State.READY]


def test_ready_means_the_stance_is_held_under_the_same_request(body: Body) -> None:
    body.until(State.READY)
    target = body.step(400)
    assert body.machine.ready
    np.testing.assert_allclose(target.position, body.robot.stance)
    np.testing.assert_array_equal(target.kp, body.robot.kp)
    assert target.request == 1


def test_splayed_legs_fold_before_they_lift(body: Body) -> None:
    body.joints = np.tile([0.0, 3.0, -1.0], 4)
    body.until(State.READY)
    assert body.states == [State.WAIT, State.FOLD, State.STAND, State.READY]


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


def test_once_upright_it_stops_rolling_folds_and_rises(body: Body) -> None:
    body.roll = ON_ITS_BACK
    body.until(State.ROLL)
    body.step(3)
    body.roll = 0.0
    body.until(State.READY)
    expected = ['WAIT', 'FOLD', 'ROLL', 'FOLD', 'STAND', 'READY']
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
    assert body.machine.reason == 'rolled, not yet upright'
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


def test_off_a_side_there_is_one_way_only(body: Body) -> None:
    body.roll = ON_ITS_LEFT
    for _ in range(2):
        body.until(State.ROLL)
        assert body.machine.reason == 'lies on its side, rolls by the left side'
        body.until(State.FOLD)


def test_a_body_that_still_moves_after_a_roll_is_given_time_but_not_for_ever(
    body: Body, config: ResetConfig
) -> None:
    body.roll = ON_ITS_RIGHT
    body.until(State.ROLL)
    body.changes = {'angular_velocity': np.array([5.0, 0.0, 0.0])}
    began = body.ticks
    body.until(State.FOLD)
    waited = (body.ticks - began) * TICK_NS * 1e-9
    assert waited == pytest.approx(0.2 + config.settle_time, abs=0.05)  # 0.2 s of motion


def test_it_stays_limp_until_a_fall_is_over_but_not_for_ever(
    body: Body, config: ResetConfig
) -> None:
    body.roll = ON_ITS_RIGHT
    body.changes = {'angular_velocity': np.array([5.0, 0.0, 0.0])}
    target = body.until(State.LIMP)
    assert not target.kp.any()
    began = body.ticks
    body.until(State.FOLD)
    waited = (body.ticks - began) * TICK_NS * 1e-9
    assert waited == pytest.approx(config.limp_time, abs=0.05)


def test_no_target_jumps(body: Body, config: ResetConfig) -> None:
    body.joints = np.tile([0.7, 4.0, -1.0], 4)
    last = body.joints
    fastest = max(config.move_speed, config.rise_speed)
    while not body.machine.ready:
        target = body.step()
        step = np.max(np.abs(target.position - last))
        assert step <= fastest * TICK_NS * 1e-9 + 1e-9
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


def test_a_robot_that_never_rights_itself_makes_it_give_up_in_bounded_time(
    body: Body, config: ResetConfig
) -> None:
    body.roll = ON_ITS_BACK
    target = body.until(State.GIVE_UP)
    assert body.seconds <= config.attempts * config.attempt_time + 1.0
    assert f'attempt {config.attempts}, the last' in body.machine.reason
    assert target.request == 0
    assert not target.kp.any()
    assert body.step(10).request == 0


def test_stops_in_between_do_not_refill_the_budget(body: Body, config: ResetConfig) -> None:
    body.roll = ON_ITS_BACK
    for _ in range(int(4 * config.attempts * config.attempt_time)):
        body.step(20)
        if body.machine.state is State.GIVE_UP:
            return
        body.executed = body.make_command(Authority.NOBODY, mode=Mode.SOFT_STOP)
    raise AssertionError('it went on for ever')


def test_having_given_up_it_starts_again_after_the_cool_down(
    body: Body, config: ResetConfig
) -> None:
    body.roll = ON_ITS_BACK
    body.until(State.GIVE_UP)
    began = body.seconds
    body.until(State.WAIT)
    assert body.seconds - began == pytest.approx(config.cool_down, abs=0.1)
    assert body.machine.attempt == 1
    assert body.step().request > 1


def test_having_given_up_it_starts_again_when_somebody_sets_it_upright(
    body: Body, config: ResetConfig
) -> None:
    body.roll = ON_ITS_BACK
    body.until(State.GIVE_UP)
    body.roll = 0.0
    began = body.seconds
    body.until(State.READY)
    assert body.seconds - began < config.upright_rest + 1.5


def test_a_robot_without_a_roll_over_says_that_it_cannot(body: Body, config: ResetConfig) -> None:
    flat = replace(body.robot, sections={})
    body.machine = GetUp(flat, config)
    body.roll = ON_ITS_BACK
    body.until(State.GIVE_UP)
    assert 'no motion rolls it over' in body.machine.reason


def test_a_robot_without_a_roll_over_still_stands_up_from_its_belly(
    body: Body, config: ResetConfig
) -> None:
    body.machine = GetUp(replace(body.robot, sections={}), config)
    body.joints = np.tile([0.0, 3.0, -1.0], 4)
    body.until(State.READY)


def test_tipping_while_it_rises_costs_an_attempt(body: Body) -> None:
    body.until(State.STAND)
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


def test_a_ready_robot_that_is_pushed_over_gets_up_again(body: Body) -> None:
    body.until(State.READY)
    body.roll = ON_ITS_RIGHT
    body.until(State.ROLL)
    body.roll = 0.0
    body.until(State.READY)


def test_a_ready_robot_that_no_longer_stands_rises_again(body: Body, config: ResetConfig) -> None:
    body.until(State.READY)
    body.changes = {'angular_velocity': np.array([2.0, 0.0, 0.0])}
    body.step(round(0.8 * config.settle_time * 40))
    assert body.machine.ready
    body.until(State.STAND, round(0.4 * config.settle_time * 40))
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
@pytest.mark.parametrize('state', [State.WAIT, State.STAND, State.READY])
def test_a_broken_sensor_makes_it_let_go(what: str, state: State, body: Body) -> None:
    if state is not State.WAIT:
        body.until(state)
    broken = np.full_like(getattr(body.make_sample(), what), math.nan)
    body.changes = {what: broken}
    target = body.step()
    assert target.request == 0
    assert not target.kp.any()
    assert np.isfinite(target.position).all()
    assert body.machine.state is State.WAIT


def test_a_gap_between_samples_does_not_make_the_motion_jump(
    body: Body, config: ResetConfig
) -> None:
    body.joints = np.tile([0.0, 3.0, -1.0], 4)
    before = body.until(State.FOLD).position
    body.ticks += 400  # ten seconds without a sample
    after = body.step().position
    most = config.move_speed * config.tick_max
    assert np.max(np.abs(after - before)) <= most + 1e-9


def test_time_that_runs_backwards_stands_still(body: Body) -> None:
    body.joints = np.tile([0.0, 3.0, -1.0], 4)
    before = body.until(State.FOLD).position
    body.ticks = 0
    np.testing.assert_allclose(body.step().position, before)


def test_the_first_number_is_the_one_given(
    robot: RobotModel, config: ResetConfig, body: Body
) -> None:
    body.machine = GetUp(robot, config, first_request=40)
    assert body.step().request == 40
