from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from quad_learner.robot.signals import Estimate
from quad_learner.task.config import TaskConfig
from quad_learner.task.course import Course
from quad_learner.task.kinds import BACKWARD, FORWARD, LEFT
from quad_learner.task.workspace import Place

Configure = Callable[..., TaskConfig]
Estimates = Callable[..., Estimate]


STRIDE_M = 0.1
"""what a robot walks between two looks, and more than it does"""


class Robot:
    """Walks to where it is wanted, in strides that an estimator can follow."""

    def __init__(self, course: Course, estimates: Estimates, turned: Any) -> None:
        self.course = course
        self._estimates, self._turned = estimates, turned
        self._time_ns = 0
        self._place: tuple[float, float] | None = None

    def at(self, x: float, y: float, yaw: float) -> None:
        from_x, from_y = self._place or (x, y)
        strides = 1 + int(math.hypot(x - from_x, y - from_y) / STRIDE_M)
        for share in np.linspace(0.0, 1.0, strides + 1)[1:]:
            self._look(from_x + share * (x - from_x), from_y + share * (y - from_y), yaw)
        self._place = x, y

    def _look(self, x: float, y: float, yaw: float) -> None:
        self._time_ns += 25_000_000
        self.course.see(
            self._estimates(
                time_ns=self._time_ns,
                position=np.array([x, y, 0.3]),
                orientation=self._turned(yaw=yaw),
            )
        )


@pytest.fixture
def robot_on(task_config: Configure, estimate_of: Estimates, turned: Any) -> Callable[..., Robot]:
    def make(**task: Any) -> Robot:
        course = Course(task_config(**task), np.random.default_rng(0))
        return Robot(course, estimate_of, turned)

    return make


def test_one_task_without_bounds_is_done_for_ever(robot_on: Callable[..., Robot]) -> None:
    robot = robot_on()
    for number in range(5):
        robot.at(100.0 * number, 0.0, 1.0)
        assert robot.course.next() is FORWARD
        robot.course.begin()
        robot.at(100.0 * number + 50.0, 0.0, 1.0)
        assert not robot.course.is_over()
    np.testing.assert_array_equal(robot.course.wanted(), np.zeros(3))


def test_leaving_ends_the_episode_and_the_next_leads_back(robot_on: Callable[..., Robot]) -> None:
    robot = robot_on(tasks=['forward', 'backward'], workspace_m=[4.0, 3.0], workspace_margin_m=0.5)
    robot.at(0.0, 0.0, 0.0)
    assert robot.course.next() is FORWARD
    robot.course.begin()
    robot.at(1.5, 0.0, 0.0)
    assert not robot.course.is_over()
    robot.at(1.65, 0.0, 0.0)
    assert robot.course.is_over()
    assert robot.course.next() is BACKWARD
    robot.course.begin()
    robot.at(1.6, 0.0, 0.0)
    assert not robot.course.is_over()


def test_a_turn_out_of_bounds_is_over_when_it_faces_the_centre(
    robot_on: Callable[..., Robot],
) -> None:
    robot = robot_on(tasks=['forward', 'left'], workspace_m=[4.0, 3.0], workspace_margin_m=0.5)
    robot.at(1.9, 0.0, math.pi / 2)
    assert robot.course.next() is LEFT
    robot.course.begin()
    robot.at(1.9, 0.0, 0.75 * math.pi)
    assert not robot.course.is_over()
    robot.at(1.9, 0.0, 0.95 * math.pi)
    assert robot.course.is_over()
    # One that faces it from the start, because turning is to be learned too, goes on as well.
    robot.at(1.6, 0.0, math.pi)
    robot.course.begin()
    robot.at(1.6, 0.0, math.pi)
    assert not robot.course.is_over()
    # Inside, a turn may go on for as long as it likes.
    robot.at(0.5, 0.0, math.pi / 2)
    assert robot.course.next() is LEFT
    robot.course.begin()
    robot.at(0.5, 0.0, math.pi)
    assert not robot.course.is_over()


def test_an_external_pose_decides_what_leads_back(robot_on: Callable[..., Robot]) -> None:
    robot = robot_on(tasks=['forward', 'backward'], workspace_m=[4.0, 3.0])
    robot.at(1.0, 0.0, 0.0)
    assert robot.course.next() is BACKWARD
    for second in (1, 2, 3):
        for _ in range(40):
            robot.at(1.0, 0.0, 0.0)
        told = robot.course.correct(second * 1_000_000_000, Place(-1.0, 0.001 * second, 0.0))
    assert told == ''
    assert robot.course.next() is FORWARD
    assert robot.course.corrected_m == pytest.approx(2.0, abs=0.01)


def test_the_estimate_of_a_process_that_began_anew_moves_nothing(
    robot_on: Callable[..., Robot],
) -> None:
    robot = robot_on(tasks=['forward', 'backward'], workspace_m=[4.0, 3.0])
    robot.at(0.0, 0.0, 0.0)
    robot.at(1.7, 0.0, 0.0)
    robot._place = None  # odom begins at its origin again
    robot.at(0.0, 0.0, 0.0)
    assert robot.course.place == pytest.approx((1.7, 0.0, 0.0))
    assert robot.course.next() is BACKWARD
    robot.at(0.2, 0.0, 0.0)
    assert robot.course.place == pytest.approx((1.9, 0.0, 0.0))


def test_who_is_too_far_out_has_strayed(robot_on: Callable[..., Robot]) -> None:
    robot = robot_on(tasks=['forward', 'backward'], workspace_m=[4.0, 3.0], workspace_stray_m=1.0)
    for x, strayed_m in [(0.0, 0.0), (2.9, 0.0), (3.1, 1.1), (2.5, 0.0)]:
        robot.at(x, 0.0, 0.0)
        assert robot.course.strayed_m == pytest.approx(strayed_m)
    endless = robot_on(workspace_m=[0.0, 0.0])
    endless.at(1e5, 0.0, 0.0)
    assert endless.course.strayed_m == 0.0


def test_a_velocity_to_follow_is_given_to_that_task_alone(robot_on: Callable[..., Robot]) -> None:
    robot = robot_on(tasks=['forward', 'velocity'])
    given = {}
    for _ in range(2):
        robot.at(0.0, 0.0, 0.0)
        kind = robot.course.next()
        robot.course.begin()
        given[kind.name] = robot.course.wanted()
    assert not given['forward'].any()
    assert given['velocity'].any()


@pytest.mark.parametrize(
    'wrong',
    [
        {'tasks': []},
        {'tasks': ['forward', 'forward']},
        {'workspace_m': [4.0]},
        {'command_max': [0.5, 0.5]},
        {'tasks': ['velocity'], 'reward': 'displacement'},
    ],
)
def test_what_does_not_go_together_is_refused(task_config: Configure, wrong: Any) -> None:
    with pytest.raises(ValueError, match='|'.join(wrong)):
        task_config(**wrong)
