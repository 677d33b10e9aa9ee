"""A tired robot is taken home before it rests: a driver's seat, its place told by the test."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest

from quad_learner.policy.driver import TIRED_EPISODES, Phase
from quad_learner.safety.modes import Authority, Mode

if TYPE_CHECKING:
    from test.policy.conftest import Seat

STOPPED = {'mode': Mode.SOFT_STOP, 'authority': Authority.NOBODY, 'request': 0}


def test_a_tired_robot_begins_no_episode_at_home(seat: Callable[..., Seat]) -> None:
    tired = seat(workspace_m=(4.0, 3.0))
    tired.tired = True
    tired.held_by_reset()
    assert tired.driver.phase is Phase.REST
    tired.tired = False
    tired.held_by_reset()
    assert tired.driver.phase is Phase.ASK


@pytest.mark.parametrize('outside', [(1.95, 0.0), (0.0, 1.55), (-2.2, -2.0)])
def test_a_tired_robot_outside_is_taken_home_before_it_rests(
    seat: Callable[..., Seat], outside: tuple[float, float]
) -> None:
    """The workspace is 2 m and 1.5 m to each side; home is 0.1 m within."""
    tired = seat(workspace_m=(4.0, 3.0))
    tired.tired = True
    tired.position = np.array([*outside, 0.3])
    tired.held_by_reset()
    assert tired.driver.phase is Phase.ASK
    assert tired.driving().begins
    for place in np.linspace([*outside, 0.3], [1.8, 1.3, 0.3], 60):
        tired.position = place
        tired.decide(**STOPPED)
    tired.held_by_reset()
    assert tired.driver.phase is Phase.REST


def test_a_tired_robot_that_does_not_come_home_rests_where_it_is(
    seat: Callable[..., Seat],
) -> None:
    lost = seat(workspace_m=(4.0, 3.0))
    lost.tired = True
    lost.position = np.array([3.0, 0.0, 0.3])
    for _ in range(TIRED_EPISODES):
        assert lost.begin().begins
        lost.decide(**STOPPED)
    lost.held_by_reset()
    assert lost.driver.phase is Phase.REST
    lost.tired = False
    assert lost.begin().begins


def test_who_has_strayed_too_far_begins_no_episode_until_it_is_carried_back(
    seat: Callable[..., Seat],
) -> None:
    """The workspace is 2 m to each side, and a metre beyond it is too far."""
    strayed = seat(workspace_m=(4.0, 3.0), workspace_stray_m=1.0)
    strayed.position = np.array([3.1, 0.0, 0.3])
    for _ in range(100):
        strayed.held_by_reset()
        assert strayed.driver.phase is Phase.REST
    strayed.position = np.array([2.9, 0.0, 0.3])
    strayed.held_by_reset()
    assert strayed.driver.phase is Phase.ASK
