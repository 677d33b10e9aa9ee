from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import Estimate, JointCommand, SensorSample
from quad_learner.safety.modes import Authority, Mode, Reason
from quad_learner.task.commander import REST
from quad_learner.task.config import TaskConfig
from quad_learner.task.kinds import BACKWARD, FORWARD, LEFT, RIGHT, VELOCITY, Kind
from quad_learner.task.walk import Outcome, WalkTask

Samples = Callable[..., SensorSample]
Estimates = Callable[..., Estimate]
Commands = Callable[..., JointCommand]
Configure = Callable[..., TaskConfig]
PERIOD_NS = 25_000_000  # the A1 decides at 40 Hz

STOPPED = {'mode': Mode.SOFT_STOP, 'authority': Authority.NOBODY, 'request': 0}


class Walk:
    """An episode, step by step, of a robot that does what `changed` says."""

    def __init__(
        self, robot: RobotModel, config: TaskConfig, builders: tuple[Samples, Estimates, Commands]
    ) -> None:
        self.task = WalkTask(robot, config)
        self._samples, self._estimates, self._commands = builders
        self._time_ns = 10 * PERIOD_NS

    def begin(self, kind: Kind = FORWARD, wanted: Any = REST, **changed: Any) -> Any:
        return self.task.begin(*self._signals(changed), kind, wanted)

    def step(
        self, action: Any = None, wanted: Any = REST, is_over: bool = False, **changed: Any
    ) -> Outcome:
        self.task.target(np.zeros(12) if action is None else action, self._time_ns)
        self._time_ns += PERIOD_NS
        return self.task.step(*self._signals(changed), wanted, is_over)

    def _signals(self, changed: dict[str, Any]) -> tuple[SensorSample, Estimate, JointCommand]:
        sample = self._samples(
            time_ns=self._time_ns,
            **{
                k: v
                for k, v in changed.items()
                if k in ('joint_velocity', 'joint_position', 'joint_effort', 'foot_force')
            },
            **(
                {'orientation': changed['sensed_orientation']}
                if 'sensed_orientation' in changed
                else {}
            ),
        )
        at = {'position': changed['estimated']} if 'estimated' in changed else {}
        estimate = self._estimates(
            time_ns=self._time_ns,
            **at,
            **{
                k: v
                for k, v in changed.items()
                if k in ('orientation', 'velocity_body', 'angular_velocity', 'healthy')
            },
        )
        names = ('mode', 'authority', 'request', 'reasons', 'position')
        return sample, estimate, self._commands(**{k: changed[k] for k in names if k in changed})


@pytest.fixture
def walk(
    robot: RobotModel,
    task_config: Configure,
    sample_of: Samples,
    estimate_of: Estimates,
    command_of: Commands,
) -> Callable[..., Walk]:
    """Returns a function that makes an episode of a task in which speed alone counts."""
    bare = {
        'alive_reward': 0.0,
        'fall_reward': 0.0,
        'yaw_rate_weight': 0.0,
        'lateral_weight': 0.0,
        'upright_weight': 0.0,
        'effort_weight': 0.0,
        'torque_weight': 0.0,
        'smoothness_weight': 0.0,
        'rhythm_weight': 0.0,
        'target_speed_m_s': 1.0,
        'lean_scale_rad': 10.0,
        'use_oscillator': False,
        'episode_s': 10.0,
    }

    def make(robot: RobotModel = robot, **changed: Any) -> Walk:
        config = task_config(**(bare | changed))
        return Walk(robot, config, (sample_of, estimate_of, command_of))

    return make


