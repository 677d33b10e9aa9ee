from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from quad_learner.experience.metrics_table import Row
from quad_learner.experience.walking import displacement_along_heading, mean_speed, time_to_walk

MakeRow = Callable[..., Row]


def test_mean_speed_is_that_of_the_last_three_episodes(row: MakeRow) -> None:
    rows = [row(n, speed) for n, speed in enumerate((9.0, 0.3, 0.4, 0.8), start=1)]
    assert mean_speed(rows) == pytest.approx(0.5)


def test_mean_speed_leaves_out_the_episode_that_the_budget_cut(row: MakeRow) -> None:
    rows = [row(1, 0.3), row(2, 0.4), row(3, 0.8), row(4, 0.01, cut=True)]
    assert mean_speed(rows) == pytest.approx(0.5)


def test_mean_speed_is_unknown_before_the_third_episode(row: MakeRow) -> None:
    assert mean_speed([]) is None
    assert mean_speed([row(1, 0.5), row(2, 0.5), row(3, 0.5, cut=True)]) is None


def test_walking_begins_with_the_third_of_three_that_average_the_speed(row: MakeRow) -> None:
    rows = [row(n, speed) for n, speed in enumerate((0.0, 0.3, 0.4, 0.5, 0.9), start=1)]
    assert time_to_walk(rows, walk_speed=0.4) == 40.0  # the fourth episode ends at 40 s


@pytest.mark.parametrize('flaw', [{'fell': True}, {'cut': True}])
def test_three_episodes_of_which_one_is_not_whole_are_no_walking(
    row: MakeRow, flaw: dict[str, bool]
) -> None:
    rows = [row(1, 0.5), row(2, 0.5, **flaw), row(3, 0.5), row(4, 0.5)]
    assert time_to_walk(rows, walk_speed=0.4) is None
    assert time_to_walk([*rows, row(5, 0.5)], walk_speed=0.4) == 50.0


def test_a_robot_that_never_walks_has_no_time_to_walk(row: MakeRow) -> None:
    assert time_to_walk([row(n, 0.399) for n in range(1, 30)], walk_speed=0.4) is None


@pytest.mark.parametrize('yaw', np.linspace(-3.0, 3.0, 7))
@pytest.mark.parametrize('tilt', [0.0, 0.3])
def test_only_the_way_along_the_first_heading_counts(yaw: float, tilt: float) -> None:
    # Quaternion of a turn by yaw about the vertical, then by tilt about the body's own y axis.
    cy, sy, cp, sp = np.cos(yaw / 2), np.sin(yaw / 2), np.cos(tilt / 2), np.sin(tilt / 2)
    orientation = np.array([-sy * sp, cy * sp, sy * cp, cy * cp])
    start = np.array([3.0, -2.0, 0.3])
    forward = np.array([np.cos(yaw), np.sin(yaw), 0.0])
    left = np.array([-np.sin(yaw), np.cos(yaw), 0.0])
    end = start + 1.7 * forward + 5.0 * left + np.array([0.0, 0.0, 9.0])
    assert displacement_along_heading(start, orientation, end) == pytest.approx(1.7)
