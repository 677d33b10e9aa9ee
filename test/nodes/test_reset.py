from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quad_learner.nodes.reset import ResetNode
from quad_learner.robot.signals import Health
from quad_learner.ros import messages, topics
from quad_learner.safety.modes import Authority, Mode


@pytest.fixture
def reset(bench: Any) -> Any:
    """Returns the bench with the reset controller on it."""
    bench.listen(topics.RESET_TARGET, topics.RESET_STATE)
    bench.start(ResetNode, 'reset')
    return bench


def targets(bench: Any) -> Any:
    return [bench.records.target_from(m) for m in bench.heard['reset/target']]


def test_it_answers_each_decision_and_no_other_tick(
    reset: Any, sample_of: Any, command_of: Any
) -> None:
    for tick in range(2 * reset.per_decision + 1):
        stamp = reset.stamp(tick)
        reset.sense(sample_of(time_ns=stamp))
        if tick % reset.per_decision == 0:
            reset.until(lambda s=stamp: targets(reset) and targets(reset)[-1].time_ns == s, 'it')
        command = command_of(
            time_ns=stamp, mode=Mode.STANDBY, authority=Authority.NOBODY, request=0
        )
        reset.say(topics.JOINT_COMMAND, reset.records.command_to(command))
    reset.settle(5)
    assert sorted({t.time_ns for t in targets(reset)}) == [0, 25_000_000, 50_000_000]
    assert {t.source for t in targets(reset)} == {Authority.RESET}


def test_it_waits_for_the_command_of_the_tick_before(
    reset: Any, sample_of: Any, command_of: Any
) -> None:
    stands_by = {'mode': Mode.STANDBY, 'authority': Authority.NOBODY}
    before_ns = reset.stamp(reset.per_decision - 1)
    for stamp in (before_ns, 25_000_000):
        reset.sense(sample_of(time_ns=stamp))
    for stamp in (0, before_ns):
        reset.settle()
        assert targets(reset) == []
        command = command_of(time_ns=stamp, **stands_by)
        reset.say(topics.JOINT_COMMAND, reset.records.command_to(command))
    reset.until(lambda: targets(reset), 'a target')


def test_it_says_the_same_again_when_it_is_asked_again(reset: Any, sample_of: Any) -> None:
    reset.sense(sample_of(time_ns=0))
    first = reset.until(lambda: targets(reset), 'a target')[0]
    reset.sense(sample_of(time_ns=0))
    reset.until(lambda: len(targets(reset)) == 2, 'the same again')
    assert targets(reset)[1].request == first.request


def test_a_robot_that_nobody_drives_is_asked_for_with_a_fresh_number(
    reset: Any, sample_of: Any, command_of: Any
) -> None:
    # Started 100 s into a run: a number that an earlier process cannot have used.
    idle = {'mode': Mode.STANDBY, 'authority': Authority.NOBODY, 'request': 0}
    asked = 0
    for decision in range(4000, 4006):
        tick = decision * reset.per_decision
        stamp, before = reset.stamp(tick), reset.stamp(tick - 1)
        reset.say(
            topics.JOINT_COMMAND, reset.records.command_to(command_of(time_ns=before, **idle))
        )
        reset.sense(sample_of(time_ns=stamp))
        reset.until(lambda s=stamp: targets(reset) and targets(reset)[-1].time_ns == s, 'it')
        asked = max(asked, targets(reset)[-1].request)
    assert asked >= 4000


def test_it_tells_what_it_is_doing(reset: Any, sample_of: Any) -> None:
    reset.sense(sample_of(time_ns=0))
    state = reset.until(lambda: reset.heard['reset/state'], 'its state')[-1]
    keys = {pair.key for pair in state.values}
    assert {'reason', 'attempt', 'finished', 'failed', 'duration_s'} <= keys


def test_it_hears_of_hot_motors_and_lies_down(reset: Any, sample_of: Any, command_of: Any) -> None:
    hot = Health(0, 24.0, 0.8, np.full(12, 69.0))
    reset.say(topics.BATTERY, messages.battery_to(hot))
    reset.say(topics.MOTOR_TEMPERATURE, reset.records.temperature_to(hot))
    reset.until(lambda: reset.node._health.newest, 'health')
    seen: list[str] = []
    for decision in range(100, 300):  # 5 s: it rises first, and waits for policy to take it home
        tick = decision * reset.per_decision
        stamp, before = reset.stamp(tick), reset.stamp(tick - 1)
        number = targets(reset)[-1].request if targets(reset) else 0
        mode, authority = (
            (Mode.ACTIVE, Authority.RESET) if number else (Mode.STANDBY, Authority.NOBODY)
        )
        driven = {'mode': mode, 'authority': authority, 'request': number}
        reset.say(
            topics.JOINT_COMMAND, reset.records.command_to(command_of(time_ns=before, **driven))
        )
        reset.sense(sample_of(time_ns=stamp))
        reset.until(lambda s=stamp: targets(reset) and targets(reset)[-1].time_ns == s, 'it')
        seen.append(reset.node._get_up.state.name)
        if seen[-1] == 'LIE_DOWN':
            break
    assert 'LIE_DOWN' in seen