@pytest.mark.parametrize(
    'start, now, velocity, earned',
    [
        (0.0, 0.0, (0.5, 0.0, 0.0), 0.5),
        (0.0, 0.0, (0.0, 0.5, 0.0), 0.0),
        (2.0, 2.0, (0.5, 0.0, 0.0), 0.5),  # the compass does not matter
        (0.0, math.pi / 2, (0.5, 0.0, 0.0), 0.0),  # turned by 90°: its own forward earns nothing
        (0.0, math.pi / 2, (0.0, -0.5, 0.0), 0.5),  # walking to its right is the old forward
        (0.0, math.pi, (0.5, 0.0, 0.0), -0.5),
        (3.0, -3.0, (0.5, 0.0, 0.0), 0.5 * math.cos(2 * math.pi - 6.0)),  # across the seam
    ],
)
def test_forward_is_along_the_heading_with_which_the_episode_began(
    walk: Callable[..., Walk], turned: Any, start: float, now: float, velocity: Any, earned: float
) -> None:
    episode = walk()
    episode.begin(orientation=turned(yaw=start))
    outcome = episode.step(orientation=turned(yaw=now), velocity_body=np.array(velocity))
    assert outcome.reward == pytest.approx(earned, abs=1e-9)


def test_forward_is_level_however_the_body_leans(walk: Callable[..., Walk], turned: Any) -> None:
    # Nose down by 30° (positive pitch), moving level at 0.6 m/s: in the body the level forward
    # axis is cos 30° ahead and sin 30° up. Rolled by 30°, level left is cos 30° left, −sin 30° up.
    half, root = 0.5, math.sqrt(0.75)
    episode = walk(lean_scale_rad=10.0)
    episode.begin()
    dive = episode.step(
        orientation=turned(pitch=math.pi / 6), velocity_body=0.6 * np.array([root, 0.0, half])
    )
    assert dive.reward == pytest.approx(0.6 * math.exp(-((math.pi / 60) ** 2)))
    roll = episode.step(
        orientation=turned(roll=math.pi / 6), velocity_body=0.6 * np.array([0.0, root, -half])
    )
    assert roll.reward == pytest.approx(0.0, abs=1e-9)


def test_sideways_is_across_the_episodes_heading(walk: Callable[..., Walk], turned: Any) -> None:
    episode = walk(lateral_weight=1.0)
    episode.begin()
    outcome = episode.step(
        orientation=turned(yaw=math.pi / 2), velocity_body=np.array([0.5, 0.0, 0.0])
    )
    assert outcome.reward == pytest.approx(-0.5)


def test_the_lean_is_the_angle_between_two_verticals(
    walk: Callable[..., Walk], turned: Any
) -> None:
    # cos of the lean is the product of the cosines of roll and pitch: ¾ for 30° each.
    episode = walk(upright_weight=1.0)
    episode.begin()
    outcome = episode.step(orientation=turned(math.pi / 6, math.pi / 6))
    assert outcome.reward == pytest.approx(-math.acos(0.75))


def test_joint_acceleration_is_the_change_of_velocity_over_a_period(
    walk: Callable[..., Walk],
) -> None:
    # 1 rad/s more in 25 ms is 40 rad/s²: 1600, in thousands 1.6, times the weight.
    episode = walk(effort_weight=0.5)
    episode.begin(joint_velocity=np.ones(12))
    outcome = episode.step(joint_velocity=np.full(12, 2.0))
    assert outcome.reward == pytest.approx(-0.8)


def test_torque_counts_as_a_share_of_each_joints_own_limit(
    walk: Callable[..., Walk], robot: RobotModel
) -> None:
    episode = walk(torque_weight=2.0)
    episode.begin()
    outcome = episode.step(joint_effort=-0.5 * robot.torque_max)
    assert outcome.reward == pytest.approx(-0.5)


