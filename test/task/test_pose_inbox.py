from __future__ import annotations

import math

import pytest

from quad_learner.task.pose_inbox import KEPT, PoseInbox
from quad_learner.task.workspace import Place

SECOND = 1_000_000_000
HERE, THERE = Place(0.0, 0.0, 0.0), Place(1.0, 0.0, 0.0)


def test_in_lockstep_a_pose_is_due_half_a_second_after_its_stamp_whenever_it_comes() -> None:
    inbox = PoseInbox(lockstep=True)
    assert inbox.take(2 * SECOND, THERE, 0 * SECOND + SECOND)
    assert inbox.take(1 * SECOND, HERE, 1 * SECOND)
    assert inbox.due(SECOND + SECOND // 2 - 1) == []
    assert inbox.due(SECOND + SECOND // 2) == [(SECOND, HERE)], 'one of later blocks nobody'
    assert inbox.due(3 * SECOND) == [(2 * SECOND, THERE)]
    assert inbox.due(9 * SECOND) == []


def test_in_real_time_a_pose_counts_as_fresh_whatever_its_clock_says() -> None:
    inbox = PoseInbox(lockstep=False)
    assert inbox.take(10**18, HERE, SECOND)
    assert inbox.take(3, THERE, SECOND)
    assert inbox.due(SECOND) == [(SECOND, HERE), (SECOND, THERE)]
    assert len(inbox) == 0


def test_in_lockstep_a_stamp_that_is_far_ahead_is_no_time_of_this_robot() -> None:
    inbox = PoseInbox(lockstep=True)
    assert not inbox.take(10 * SECOND, HERE, 2 * SECOND)
    assert inbox.refused == 'its stamp is 8.0 s ahead of the robot'
    assert inbox.take(3 * SECOND, THERE, 2 * SECOND), 'it may have overtaken its sample'
    assert inbox.due(4 * SECOND) == [(3 * SECOND, THERE)]


@pytest.mark.parametrize('lockstep', [True, False])
def test_the_same_stamp_again_is_the_same_pose_again(lockstep: bool) -> None:
    inbox = PoseInbox(lockstep)
    assert inbox.take(SECOND, HERE, SECOND)
    assert not inbox.take(SECOND, THERE, SECOND)
    assert 'stamp is that of the pose before' in inbox.refused
    assert len(inbox.due(9 * SECOND)) == 1


def test_a_flood_is_bounded() -> None:
    inbox = PoseInbox(lockstep=True)
    for number in range(10 * KEPT):
        inbox.take(SECOND + number, HERE, SECOND)
    assert len(inbox) == KEPT


def test_silence_is_told_once_poses_have_been_heard() -> None:
    inbox = PoseInbox(lockstep=False)
    assert math.isnan(inbox.silent_s(99 * SECOND))
    assert inbox.trouble(99 * SECOND) == ''
    inbox.note('', 10 * SECOND)
    assert inbox.silent_s(15 * SECOND) == 5.0
    assert inbox.trouble(15 * SECOND) == ''
    inbox.note('not finite', 14 * SECOND)
    assert inbox.trouble(22 * SECOND) == (
        'no external/pose has counted for 12 s: the place drifts; the newest: not finite'
    )
    inbox.note('', 23 * SECOND)
    assert inbox.trouble(24 * SECOND) == ''


def test_poses_that_never_count_are_told_too() -> None:
    inbox = PoseInbox(lockstep=False)
    for second in range(10):
        inbox.note('in frame map', second * SECOND)
    assert inbox.trouble(9 * SECOND).endswith('9 s: the place drifts; the newest: in frame map')
