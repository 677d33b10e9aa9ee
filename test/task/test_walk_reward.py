"""What a step of an episode earns: which motion the task makes of estimate and sensors."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_up_walk import STOPPED, Walk

from quad_learner.robot.model import RobotModel
from quad_learner.safety.modes import Reason
from quad_learner.task.kinds import BACKWARD, FORWARD, LEFT, RIGHT, VELOCITY, Kind


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


def test_a_robot_that_was_stopped_earns_nothing_and_one_that_fell_pays(
    walk: Callable[..., Walk],
) -> None:
    fast = {'velocity_body': np.array([1.0, 0.0, 0.0])}
    episode = walk(alive_reward=0.5, fall_reward=-3.0)
    episode.begin()
    assert episode.step(**fast).reward == pytest.approx(1.5)
    assert episode.step(**fast, **STOPPED, reasons=Reason.OPERATOR).reward == 0.0
    assert episode.step(**fast, **STOPPED, reasons=Reason.TILT).reward == -3.0


@pytest.mark.parametrize('kind, earned', [(FORWARD, -0.4), (BACKWARD, 0.4), (LEFT, 0.0)])
def test_each_task_earns_by_its_own_reward(
    walk: Callable[..., Walk], kind: Kind, earned: float
) -> None:
    episode = walk()
    episode.begin(kind)
    assert episode.step(velocity_body=np.array([-0.4, 0, 0])).reward == pytest.approx(earned)


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