def test_a_foot_against_the_rhythm_costs_as_far_as_its_leg_is_in_swing_or_stance(
    walk: Callable[..., Walk], robot: RobotModel
) -> None:
    # 5 Hz: 50 ms after the beginning one diagonal is lifted fully and the other stands fully,
    # 25 ms after it both are half way there: sin 45°. Feet are held against the decision before.
    section = {'frequency_hz': 5.0, 'leg_phase': [0.0, math.pi, math.pi, 0.0]}
    rhythm = section | {'amplitude': [0.0, 0.2, -0.4]}
    quick = replace(robot, sections={**robot.sections, 'oscillator': rhythm})
    feet_and_costs = [
        ([0, 1, 1, 0], 0.0),
        ([1, 1, 1, 0], 0.25),
        ([0, 1, 0, 0], 0.25),
        ([1, 1, 1, 1], 0.5),
        ([0, 0, 0, 0], 0.5),
        ([1, 0, 0, 1], 1.0),
    ]
    for feet, cost in feet_and_costs:
        episode = walk(robot=quick, rhythm_weight=1.0, use_oscillator=True)
        episode.begin()
        force = np.array(feet) * (robot.foot_force_threshold + 1.0)
        for share in (0.0, math.sqrt(0.5), 1.0):
            earned = episode.step(foot_force=force).reward
            assert earned == pytest.approx(-share * cost, abs=1e-9)


@pytest.mark.parametrize('without', ['rhythm', 'foot force', 'a foot for each leg'])
def test_where_nobody_can_tell_no_foot_is_out_of_step(
    walk: Callable[..., Walk], robot: RobotModel, without: str
) -> None:
    blind = replace(robot, has_foot_force=False)
    section = {'frequency_hz': 5.0, 'leg_phase': [0.0] * 6, 'amplitude': [0.1] * 2}
    six_legs = replace(robot, sections={**robot.sections, 'oscillator': section})
    episode = walk(
        robot={'foot force': blind, 'a foot for each leg': six_legs}.get(without, robot),
        rhythm_weight=1.0,
        use_oscillator=without != 'rhythm',
    )
    episode.begin()
    episode.step()
    assert episode.step(foot_force=np.full(4, 99.0)).reward == 0.0


def test_the_executed_action_is_told_and_not_the_one_asked_for(
    walk: Callable[..., Walk], robot: RobotModel
) -> None:
    episode = walk(smoothness_weight=1.0)
    episode.begin()
    held_back = robot.stance + 0.5 * robot.action_box
    outcome = episode.step(np.ones(12), position=held_back)
    np.testing.assert_allclose(outcome.action, 0.5)
    assert outcome.reward == pytest.approx(-0.25)  # from an action of 0 to one of ½


def test_the_margin_of_the_new_state_is_told(walk: Callable[..., Walk], turned: Any) -> None:
    episode = walk()
    episode.begin()
    assert episode.step(orientation=turned(pitch=0.2)).constraint == pytest.approx(0.26 - 0.2)


# What ends an episode, and how: a fall ends the future, everything else only cuts the view of it.
ENDS = [
    ('nothing', {}, False, False),
    ('clipped', {'reasons': Reason.CLIPPED_RATE | Reason.CLIPPED_TORQUE}, False, False),
    ('fall', {**STOPPED, 'reasons': Reason.TILT}, True, False),
    ('fall_in_a_heap', {**STOPPED, 'reasons': Reason.TILT | Reason.OVER_SPEED}, True, False),
    ('operator', {**STOPPED, 'mode': Mode.LATCHED_STOP, 'reasons': Reason.OPERATOR}, False, True),
    ('trip', {**STOPPED, 'reasons': Reason.SENSORS_STALE}, False, True),
    ('late_target', {**STOPPED, 'reasons': Reason.TARGET_STALE}, False, True),
    ('released', {**STOPPED, 'mode': Mode.STANDBY, 'reasons': Reason.RELEASED}, False, True),
    ('reset_drives', {'authority': Authority.RESET}, False, True),
    ('unhealthy', {'healthy': False}, False, True),
    ('steep_trip', {**STOPPED, 'reasons': Reason.OVER_SPEED, 'sensed': (0.9, 0.0)}, True, False),
    (
        'nosedive',
        {**STOPPED, 'reasons': Reason.SENSORS_INVALID, 'sensed': (0.0, -0.9)},
        True,
        False,
    ),
    ('steep_release', {**STOPPED, 'reasons': Reason.RELEASED, 'sensed': (0.9, 0.0)}, False, True),
    ('steep_and_driving', {'sensed': (0.9, 0.0)}, False, False),
    ('fall_while_unhealthy', {**STOPPED, 'reasons': Reason.TILT, 'healthy': False}, True, False),
]


