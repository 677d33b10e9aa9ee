from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from quad_learner import configuration
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.resources import config_directory
from quad_learner.robot import model
from quad_learner.task import reward
from quad_learner.task.config import TaskConfig
from quad_learner.task.constraint import upright_margin
from quad_learner.task.kinds import BACKWARD, FORWARD, LEFT, RIGHT, VELOCITY
from quad_learner.task.reward import Motion

Configure = Callable[..., TaskConfig]


def motion(**changed: Any) -> Motion:
    """Returns standing still, level, with parts changed."""
    whole: dict[str, Any] = {
        'forward_speed': 0.0,
        'lateral_speed': 0.0,
        'yaw_rate': 0.0,
        'lean': 0.0,
        'joint_acceleration': np.zeros(12),
        'torque': np.zeros(12),
        'action_change': np.zeros(12),
        'displacement': (0.0, 0.0),
        'turned': 0.0,
        'out_of_step': 0.0,
        'commanded': np.zeros(3),
    }
    return Motion(**(whole | changed))


@pytest.fixture
def config(task_config: Configure) -> TaskConfig:
    return task_config(
        target_speed_m_s=0.8,
        lean_scale_rad=0.5,
        alive_reward=0.25,
        yaw_rate_weight=0.05,
        lateral_weight=0.1,
        upright_weight=0.2,
        effort_weight=0.001,
        torque_weight=3.0,
        smoothness_weight=0.02,
    )


@pytest.mark.parametrize(
    'speed, earned', [(0.0, 0.0), (0.2, 0.25), (0.8, 1.0), (3.0, 1.0), (-0.4, -0.5), (-3.0, -1.0)]
)
def test_speed_earns_its_share_of_the_target_and_no_more(
    config: TaskConfig, speed: float, earned: float
) -> None:
    assert reward.walking(motion(forward_speed=speed), config, along=1.0) == pytest.approx(earned)


def test_speed_in_a_dive_earns_less_than_level(config: TaskConfig) -> None:
    # At one scale of lean a speed is worth 1/e of itself; at three 1/e⁹.
    dive = motion(forward_speed=0.8, lean=0.5)
    assert reward.walking(dive, config, along=1.0) == pytest.approx(1.0 / math.e)
    assert reward.walking(motion(forward_speed=0.8, lean=1.5), config, along=1.0) < 2e-4


def test_speed_in_a_dive_is_speed_where_leaning_is_left_to_the_constraint(
    task_config: Configure,
) -> None:
    config = task_config(target_speed_m_s=0.8, lean_scale_rad=0.0)
    dive = motion(forward_speed=0.8, lean=0.7)
    assert reward.walking(dive, config, along=1.0) == pytest.approx(1.0)


def test_drifting_and_turning_cost_the_same_both_ways(config: TaskConfig) -> None:
    # 0.1 · 0.3 + 0.05 · 2
    for side in (1.0, -1.0):
        drift = motion(lateral_speed=0.3 * side, yaw_rate=-2.0 * side)
        assert reward.straightness(drift, config) == pytest.approx(-0.13)


def test_leaning_costs_by_the_radian(config: TaskConfig) -> None:
    assert reward.posture(motion(lean=0.5), config) == pytest.approx(-0.1)


def test_jerking_costs_the_mean_square_of_acceleration_and_change_of_action(
    config: TaskConfig,
) -> None:
    # One joint of twelve at 120 rad/s²: mean square 1200, in thousands 1.2, times 0.001.
    # One action of twelve changed by 0.6: mean square 0.03, times 0.02.
    acceleration, change = np.zeros(12), np.zeros(12)
    acceleration[3], change[5] = -120.0, 0.6
    jerk = motion(joint_acceleration=acceleration, action_change=change)
    assert reward.effort(jerk, config) == pytest.approx(-(0.0012 + 0.0006))


def test_straining_costs_the_mean_square_share_of_the_limit(config: TaskConfig) -> None:
    # One joint of twelve at half its limit: mean square 1/48, times 3.
    torque = np.zeros(12)
    torque[7] = -0.5
    assert reward.effort(motion(torque=torque), config) == pytest.approx(-3.0 / 48.0)


def test_feet_against_the_rhythm_cost_their_share(
    task_config: Configure,
) -> None:
    config = task_config(rhythm_weight=0.4)
    astray = motion(out_of_step=0.25)
    assert reward.rhythm(astray, config) == pytest.approx(-0.1)
    whole = [reward.reward(each, config) for each in (motion(), astray)]
    assert whole[0] - whole[1] == pytest.approx(0.1)


