from __future__ import annotations

import dataclasses
import os
from typing import Any

import numpy as np
import pytest
from rclpy.duration import Duration
from rclpy.serialization import deserialize_message

from quad_learner.configuration import ConfigurationError
from quad_learner.exclusive import claim
from quad_learner.nodes import safety as module
from quad_learner.nodes.safety import SafetyNode
from quad_learner.robot.model import load
from quad_learner.robot.signals import Health
from quad_learner.ros import topics
from quad_learner.ros.clock import steady_ns
from quad_learner.ros.messages import battery_to, odometry_to
from quad_learner.ros.packed import Records
from quad_learner.safety.modes import Authority, Mode, Reason
from quad_learner.safety.state import SafetyInputs

BETWEEN = 1_000_000_000 // load('a1').command_hz  # no decision falls on it: it is answered at once


@pytest.fixture
def safety(bench: Any) -> Any:
    """Returns the bench with the safety layer on it."""
    bench.listen(topics.JOINT_COMMAND, topics.SAFETY_STATE)
    bench.start(SafetyNode, 'safety')
    return bench


def answer(bench: Any, stamp: int) -> Any:
    """Returns the command that answers the sample of `stamp`."""

    def found() -> Any:
        commands = map(bench.records.command_from, bench.heard['joint_command'])
        return [command for command in commands if command.time_ns == stamp]

    return bench.until(found, f'a command for {stamp} ns')[-1]


def test_it_says_nothing_before_it_has_seen_anything(safety: Any) -> None:
    safety.settle()
    assert safety.heard['joint_command'] == []
    assert safety.node.report()[1] == 'waiting for sensors'


def test_nobody_drives_a_robot_that_nobody_asked_to_drive(safety: Any, sample_of: Any) -> None:
    safety.sense(sample_of(time_ns=BETWEEN))
    command = answer(safety, BETWEEN)
    assert command.authority is Authority.NOBODY
    assert command.request == 0
    np.testing.assert_array_equal(command.kp, np.zeros(12))
    assert (command.kd > 0.0).all()
    assert command.joints_hash == safety.robot.joints_hash


def test_each_sample_is_answered_once_and_the_answer_repeated_when_asked_again(
    safety: Any, sample_of: Any
) -> None:
    safety.sense(sample_of(time_ns=BETWEEN))
    first = answer(safety, BETWEEN)
    safety.sense(sample_of(time_ns=BETWEEN))
    safety.until(lambda: len(safety.heard['joint_command']) == 2, 'the answer again')
    again = answer(safety, BETWEEN)
    assert again.sequence == first.sequence
    later = safety.stamp(2 * safety.per_decision - 1)
    safety.sense(sample_of(time_ns=later))
    assert answer(safety, later).sequence > first.sequence


def test_in_real_time_no_number_is_said_twice(bench: Any, sample_of: Any) -> None:
    """A robot that does not wait, and says a sample again, is given a command of its own time."""
    bench.listen(topics.JOINT_COMMAND)
    bench.start(SafetyNode, 'safety', gear='real_time')
    stamps = (BETWEEN, BETWEEN, BETWEEN, bench.stamp(2 * bench.per_decision - 1))
    for stamp in stamps:
        bench.sense(sample_of(time_ns=stamp))
        bench.settle()
    answer(bench, stamps[-1])
    heard = map(bench.records.command_from, bench.heard['joint_command'])
    numbers = [command.sequence for command in heard]
    assert len(numbers) == len(set(numbers))


def test_a_decision_waits_for_all_who_have_a_say(
    safety: Any, sample_of: Any, target_of: Any, estimate_of: Any
) -> None:
    safety.sense(sample_of(time_ns=0))
    safety.say(topics.ODOM, odometry_to(estimate_of(time_ns=0)))
    policy, reset = (
        target_of(source=source, request=0) for source in (Authority.POLICY, Authority.RESET)
    )
    safety.say(topics.POLICY_TARGET, safety.records.target_to(policy))
    safety.settle()
    assert safety.heard['joint_command'] == [], 'reset has not answered yet'
    safety.say(topics.RESET_TARGET, safety.records.target_to(reset))
    assert answer(safety, 0).time_ns == 0


