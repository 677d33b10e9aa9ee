"""How an episode of walking goes: what is told of each step, what is seen, and what ends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from made_up_walk import PERIOD_NS, STOPPED, Estimates, Walk

from quad_learner.robot.model import RobotModel
from quad_learner.safety.modes import Authority, Mode, Reason
from quad_learner.task.kinds import BACKWARD, FORWARD, LEFT, Kind


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
    np.testing.assert_allclose(lifted[:6], [0.0, 0.05, -0.5, 0.0, 0.0, 0.0], atol=1e-6)


@pytest.mark.parametrize('kind, seen', [(FORWARD, 0.5), (BACKWARD, 0.5), (LEFT, 0.0)])
def test_only_who_keeps_a_heading_sees_one(
    walk: Callable[..., Walk], turned: Any, kind: Kind, seen: float
) -> None:
    episode = walk(history=0)
    episode.begin(kind)
    assert episode.step(orientation=turned(yaw=0.5)).observation[-3] == pytest.approx(seen)


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


def test_one_task_goes_over_into_another_along_the_heading_of_that_moment(
    walk: Callable[..., Walk], turned: Any, estimate_of: Estimates
) -> None:
    episode = walk(history=0)
    episode.begin(LEFT)
    episode.step()
    episode.task.go_over(estimate_of(orientation=turned(yaw=1.0)), FORWARD)
    assert episode.step(orientation=turned(yaw=1.2)).observation[-3] == pytest.approx(0.2)
