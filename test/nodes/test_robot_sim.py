from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from quad_learner.configuration import ConfigurationError
from quad_learner.exclusive import claim
from quad_learner.nodes import robot_sim as module
from quad_learner.nodes.robot_sim import CATCH_UP_TICKS, RobotSimNode
from quad_learner.ros import topics
from quad_learner.ros.messages import stamp_from
from quad_learner.safety.modes import Mode


@pytest.fixture
def sim(bench: Any) -> Any:
    """Returns the bench with the simulated robot on it, and what it says."""
    bench.listen(
        topics.JOINT_STATES,
        topics.IMU,
        topics.FOOT_CONTACTS,
        topics.CLOCK,
        topics.BATTERY,
        topics.MOTOR_TEMPERATURE,
        topics.GROUND_TRUTH,
        topics.DIAGNOSTICS,
        topics.ROBOT_STATE,
    )
    bench.start(RobotSimNode, 'robot', seed=3)
    yield bench
    bench.node.close()


def last_stamp(bench: Any) -> int:
    heard = bench.heard['imu/data']
    return stamp_from(heard[-1]) if heard else -1


def test_it_says_again_what_it_senses_until_a_command_answers_it(sim: Any) -> None:
    sim.until(lambda: len(sim.heard['imu/data']) >= 3, 'the first sample three times')
    assert {stamp_from(m) for m in sim.heard['imu/data']} == {0}


def test_the_world_moves_one_tick_for_each_command_that_answers_it(
    sim: Any, command_of: Any
) -> None:
    sim.until(lambda: last_stamp(sim) == 0, 'the first sample')
    ticks = 2 * sim.per_decision
    for number in range(ticks):
        command = command_of(time_ns=sim.stamp(number), sequence=number + 1)
        sim.say(topics.JOINT_COMMAND, sim.records.command_to(command))
        after = sim.stamp(number + 1)
        sim.until(lambda after=after: last_stamp(sim) == after, f'the sample of {after} ns')
    # Two decisions of 25 ms: the clock is told at each.
    sim.until(lambda: sim.heard['/clock'][-1].clock.nanosec == 50_000_000, 'the clock')
    joints = sim.heard['joint_states'][-1]
    assert tuple(joints.name) == sim.robot.joints
    assert np.abs(np.array(joints.position) - sim.robot.stance).max() < 0.2


def test_a_command_for_another_instant_does_not_move_the_world(sim: Any, command_of: Any) -> None:
    sim.until(lambda: last_stamp(sim) == 0, 'the first sample')
    for stamp in (sim.stamp(1), 100_000_000):
        sim.say(topics.JOINT_COMMAND, sim.records.command_to(command_of(time_ns=stamp)))
    sim.settle()
    assert last_stamp(sim) == 0


def test_a_world_that_waits_goes_on_without_an_answer_to_samples_that_are_lost(
    bench: Any, command_of: Any
) -> None:
    bench.listen(topics.IMU, topics.GROUND_TRUTH)
    # The second to the eleventh: the command of the first has expired by then.
    bench.start(RobotSimNode, 'robot', seed=3, faults=['dropped_sample@0.01+0.12'])
    heard = bench.heard['imu/data']
    bench.until(lambda: heard, 'the first sample')
    assert not bench.node._sink.refusals
    command = command_of(time_ns=0, sequence=1, mode=Mode.STANDBY)
    bench.say(topics.JOINT_COMMAND, bench.records.command_to(command))
    bench.until(lambda: stamp_from(heard[-1]) > 0, 'the first that is not lost')
    assert stamp_from(heard[-1]) == bench.stamp(11)
    # 25 ms apart, as ever.
    bench.until(lambda: len(bench.heard['ground_truth/odom']) >= 6, 'the truth meanwhile')
    assert bench.node._sink.current(bench.stamp(11)) is None
    bench.node.close()


def test_a_record_that_is_no_command_damps_at_once_and_is_told(
    sim: Any, command_of: Any, target_of: Any
) -> None:
    sim.until(lambda: last_stamp(sim) == 0, 'the first sample')
    stands = command_of(time_ns=0, sequence=1, mode=Mode.STANDBY)
    sim.say(topics.JOINT_COMMAND, sim.records.command_to(stands))
    sim.until(lambda: last_stamp(sim) == sim.stamp(1), 'the next sample')
    assert sim.node._sink.current(sim.stamp(1)) is not None
    sim.say(topics.JOINT_COMMAND, sim.records.target_to(target_of()))
    sim.until(lambda: 'refused' in sim.node.diagnostics.values, 'the refusal')
    assert last_stamp(sim) == sim.stamp(1)
    assert sim.node._sink.current(sim.stamp(1)) is None, 'though its life is not over'
    assert sim.node._sink.refusals == {'MALFORMED': 1}
    # The stream goes on: it is followed again from the first command that does not move.
    for tick, mode in ((1, Mode.ACTIVE), (2, Mode.STANDBY), (3, Mode.ACTIVE)):
        command = command_of(time_ns=sim.stamp(tick), sequence=tick + 1, mode=mode)
        sim.say(topics.JOINT_COMMAND, sim.records.command_to(command))
        sim.until(lambda tick=tick: last_stamp(sim) == sim.stamp(tick + 1), 'the next sample')
        followed = sim.node._sink.current(sim.stamp(tick))
        assert (followed is None) is (tick == 1)


