"""What the hardware door sends to the controller, and when it sends nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest
from rclpy.parameter import Parameter
from std_msgs.msg import Float64MultiArray

from quad_learner.configuration import ConfigurationError
from quad_learner.exclusive import claim
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import JointCommand
from quad_learner.safety.modes import Authority, Mode

if TYPE_CHECKING:
    from test.nodes.robot_ros2_control.conftest import Bench

COMMANDS = '/hardware/forward_controller/commands'


def test_nothing_is_sent_before_sensors_are_whole(
    bench: Bench, command_of: Callable[..., JointCommand]
) -> None:
    sent = bench.hear(COMMANDS, Float64MultiArray)

    def half() -> None:
        bench.sense(without='imu')
        bench.command(command_of)

    bench.turns(60, half)
    assert sent == []


def test_nothing_is_sent_before_safety_has_spoken(bench: Bench) -> None:
    sent = bench.hear(COMMANDS, Float64MultiArray)
    bench.ready()
    bench.turns(40, bench.sense)
    assert sent == []


def test_a_driver_must_not_be_the_first_to_speak(
    bench: Bench, command_of: Callable[..., JointCommand]
) -> None:
    sent = bench.hear(COMMANDS, Float64MultiArray)
    bench.ready()

    def drive() -> None:
        bench.sense()
        bench.command(command_of, mode=Mode.ACTIVE, authority=Authority.POLICY, request=1)

    bench.turns(40, drive)
    assert sent == []


def test_an_effort_controller_gets_spring_and_damper_in_its_order(
    bench_with: Callable[..., Bench],
    makers: list[str],
    command_of: Callable[..., JointCommand],
) -> None:
    bench = bench_with(command_interface='effort', controller_joints=makers[::-1])
    sent = bench.hear(COMMANDS, Float64MultiArray)
    bench.ready()
    bench.velocity = np.full(12, 0.5)
    wanted = bench.position + 0.01 * np.arange(12)

    def both() -> None:
        bench.sense()
        bench.command(command_of, position=wanted)

    # The A1: kp 60, kd 2. Joint i: 60 · 0.01 i − 2 · 0.5, and the last joint first.
    expected = 0.6 * np.arange(12)[::-1] - 1.0
    assert bench.spin(lambda: sent and np.allclose(sent[-1].data, expected), both)
    assert bench.node.report()[1] == 'follows joint_command'


def test_silence_of_safety_is_answered_by_damping_not_by_silence(
    bench: Bench, command_of: Callable[..., JointCommand]
) -> None:
    sent = bench.hear(COMMANDS, Float64MultiArray)
    bench.ready()
    bench.spin(lambda: sent, lambda: bench.sense_and_command(command_of))
    bench.velocity = np.full(12, 0.5)
    # kd_damping of the A1 is 4
    assert bench.spin(lambda: np.allclose(sent[-1].data, -2.0), bench.sense)
    assert bench.says('damping: no command', bench.sense)


def test_silence_of_the_joints_means_no_torque(
    bench: Bench, command_of: Callable[..., JointCommand]
) -> None:
    sent = bench.hear(COMMANDS, Float64MultiArray)
    bench.ready()
    bench.velocity = np.full(12, 0.5)
    bench.spin(lambda: sent, lambda: bench.sense_and_command(command_of))
    assert bench.spin(lambda: list(sent[-1].data) == [0.0] * 12)
    assert 'waits for /hardware/joint_states' in bench.node.report()[1]


def test_a_position_controller_that_is_let_go_gives_way_and_without_joints_is_left_alone(
    bench_with: Callable[..., Bench], command_of: Callable[..., JointCommand], robot: RobotModel
) -> None:
    bench = bench_with(command_interface='position')
    sent = bench.hear(COMMANDS, Float64MultiArray)
    bench.ready()
    bench.spin(lambda: sent, lambda: bench.sense_and_command(command_of))
    np.testing.assert_allclose(sent[-1].data, robot.stance)
    bench.position = robot.stance + 0.1
    assert bench.spin(lambda: np.allclose(sent[-1].data, robot.stance + 0.1), bench.sense)
    assert bench.says('waits for')
    bench.turns(5)  # what was on its way
    before = len(sent)
    bench.turns(30)
    assert len(sent) == before


def test_it_ends_with_no_torque(bench: Bench, command_of: Callable[..., JointCommand]) -> None:
    sent = bench.hear(COMMANDS, Float64MultiArray)
    bench.ready()
    bench.velocity = np.full(12, 0.5)
    bench.spin(lambda: sent, lambda: bench.sense_and_command(command_of))
    bench.node.close()
    assert bench.spin(lambda: list(sent[-1].data) == [0.0] * 12)
    bench.turns(30, bench.sense)
    assert list(sent[-1].data) == [0.0] * 12


def test_it_ends_without_a_word_if_it_never_drove(bench: Bench) -> None:
    sent = bench.hear(COMMANDS, Float64MultiArray)
    bench.ready()
    bench.node.close()
    bench.turns(20)
    assert sent == []


def test_a_second_voice_at_the_controller_is_an_obstacle(bench: Bench) -> None:
    bench.hear(COMMANDS, Float64MultiArray)
    bench.peer.create_publisher(Float64MultiArray, COMMANDS, 1)
    assert bench.says(f'somebody else publishes {COMMANDS}', bench.sense)


def test_simulated_time_switched_on_later_stops_the_robot(
    bench: Bench, command_of: Callable[..., JointCommand]
) -> None:
    sent = bench.hear(COMMANDS, Float64MultiArray)
    bench.ready()
    bench.velocity = np.full(12, 0.5)
    bench.spin(lambda: sent, lambda: bench.sense_and_command(command_of))
    bench.node.set_parameters([Parameter('use_sim_time', value=True)])
    assert 'use_sim_time' in bench.node.report()[1]
    assert bench.spin(
        lambda: np.allclose(sent[-1].data, -2.0), lambda: bench.sense_and_command(command_of)
    )


def test_the_death_of_safety_is_answered_by_damping_before_its_command_expires(
    bench: Bench, command_of: Callable[..., JointCommand]
) -> None:
    sent = bench.hear(COMMANDS, Float64MultiArray)
    bench.ready()
    with claim('safety', os.environ['ROS_DOMAIN_ID'], '/'):
        bench.spin(lambda: sent, lambda: bench.sense_and_command(command_of))
    bench.velocity = np.full(12, 0.5)
    assert bench.spin(lambda: np.allclose(sent[-1].data, -2.0), bench.sense)
    assert bench.node._sink.refusals['WRITER_DIED'] == 1


def test_a_record_that_is_no_command_damps_before_the_command_in_force_has_expired(
    bench: Bench, command_of: Callable[..., JointCommand]
) -> None:
    sent = bench.hear(COMMANDS, Float64MultiArray)
    bench.ready()
    bench.spin(lambda: sent, lambda: bench.sense_and_command(command_of))
    sink, wrong = bench.node._sink, bench.records.command_to(command_of())[:-1] + b'\0'
    expired = sink.refusals['EXPIRED']

    def garble() -> None:
        bench.sense_and_command(command_of)
        bench.commands.publish(wrong)

    assert bench.spin(lambda: sink.refusals['MALFORMED'], garble)
    bench.velocity = np.full(12, 0.5)
    # kd_damping of the A1 is 4
    assert bench.spin(lambda: np.allclose(sent[-1].data, -2.0), bench.sense)
    assert 'changed on its way' in bench.node.diagnostics.values['refused']
    assert sink.refusals['EXPIRED'] == expired
    assert bench.says('follows joint_command', lambda: bench.sense_and_command(command_of))


def test_it_does_not_begin_where_strangers_could_command_it_unless_asked_to(
    bench_with: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The range is read when the middleware begins: in this test nothing reaches further.
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'SUBNET')
    with pytest.raises(ConfigurationError, match='ROS_AUTOMATIC_DISCOVERY_RANGE is SUBNET'):
        bench_with()
    assert bench_with(open_to_network=True).node.graph.open_to_network