def state(bench: Any, mode: Mode) -> dict[str, str]:
    """Returns what safety/state says once it says `mode`."""

    def found() -> Any:
        return [m for m in bench.heard['safety/state'] if m.message.startswith(mode.name)]

    return {pair.key: pair.value for pair in bench.until(found, mode.name)[-1].values}


def tick(bench: Any, number: int, builders: Any) -> Any:
    """Plays all others for one tick; returns safety's answer."""
    sample_of, estimate_of, target_of = builders
    stamp = bench.stamp(number)
    if number % bench.per_decision == 0:
        bench.say(topics.ODOM, odometry_to(estimate_of(time_ns=stamp)))
        for topic, source in (
            (topics.POLICY_TARGET, Authority.POLICY),
            (topics.RESET_TARGET, Authority.RESET),
        ):
            target = target_of(time_ns=stamp, source=source, request=0)
            bench.say(topic, bench.records.target_to(target))
    bench.sense(sample_of(time_ns=stamp))
    return answer(bench, stamp)


def test_a_stop_is_told_with_what_was_measured_when_it_began(
    safety: Any, sample_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []

    def look(reasons: Reason, sample: Any, health: Any, robot: Any) -> str:
        looks.append((reasons, sample.time_ns))
        return f'look {len(looks)}'

    monkeypatch.setattr(module, 'evidence', look)
    safety.sense(sample_of(time_ns=BETWEEN))
    answer(safety, BETWEEN)
    for _ in range(2):
        safety.heard['safety/state'].clear()
        safety.call(topics.SAFETY_STOP)
        safety.node._tell()
        assert state(safety, Mode.LATCHED_STOP)['evidence'] == 'look 1'
    assert looks == [(Reason.OPERATOR, BETWEEN)]
    safety.node._note(Mode.LATCHED_STOP, Mode.STANDBY, Reason.NONE)
    assert safety.node._evidence == ''


def test_an_operator_stops_the_robot_for_good_and_lets_it_go_on(
    safety: Any, sample_of: Any, estimate_of: Any, target_of: Any
) -> None:
    builders = (sample_of, estimate_of, target_of)
    health = Health(0, 24.0, 0.8, np.full(12, 33.0))
    safety.say(topics.BATTERY, battery_to(health))
    safety.say(topics.MOTOR_TEMPERATURE, safety.records.temperature_to(health))
    safety.until(lambda: safety.node._health.newest, 'health')
    half = safety.robot.command_hz // 2
    for number in range(half + 1):  # half a second, when charge and warmth are looked at
        tick(safety, number, builders)
    assert safety.call(topics.SAFETY_STOP).success
    values = state(safety, Mode.LATCHED_STOP)
    assert 'OPERATOR' in values['reasons'].split('|')
    assert values['trips'] == '1'
    safety.heard['safety/state'].clear()
    for number in range(
        half + 1, 2 * half + 10
    ):  # what spoke against it must be gone for half a second
        assert tick(safety, number, builders).mode is Mode.LATCHED_STOP
    assert safety.call(topics.SAFETY_RESUME).success
    state(safety, Mode.STANDBY)


def test_what_speaks_against_going_on_is_told_to_who_asks(safety: Any, sample_of: Any) -> None:
    safety.sense(sample_of(time_ns=BETWEEN, joint_position=np.full(12, np.nan)))
    answer(safety, BETWEEN)
    safety.call(topics.SAFETY_STOP)
    refused = safety.call(topics.SAFETY_RESUME)
    assert not refused.success
    assert 'still stopped' in refused.message
    assert 'OPERATOR' in refused.message


def test_a_driver_that_fell_silent_is_waited_for_once_and_not_at_each_decision(
    safety: Any,
    sample_of: Any,
    estimate_of: Any,
    target_of: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Were it waited for each time, the lockstep world would stand still before the stop is due.
    builders = (sample_of, estimate_of, target_of)
    per_decision = safety.per_decision
    for number in range(per_decision + 1):
        tick(safety, number, builders)
    monkeypatch.setattr(module, 'PATIENCE_S', 0.3)
    for number in range(per_decision + 1, 8 * per_decision):
        stamp = safety.stamp(number)
        if number > 2 * per_decision:  # the first decision without the policy is over
            monkeypatch.setattr(module, 'PATIENCE_S', 1e9)
        if number % per_decision == 0:
            safety.say(topics.ODOM, odometry_to(estimate_of(time_ns=stamp)))
            target = target_of(time_ns=stamp, source=Authority.RESET, request=0)
            safety.say(topics.RESET_TARGET, safety.records.target_to(target))
        safety.sense(sample_of(time_ns=stamp))
        answer(safety, stamp)


@pytest.mark.parametrize('battery_first', [True, False])
def test_charge_and_warmth_belong_together_whichever_comes_first(
    safety: Any, battery_first: bool
) -> None:
    health = Health(0, 24.0, 0.8, np.full(12, 33.0))
    said = [
        (topics.BATTERY, battery_to(health)),
        (topics.MOTOR_TEMPERATURE, safety.records.temperature_to(health)),
    ]
    for topic, message in said if battery_first else said[::-1]:
        safety.say(topic, message)
        safety.settle(5)
    known = safety.until(lambda: safety.node._health.newest, 'health')
    assert known.battery_charge == pytest.approx(0.8)
    np.testing.assert_array_equal(known.motor_temperature, 33.0)


def test_it_sends_a_stop_before_it_goes(safety: Any, sample_of: Any) -> None:
    safety.sense(sample_of(time_ns=BETWEEN))
    answer(safety, BETWEEN)
    safety.heard['joint_command'].clear()
    safety.node.close()
    command = answer(safety, BETWEEN)
    assert command.mode is Mode.LATCHED_STOP
    np.testing.assert_array_equal(command.kp, np.zeros(12))


def test_it_goes_only_when_its_stop_has_come_or_nobody_takes_it(
    safety: Any, sample_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    safety.sense(sample_of(time_ns=BETWEEN))
    answer(safety, BETWEEN)
    commands, done = safety.node._commands, list[str]()
    publish = commands.publish

    def wait(longest: Duration) -> bool:
        done.append('waits')
        assert 0 < longest.nanoseconds <= 10**9
        return False

    monkeypatch.setattr(commands, 'publish', lambda m: (done.append('speaks'), publish(m)))
    monkeypatch.setattr(commands, 'wait_for_all_acked', wait)
    safety.node.close()
    assert done == ['speaks', 'waits']


def test_a_target_for_other_joints_is_refused_and_told(safety: Any, target_of: Any) -> None:
    message = deserialize_message(safety.records.target_to(target_of()), topics.POLICY_TARGET.type)
    message.data[1] = 1.0  # the hash of the joints
    safety.say(topics.POLICY_TARGET, message)
    refused = safety.until(lambda: safety.node.diagnostics.values.get('refused'), 'the refusal')
    assert refused == 'policy: the message is not for the joints of a1'


def test_a_stop_is_sent_again_and_again_however_silent_the_others(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In real time, by a clock of ours: no gap between two commands is above three periods."""
    period = 1_000_000_000 // bench.robot.command_hz
    now_ns = 10_000_000_000
    monkeypatch.setattr(module, 'steady_ns', lambda: now_ns)
    node = bench.start(SafetyNode, 'safety', gear='real_time')
    watch, tell = node._watch, [timer.timer_period_ns for timer in node.timers]
    assert period in tell, 'the watch is called once a period, by a timer of the steady clock'
    sent: list[int] = []
    step = node._step

    def step_and_note() -> None:
        sent.append(now_ns)
        step()

    monkeypatch.setattr(node, '_step', step_and_note)
    for _ in range(400):
        now_ns += period
        watch()
    gaps = np.diff(sent)
    assert len(sent) > 100
    assert gaps.max() <= 3 * period
    # Far below the time for which the robot trusts a command.
    assert 3 * period < node._state.command.lifetime_ns


@pytest.mark.parametrize(
    ('process', 'part'), [('estimator', 'estimate'), ('policy', 'policy'), ('reset', 'reset')]
)
@pytest.mark.parametrize(
    ('gear', 'samples'), [('real_time', True), ('real_time', False), ('lockstep', True)]
)
def test_what_a_process_said_is_stale_in_the_period_after_its_death(
    bench: Any,
    monkeypatch: pytest.MonkeyPatch,
    sample_of: Any,
    target_of: Any,
    gear: str,
    samples: bool,
    process: str,
    part: str,
) -> None:
    """In real time alone: lockstep waits, and ends by its own patience, to the bit."""
    node = bench.start(SafetyNode, 'safety', gear=gear)

    def pass_a_period(tick: int) -> None:
        if samples:
            node._on_sample(sample_of(time_ns=node.ticks.stamp(tick)))
        else:
            node._last_step_ns = 0
            node._watch()

    given: list[SafetyInputs] = []
    step = node._core.step

    def note(state: Any, inputs: SafetyInputs, now_ns: int) -> Any:
        given.append(inputs)
        return step(state, inputs, now_ns)

    monkeypatch.setattr(node._core, 'step', note)
    heard_ns = steady_ns()
    node._newest |= dict.fromkeys(('estimate', 'policy', 'reset'), target_of())
    node._received |= dict.fromkeys(('estimate', 'policy', 'reset'), heard_ns)
    lock = claim(process, os.environ['ROS_DOMAIN_ID'], '/')
    pass_a_period(1)
    lock.close()
    pass_a_period(3)
    received = [
        {p: getattr(i, f'{p}_received_ns') for p in ('estimate', 'policy', 'reset')} for i in given
    ]
    assert set(received[0].values()) == {heard_ns}
    old = {p for p, ns in received[1].items() if heard_ns - ns > 3_600_000_000_000}
    assert old == ({part} if gear == 'real_time' else set())
    assert getattr(given[1], part) is not None, 'its request must stay in sight to be made void'


@pytest.mark.parametrize('gear', ['real_time', 'lockstep'])
def test_it_hears_that_the_robot_follows_nobody_in_real_time_alone(bench: Any, gear: str) -> None:
    node = bench.start(SafetyNode, 'safety', gear=gear)
    damps = topics.ROBOT_STATE.type(level=b'\x01', message='damps by itself')
    follows = topics.ROBOT_STATE.type(level=b'\x00', message='follows')
    if gear == 'lockstep':  # when it is heard is chance there, and a run must repeat itself
        assert node.count_subscribers(topics.ROBOT_STATE.name) == 0
        return
    bench.say(topics.ROBOT_STATE, damps)
    bench.until(lambda: node._let_go, 'that it damps')
    bench.say(topics.ROBOT_STATE, follows)
    bench.until(lambda: not node._let_go, 'that it follows')


def test_it_does_not_begin_where_strangers_could_speak_unless_asked_to(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The range is read when the middleware begins: in this test nothing reaches further.
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'SUBNET')
    with pytest.raises(ConfigurationError, match='ROS_AUTOMATIC_DISCOVERY_RANGE is SUBNET'):
        bench.start(SafetyNode, 'safety')
    assert bench.start(SafetyNode, 'safety', open_to_network=True).graph.open_to_network


def test_the_targets_of_another_robot_are_refused(bench: Any, target_of: Any) -> None:
    bench.start(SafetyNode, 'safety', robot_id='left')
    bench.say(topics.POLICY_TARGET, bench.records.target_to(target_of()))
    bench.until(lambda: bench.node.neighbours.heard() == [''], 'whom it heard')
    assert not bench.node._newest
    mine = Records(dataclasses.replace(bench.robot, identity='left'))
    bench.say(topics.POLICY_TARGET, mine.target_to(target_of()))
    bench.until(lambda: bench.node._newest.get('policy'), 'the target that is meant for it')


def test_a_driver_that_floods_is_answered_at_once_one_time_a_sample(
    bench: Any, sample_of: Any, target_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ns = 10_000_000_000
    monkeypatch.setattr(module, 'steady_ns', lambda: now_ns)
    node = bench.start(SafetyNode, 'safety', gear='real_time')
    steps: list[int] = []
    monkeypatch.setattr(node, '_step', lambda: steps.append(now_ns))
    said = {Authority.POLICY: 'policy', Authority.RESET: 'reset'}
    for sample in range(1, 6):
        now_ns += 12_500_000
        node._on_sample(sample_of(time_ns=now_ns))
        for newer in range(100):
            for source, name in said.items():
                target = target_of(time_ns=now_ns + newer, source=source, request=3)
                node._on_target(name, bench.records.target_to(target))
        assert len(steps) == 3 * sample, 'the sample, and the first word of each driver on it'
    newest = [node._newest[name].time_ns for name in said.values()]
    assert newest == [now_ns + 99] * 2, 'heard all the same'