@pytest.mark.parametrize('what, changed, terminated, truncated', ENDS, ids=[e[0] for e in ENDS])
def test_only_a_fall_terminates(
    walk: Callable[..., Walk],
    turned: Any,
    what: str,
    changed: Any,
    terminated: bool,
    truncated: bool,
) -> None:
    episode = walk()
    episode.begin()
    episode.step()
    roll, pitch = changed.get('sensed', (0.0, 0.0))  # the A1 has fallen beyond 0.79
    outcome = episode.step(**changed, sensed_orientation=turned(roll, pitch))
    assert (outcome.terminated, outcome.truncated) == (terminated, truncated), what
    assert outcome.reasons == changed.get('reasons', Reason.NONE)


def test_the_time_limit_truncates_after_as_many_steps_as_it_lasts(
    walk: Callable[..., Walk],
) -> None:
    episode = walk(episode_s=0.5)  # twenty steps of 25 ms
    episode.begin()
    for _ in range(19):
        assert not episode.step().truncated
        assert not episode.task.complete
    last = episode.step()
    assert last.truncated
    assert not last.terminated
    assert episode.task.complete


def test_a_fall_on_the_last_step_is_a_fall(walk: Callable[..., Walk]) -> None:
    episode = walk(episode_s=0.5)
    episode.begin()
    for _ in range(19):
        episode.step()
    last = episode.step(**STOPPED, reasons=Reason.TILT)
    assert last.terminated
    assert not last.truncated


def test_a_robot_that_was_stopped_earns_nothing_and_one_that_fell_pays(
    walk: Callable[..., Walk],
) -> None:
    fast = {'velocity_body': np.array([1.0, 0.0, 0.0])}
    episode = walk(alive_reward=0.5, fall_reward=-3.0)
    episode.begin()
    assert episode.step(**fast).reward == pytest.approx(1.5)
    assert episode.step(**fast, **STOPPED, reasons=Reason.OPERATOR).reward == 0.0
    assert episode.step(**fast, **STOPPED, reasons=Reason.TILT).reward == -3.0


def test_an_episode_knows_nothing_of_the_one_before(
    walk: Callable[..., Walk], turned: Any
) -> None:
    episode, fresh = walk(history=2), walk(history=2)
    episode.begin()
    for _ in range(3):
        episode.step(np.ones(12), orientation=turned(yaw=1.0), joint_velocity=np.ones(12))
    np.testing.assert_array_equal(episode.begin(), fresh.begin())


def test_the_rhythm_starts_with_the_episode(walk: Callable[..., Walk], robot: RobotModel) -> None:
    # A quarter of a stride of 2.25 Hz after the first decision the first legs are lifted highest.
    episode = walk(use_oscillator=True)
    observation = episode.begin()
    np.testing.assert_allclose(observation.reshape(-1, 51)[0, -2:], [0.0, 1.0], atol=1e-6)
    quarter_ns = round(1e9 / 2.25 / 4)
    lifted = episode.task.target(np.zeros(12), 10 * PERIOD_NS + quarter_ns) - robot.stance
    np.testing.assert_allclose(lifted[:6], [0.0, 0.25, -0.5, 0.0, 0.0, 0.0], atol=1e-6)


@pytest.mark.parametrize('kind, earned', [(FORWARD, -0.4), (BACKWARD, 0.4), (LEFT, 0.0)])
def test_each_task_earns_by_its_own_reward(
    walk: Callable[..., Walk], kind: Kind, earned: float
) -> None:
    episode = walk()
    episode.begin(kind)
    assert episode.step(velocity_body=np.array([-0.4, 0, 0])).reward == pytest.approx(earned)


