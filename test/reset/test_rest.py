"""Resting between two episodes, on a robot whose joints go where they are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from quad_learner.reset.state import State
from quad_learner.robot.signals import Health
from quad_learner.safety.modes import Authority

if TYPE_CHECKING:
    from test.reset.conftest import Body

ON_ITS_BACK = 3.0
FOLDED = [0.0, 1.4, -2.6]
"""of each leg in the tests' robot [rad]"""
HOT = Health(0, 24.0, 0.9, np.full(12, 69.0))
COOL = Health(0, 24.0, 0.9, np.full(12, 40.0))
LOW = Health(0, 20.0, 0.12, np.full(12, 40.0))


@pytest.mark.parametrize('health', [HOT, LOW])
def test_it_lies_down_after_the_episode_and_lets_go(body: Body, health: Health) -> None:
    body.until(State.READY)
    body.executed = body.make_command(Authority.POLICY, 7)
    body.health = health
    body.step(40)
    assert body.machine.state is State.WAIT, 'an episode is never broken off for a rest'
    body.executed = body.make_command()
    body.until(State.REST)
    assert body.states[-2:] == [State.LIE_DOWN, State.REST]
    np.testing.assert_allclose(body.joints, np.tile(FOLDED, 4), atol=0.1)
    target = body.step()
    assert not target.kp.any(), 'a rest that holds the legs warms them'


def test_a_robot_that_waits_for_the_policy_lies_down_too(body: Body) -> None:
    body.until(State.READY)
    body.health = HOT
    body.until(State.REST)


def test_a_tired_robot_stands_for_a_moment_that_policy_may_use_to_take_it_home(
    body: Body,
) -> None:
    body.until(State.READY)
    body.executed = body.make_command(Authority.POLICY, 7)
    body.health = LOW
    body.step(40)
    body.executed = body.make_command()
    body.until(State.READY)
    began = body.seconds
    assert State.LIE_DOWN not in body.states
    body.until(State.LIE_DOWN)
    assert body.seconds - began == pytest.approx(body.config.rest_delay, abs=0.05)


def test_who_lies_folded_does_not_rise_to_be_taken_home(body: Body) -> None:
    body.joints = np.tile(FOLDED, 4)
    body.health = LOW
    body.until(State.REST)
    assert State.STAND not in body.states


def test_it_rests_as_long_as_it_takes_and_then_stands_up(body: Body) -> None:
    body.until(State.READY)
    body.health = HOT
    body.until(State.REST)
    body.step(4000)  # 100 s: far beyond what an attempt may take
    assert body.machine.state is State.REST
    assert '69 °C' in body.machine.reason
    body.health = COOL
    body.until(State.READY)
    assert body.machine.attempt == 1


def test_where_it_has_fallen_it_rests_as_it_lies(body: Body) -> None:
    body.roll, body.health = ON_ITS_BACK, HOT
    body.until(State.REST)
    assert State.ROLL not in body.states
    body.health = COOL
    body.until(State.ROLL)