def test_a_command_with_a_bit_turned_on_its_way_damps(sim: Any, command_of: Any) -> None:
    sim.until(lambda: last_stamp(sim) == 0, 'the first sample')
    data = bytearray(sim.records.command_to(command_of(mode=Mode.STANDBY)))
    data[data.index(np.float64(sim.robot.stance[2]).tobytes()) + 5] ^= 1
    sim.say(topics.JOINT_COMMAND, bytes(data))
    told = sim.node.diagnostics.values
    sim.until(lambda: 'changed on its way' in told.get('refused', ''), 'the refusal')
    assert sim.node._sink.refusals == {'MALFORMED': 1}


def test_it_does_not_begin_where_strangers_could_command_it_unless_asked_to(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The range is read when the middleware begins: in this test nothing reaches further.
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'SUBNET')
    with pytest.raises(ConfigurationError, match='ROS_AUTOMATIC_DISCOVERY_RANGE is SUBNET'):
        bench.start(RobotSimNode, 'robot')
    bench.start(RobotSimNode, 'robot', open_to_network=True).close()


def test_the_slow_things_are_said_in_the_first_instant_too(sim: Any) -> None:
    sim.until(lambda: sim.heard['motor_temperature'], 'warmth')
    sim.until(lambda: sim.heard['battery_state'], 'charge')
    warmth = sim.records.temperature_from(sim.heard['motor_temperature'][0])
    np.testing.assert_allclose(warmth.motor_temperature, 22.0, atol=1.0)  # as warm as the air
    assert sim.heard['battery_state'][0].percentage == pytest.approx(1.0)
    truth = sim.until(lambda: sim.heard['ground_truth/odom'], 'the truth')[0]
    assert truth.pose.pose.position.z == pytest.approx(sim.robot.spawn_height, abs=0.02)


def test_a_person_who_sets_it_upright_is_counted(sim: Any) -> None:
    answer = sim.call(topics.SET_UPRIGHT)
    assert answer.success
    assert 'human resets so far: 1' in answer.message
    sim.node.report()
    assert sim.node.diagnostics.values['human_resets'] == 1


def test_without_a_command_that_can_be_trusted_it_says_that_it_damps(sim: Any) -> None:
    def warned() -> Any:
        statuses = [s for m in sim.heard['/diagnostics'] for s in m.status]
        return [s for s in statuses if 'damping' in s.message]

    status = sim.until(warned, 'a warning')[0]
    assert status.name.endswith('/robot')
    assert status.level == b'\x01'


def test_in_real_time_it_damps_at_the_next_tick_when_safety_has_died(bench: Any) -> None:
    node = bench.start(RobotSimNode, 'robot', gear='real_time')
    safety = claim('safety', os.environ['ROS_DOMAIN_ID'], '/')
    node._on_period()
    assert not node._sink.refusals['WRITER_DIED']
    safety.close()
    for _ in range(3):
        node._on_period()
    assert node._sink.refusals['WRITER_DIED'] == 1
    node.close()


def test_it_tells_at_once_whether_it_follows(sim: Any, command_of: Any) -> None:
    levels = [b'\x01', b'\x00']
    sim.until(lambda: sim.heard['robot/state'], 'its state')
    for sequence, mode in enumerate((Mode.STANDBY, Mode.ACTIVE), 1):
        now = sim.stamp(sequence - 1)
        command = command_of(time_ns=now, sequence=sequence, mode=mode)
        sim.say(topics.JOINT_COMMAND, sim.records.command_to(command))
        sim.until(lambda now=now: last_stamp(sim) > now, 'the next sample')
    sim.until(lambda: [m.level for m in sim.heard['robot/state']][-1] == levels[1], 'it follows')
    # A garbled command: it damps from the next tick on, which only a command can bring about.
    for sequence, kd in ((3, 1e9), (4, 1.0)):
        stamp = last_stamp(sim)
        command = command_of(time_ns=stamp, sequence=sequence, kd=np.full(12, kd))
        sim.say(topics.JOINT_COMMAND, sim.records.command_to(command))
        sim.until(lambda stamp=stamp: last_stamp(sim) > stamp, 'the next sample')
    sim.until(lambda: [m.level for m in sim.heard['robot/state']][-1] == levels[0], 'it damps')


def test_stamps_keep_time_when_it_was_held_up_for_longer_than_it_makes_up_for(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Safety takes the age of a sample from its stamp."""
    node = bench.start(RobotSimNode, 'robot', gear='real_time')
    began_ns = node._start_ns
    for tick in (1, 2, 12, 13, 40):
        now_ns = began_ns + bench.stamp(tick)
        monkeypatch.setattr(module, 'steady_ns', lambda now_ns=now_ns: now_ns)
        node._on_period()
        assert node._sim.sense().time_ns == bench.stamp(tick)
    assert node._missed == (10 - CATCH_UP_TICKS) + (27 - CATCH_UP_TICKS)
    node.close()