@pytest.mark.parametrize('kind, seen', [(FORWARD, 0.5), (BACKWARD, 0.5), (LEFT, 0.0)])
def test_only_who_keeps_a_heading_sees_one(
    walk: Callable[..., Walk], turned: Any, kind: Kind, seen: float
) -> None:
    episode = walk(history=0)
    episode.begin(kind)
    assert episode.step(orientation=turned(yaw=0.5)).observation[-3] == pytest.approx(seen)


def test_turning_earns_by_the_gyro_and_going_along_is_the_bodys_own(
    walk: Callable[..., Walk], turned: Any
) -> None:
    episode = walk(target_yaw_rate_rad_s=1.0, lateral_weight=1.0)
    episode.begin(RIGHT)
    outcome = episode.step(
        orientation=turned(yaw=math.pi / 2),
        angular_velocity=np.array([0.0, 0.0, -0.6]),
        velocity_body=np.array([0.25, 0.0, 0.0]),
    )
    assert outcome.reward == pytest.approx(0.6 - 0.25)


def test_a_step_is_judged_by_the_velocity_that_it_was_to_follow(
    walk: Callable[..., Walk],
) -> None:
    # What is wanted from now on is seen, but what was wanted before is what was followed.
    episode = walk(tasks=['velocity'], history=0, velocity_scale=1.0)
    first = episode.begin(VELOCITY, np.array([0.5, 0.0, 0.0]))
    assert first[-3:].tolist() == [0.5, 0.0, 0.0]
    followed = episode.step(
        velocity_body=np.array([0.5, 0.0, 0.0]), wanted=np.array([-0.25, 0.0, 0.0])
    )
    assert followed.reward == pytest.approx(1.0)
    assert followed.observation[-3:].tolist() == [-0.25, 0.0, 0.0]
    assert episode.step(velocity_body=np.array([0.5, 0.0, 0.0])).reward == pytest.approx(0.25)


def test_leaving_the_workspace_cuts_the_episode_and_a_fall_there_is_a_fall(
    walk: Callable[..., Walk],
) -> None:
    episode = walk()
    episode.begin()
    left = episode.step(is_over=True)
    assert (left.terminated, left.truncated) == (False, True)
    assert not episode.task.complete
    episode.begin()
    fell = episode.step(is_over=True, **STOPPED, reasons=Reason.TILT)
    assert (fell.terminated, fell.truncated) == (True, False)


@pytest.mark.parametrize(
    'kind, earned', [(FORWARD, 0.4), (BACKWARD, -0.4), (LEFT, 2.0), (RIGHT, -2.0)]
)
def test_displacement_is_the_way_along_the_first_heading_and_the_turn_of_each_step(
    walk: Callable[..., Walk], turned: Any, kind: Kind, earned: float
) -> None:
    # It faces +y and goes there by 1 cm a step of 25 ms, turning by 0.05 rad, also over the seam.
    episode = walk(reward='displacement', acceleration_weight=0.0)
    place = np.array([3.0, 1.0, 0.3])
    episode.begin(kind, orientation=turned(yaw=math.pi / 2), estimated=place)
    for number in (1, 2):
        outcome = episode.step(
            orientation=turned(yaw=math.pi / 2 + 0.05 * number),
            estimated=place + np.array([0.0, 0.01 * number, 0.0]),
        )
        assert outcome.reward == pytest.approx(earned)
    episode.begin(kind, orientation=turned(yaw=math.pi - 0.02), estimated=place)
    over = episode.step(
        orientation=turned(yaw=-math.pi + 0.03), estimated=place + np.array([-0.01, 0.0, 0.0])
    )
    assert over.reward == pytest.approx(earned, rel=1e-3)


def test_one_task_goes_over_into_another_along_the_heading_of_that_moment(
    walk: Callable[..., Walk], turned: Any, estimate_of: Estimates
) -> None:
    episode = walk(history=0)
    episode.begin(LEFT)
    episode.step()
    episode.task.go_over(estimate_of(orientation=turned(yaw=1.0)), FORWARD)
    assert episode.step(orientation=turned(yaw=1.2)).observation[-3] == pytest.approx(0.2)