def test_standing_still_earns_being_alive_and_nothing_else(config: TaskConfig) -> None:
    assert reward.reward(motion(), config) == pytest.approx(0.25)


def test_the_reward_is_the_sum_of_its_parts(config: TaskConfig) -> None:
    walk = motion(forward_speed=0.4, lateral_speed=0.1, yaw_rate=0.2, action_change=np.ones(12))
    # 0.25 + 0.5 − (0.01 + 0.01) − 0.02
    assert reward.reward(walk, config) == pytest.approx(0.71)


def test_with_the_first_price_of_leaning_walking_pays_more_than_standing_and_standing_than_a_dive(
    task_config: Configure,
) -> None:
    shipped, robot = task_config(), model.load('a1')
    learner = configuration.read(LearnerConfig, config_directory() / 'learner.yaml')

    def worth(speed: float, lean: float) -> float:
        margin = min(upright_margin(0.0, lean, robot), learner.margin_cap_rad)
        earned = reward.reward(motion(forward_speed=speed, lean=lean), shipped)
        return earned + learner.initial_multiplier * margin

    assert worth(0.4, 0.05) > worth(0.0, 0.0) > worth(0.4, 0.7)
    assert reward.reward(motion(forward_speed=0.4, lean=0.7), shipped) == pytest.approx(0.5)


def test_walking_backward_earns_what_walking_ahead_does_the_other_way(config: TaskConfig) -> None:
    ahead, back = motion(forward_speed=0.4), motion(forward_speed=-0.4)
    assert reward.reward(back, config, BACKWARD) == pytest.approx(0.75)
    assert reward.reward(ahead, config, BACKWARD) == pytest.approx(-0.25)


def test_turning_earns_its_share_of_the_target_to_its_own_side(task_config: Configure) -> None:
    # 0.25 alive, 0.6 of 1.2 rad/s; going astray costs 0.1 · 0.5 (3-4-5), turning itself nothing.
    config = task_config(
        target_yaw_rate_rad_s=1.2, alive_reward=0.25, lateral_weight=0.1, torque_weight=0.0
    )
    turn = motion(yaw_rate=0.6, forward_speed=0.3, lateral_speed=-0.4)
    assert reward.reward(turn, config, LEFT) == pytest.approx(0.25 + 0.5 - 0.05)
    assert reward.reward(turn, config, RIGHT) == pytest.approx(0.25 - 0.5 - 0.05)
    spin = motion(yaw_rate=-9.0)
    assert reward.reward(spin, config, RIGHT) == pytest.approx(1.25)


@pytest.mark.parametrize(
    'ahead, left, turn, share',
    [(0.4, 0.1, 0.5, 1.0), (0.0, 0.1, 0.5, 0.5), (0.4, 0.1, 0.0, 0.5), (-2.0, 0.0, -3.0, -1.0)],
)
def test_following_earns_less_by_what_is_missing_of_the_command(
    task_config: Configure, ahead: float, left: float, turn: float, share: float
) -> None:
    config = task_config(target_speed_m_s=0.8, target_yaw_rate_rad_s=1.0, alive_reward=0.0)
    does = motion(
        forward_speed=ahead,
        lateral_speed=left,
        yaw_rate=turn,
        commanded=np.array([0.4, 0.1, 0.5]),
    )
    assert reward.reward(does, config, VELOCITY) == pytest.approx(share)


@pytest.mark.parametrize(
    'kind, earned', [(FORWARD, 0.4), (BACKWARD, -0.4), (LEFT, 0.8), (RIGHT, -0.8)]
)
def test_the_displacement_reward_is_way_or_turn_a_second_less_acceleration(
    task_config: Configure, kind: Any, earned: float
) -> None:
    # 1 cm and 0.02 rad in 25 ms are 0.4 m/s and 0.8 rad/s. Two joints change their velocity by
    # 4 rad/s: 0.1 rad/step² each, 0.02 together squared, times 0.1, 40 times a second.
    acceleration = np.zeros(12)
    acceleration[:2] = 160.0, -160.0
    moved = motion(displacement=(0.01, 0.5), turned=0.02, joint_acceleration=acceleration)
    config = task_config(acceleration_weight=0.1)
    assert reward.displacement(moved, config, kind, 0.025) == pytest.approx(earned - 0.08)
