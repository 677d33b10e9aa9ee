"""Claims about guesses that push: by the geometry of the legs, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from quad_learner.get_up_search.push import Pushing
from quad_learner.get_up_search.space import SECONDS_LEAST, MotionSpace
from quad_learner.robot.model import load
from quad_learner.safety.config import SafetyConfig


def reach_up(leg: np.ndarray) -> np.ndarray:
    """Returns how far above its hip a foot is [m]: upper links of 0.1 m, lower ones of 0.2 m.

    Both motors the same way stretch a leg; against each other they turn it.
    """
    stretch, turn = leg.mean(axis=-1), (leg[..., 0] - leg[..., 1]) / 2.0
    length = np.sqrt(0.2**2 - (0.1 * np.sin(stretch)) ** 2) - 0.1 * np.cos(stretch)
    return np.asarray(-length * np.cos(turn))


def test_off_its_back_the_minitaurs_left_legs_push_up_and_the_right_ones_do_not(
    safety: SafetyConfig,
) -> None:
    robot, generator = load('minitaur'), np.random.default_rng(0)
    space = MotionSpace(robot, safety, 2, legs_alike=False)
    pushing = Pushing(robot, 'from_back', space)
    for _ in range(5):
        before, last = space.frames(pushing.guess(generator))
        assert (reach_up(-np.reshape(last['left'], (2, 2))) > 0.15).all()
        start, end = (reach_up(np.reshape(frame['right'], (2, 2))) for frame in (before, last))
        assert (end < np.maximum(start, 0.0) + 0.05).all()


def test_off_a_side_the_a1s_feet_end_over_the_back(safety: SafetyConfig) -> None:
    robot, generator = load('a1'), np.random.default_rng(0)
    space = MotionSpace(robot, safety, 2, legs_alike=True)
    last = space.frames(Pushing(robot, 'from_side', space).guess(generator))[-1]
    for side in ('right', 'left'):
        _, upper, lower = last[side]
        # Height of the foot over the hip in leg lengths: the upper leg, and the lower one on it.
        assert -np.cos(upper) - np.cos(upper + lower) > 0.0


def test_the_last_pose_comes_as_quickly_as_reset_may(safety: SafetyConfig) -> None:
    robot, generator = load('a1'), np.random.default_rng(0)
    space = MotionSpace(robot, safety, 2, legs_alike=True)
    before, last = space.frames(Pushing(robot, 'from_back', space).guess(generator))
    way = max(np.abs(np.subtract(last[side], before[side])).max() for side in ('right', 'left'))
    assert last['seconds'] == pytest.approx(max(SECONDS_LEAST, way / 10.0), abs=0.011)


def test_the_same_chance_gives_the_same_guess(safety: SafetyConfig) -> None:
    robot = load('a1')
    space = MotionSpace(robot, safety, 2, legs_alike=True)
    pushing = Pushing(robot, 'from_back', space)
    one, other = (pushing.guess(np.random.default_rng(5)) for _ in range(2))
    assert (one == other).all()
