"""Two robots in one domain and namespace: what one says changes nothing for the other."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus

from quad_learner.nodes.robot_sim import RobotSimNode
from quad_learner.nodes.safety import SafetyNode
from quad_learner.robot.signals import Health
from quad_learner.ros import topics
from quad_learner.ros.messages import battery_to, odometry_to, stamp_from
from quad_learner.ros.packed import Records
from quad_learner.ros.wire import SampleWire
from quad_learner.safety.modes import Authority, Mode

OWN, OTHER = 'left', 'right'


def be(bench: Any, robot_id: str) -> None:
    """Lets the peer speak as the graph of that robot does."""
    robot = dataclasses.replace(bench.robot, identity=robot_id)
    bench.robot, bench.records, bench.samples = robot, Records(robot, 5), SampleWire(robot)


def alarm(bench: Any, words: str) -> DiagnosticStatus:
    """Returns the node's first report that it hears somebody else."""

    def found() -> Any:
        told = [status for m in bench.heard['/diagnostics'] for status in m.status]
        return [status for status in told if words in status.message]

    return bench.until(found, words)[0]


@pytest.mark.parametrize('other', [OTHER, ''])
def test_nothing_of_another_robot_comes_to_safety(
    bench: Any, other: str, sample_of: Any, estimate_of: Any, target_of: Any
) -> None:
    be(bench, other)
    bench.listen(topics.JOINT_COMMAND, topics.DIAGNOSTICS)
    node = bench.start(SafetyNode, 'safety', robot_id=OWN, gear='real_time')
    health = Health(0, 24.0, 0.01, np.full(12, 99.0))
    lets_go = DiagnosticStatus(level=b'\x01', message='damps by itself')
    lets_go.hardware_id = f'{other}/quad_learner' if other else 'quad_learner'
    bench.say(topics.ROBOT_STATE, lets_go)
    bench.say(topics.ODOM, odometry_to(estimate_of(), other))
    bench.say(topics.POLICY_TARGET, bench.records.target_to(target_of()))
    bench.say(topics.RESET_TARGET, bench.records.target_to(target_of(source=Authority.RESET)))
    bench.say(topics.BATTERY, battery_to(health, other))
    bench.say(topics.MOTOR_TEMPERATURE, bench.records.temperature_to(health))
    bench.sense(sample_of(time_ns=0))
    bench.until(lambda: node.neighbours.dropped >= 9 or node._sample, 'all nine messages')
    assert node._sample is None
    assert node._newest == {}
    assert node._samples._parts == {}
    assert not node._let_go
    assert node._health.newest is None
    status = alarm(bench, f'hears robot {other or "without a name"}, ignored')
    assert status.level == DiagnosticStatus.WARN
    assert status.hardware_id == f'{OWN}/quad_learner'


def test_what_its_own_robot_says_comes_to_safety_beside_the_same_of_another(
    bench: Any, sample_of: Any, estimate_of: Any, target_of: Any
) -> None:
    node = bench.start(SafetyNode, 'safety', robot_id=OWN, gear='real_time')
    bench.listen(topics.JOINT_COMMAND)
    # The other's parts of the same instant come between.
    for robot_id in (OTHER, OWN, OTHER):
        be(bench, robot_id)
        moved = np.full(12, 0.1 if robot_id == OTHER else 0.2)
        sample = sample_of(time_ns=7, joint_velocity=moved)
        bench.say(topics.JOINT_STATES, bench.samples.joints_to(sample))
    for robot_id in (OTHER, OWN):
        be(bench, robot_id)
        bench.say(topics.FOOT_CONTACTS, bench.samples.feet_to(sample_of(time_ns=7)))
        bench.say(topics.IMU, bench.samples.imu_to(sample_of(time_ns=7)))
        bench.say(topics.ODOM, odometry_to(estimate_of(time_ns=7), robot_id))
        bench.say(topics.POLICY_TARGET, bench.records.target_to(target_of(time_ns=7)))
    sample = bench.until(lambda: node._sample, 'the sample of its own robot')
    np.testing.assert_array_equal(sample.joint_velocity, np.full(12, 0.2))
    bench.until(lambda: {'estimate', 'policy'} <= set(node._newest), 'estimate and target')
    command = bench.until(lambda: bench.heard['joint_command'], 'a command')[-1]
    assert command.layout.dim[0].label == 'left/time_ns'


def test_a_second_graph_beside_it_does_not_stop_a_robot(bench: Any, command_of: Any) -> None:
    bench.listen(topics.IMU, topics.DIAGNOSTICS)
    be(bench, OWN)
    node = bench.start(RobotSimNode, 'robot', robot_id=OWN, seed=3)
    mine, own = bench.records, bench.robot.joints_hash
    other = Records(dataclasses.replace(bench.robot, identity=OTHER))
    stranger = topics.JOINT_COMMAND.publisher(bench.peer)  # a writer of its own
    for number in range(80):
        stamp = bench.stamp(number)
        wild = command_of(time_ns=stamp, sequence=10**6 + number, epoch=4711, kd=np.zeros(12))
        stranger.publish(other.command_to(wild))
        mode = Mode.ACTIVE if number else Mode.STANDBY
        right = command_of(time_ns=stamp, sequence=number + 1, joints_hash=own, mode=mode)
        bench.say(topics.JOINT_COMMAND, mine.command_to(right))
        after = bench.stamp(number + 1)
        bench.until(
            lambda after=after: (
                stamp_from(bench.heard['imu/data'][-1]) >= after
                if bench.heard['imu/data']
                else False
            ),
            f'the sample of {after} ns',
        )
        node._count_writers()
    alarm(bench, f'hears robot {OTHER}, ignored')
    assert dict(node._sink.refusals) == {}
    assert node._sink.current(node._sim.time_ns) is not None
    assert bench.heard['imu/data'][-1].header.frame_id == 'left/imu_link'
    node.close()


def test_a_second_writer_of_the_same_robot_still_stops_it(bench: Any, command_of: Any) -> None:
    be(bench, OWN)
    node = bench.start(RobotSimNode, 'robot', robot_id=OWN, seed=3)
    for number in range(2):
        command = command_of(epoch=number, joints_hash=bench.robot.joints_hash)
        first = number == 0
        mode = Mode.STANDBY if first else Mode.ACTIVE
        node._take(dataclasses.replace(command, mode=mode), 0)
    assert node._sink.refusals['TWO_WRITERS'] == 1
    silent = [topics.JOINT_COMMAND.publisher(bench.peer) for _ in range(2)]
    bench.until(lambda: node.count_publishers('joint_command') == 2, 'two writers')
    assert [node.writers(topics.JOINT_COMMAND) for _ in range(2)] == [1, 2], 'at the second look'
    assert len(silent) == 2
    node.close()
