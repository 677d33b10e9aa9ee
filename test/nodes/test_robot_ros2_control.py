"""The hardware door as a node, between a fake robot and a fake safety layer."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import BatteryState, Imu, JointState
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import Trigger

from quad_learner.configuration import ConfigurationError, read_values
from quad_learner.nodes.robot_ros2_control import RobotRos2ControlNode
from quad_learner.resources import config_directory
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import JointCommand
from quad_learner.ros.packed import Records
from quad_learner.safety.modes import Authority, Mode

DOMAIN = 2 + os.getpid() % 38
"""not that of another run of the tests on this machine"""
MAKERS = [
    f'{leg}_{part}_joint' for leg in ('FR', 'FL', 'RR', 'RL') for part in ('hip', 'thigh', 'calf')
]
COMMANDS = '/hardware/forward_controller/commands'
SPINS = 400
"""rounds: patience with a busy machine"""
CALLBACKS = 10
"""handled a round, of 1 ms at most each: more than are published in one, so that no queue grows"""


class Bench:
    """The node, and a peer that plays robot, controller and safety around it."""

    def __init__(self, context: Context, robot: RobotModel, changed: dict[str, Any]) -> None:
        config = config_directory()
        values = read_values(config / 'graph.yaml') | read_values(config / 'ros2_control.yaml')
        values |= {'gear': 'real_time'} | changed
        self.robot = robot
        self.records = Records(robot)
        self.executor = SingleThreadedExecutor(context=context)
        self.peer = Node('peer', context=context)
        self.node = RobotRos2ControlNode(
            context=context, parameter_overrides=[Parameter(k, value=v) for k, v in values.items()]
        )
        for node in (self.node, self.peer):
            self.executor.add_node(node)
        self.heard: dict[str, list[Any]] = {}
        self.sequence = 0
        self.position = robot.stance.copy()
        self.velocity = np.zeros(12)
        best_effort = qos_profile_sensor_data
        make = self.peer.create_publisher
        self.joints = make(JointState, '/hardware/joint_states', best_effort)
        self.imu = make(Imu, '/hardware/imu', best_effort)
        self.feet = make(JointState, '/hardware/foot_contacts', best_effort)
        self.battery = make(BatteryState, '/hardware/battery_state', best_effort)
        self.heat = make(Float64MultiArray, '/hardware/motor_temperature', best_effort)
        self.commands = make(Float64MultiArray, 'joint_command', 10)

    def hear(self, name: str, kind: Any) -> list[Any]:
        """Returns the list that all messages of a topic go to from now on."""
        heard = self.heard.setdefault(name, [])
        self.peer.create_subscription(kind, name, heard.append, 10)
        return heard

    def sense(self, without: str = '', known_orientation: bool = True) -> None:
        """Lets the fake robot's sensors speak once, in reverse order of joints."""
        if without != 'joints':
            message = JointState(name=MAKERS[::-1])
            message.position = self.position[::-1].tolist()
            message.velocity = self.velocity[::-1].tolist()
            self.joints.publish(message)
        if without != 'imu':
            message = Imu()
            message.orientation.w = 1.0
            message.linear_acceleration.z = 9.81
            message.orientation_covariance[0] = 0.0 if known_orientation else -1.0
            self.imu.publish(message)
        if without != 'feet':
            self.feet.publish(JointState(name=list(self.robot.feet), effort=[30.0] * 4))

    def command(self, make: Callable[..., JointCommand], **changed: Any) -> None:
        """Lets the fake safety layer send the next command: standby, unless changed."""
        self.sequence += 1
        idle = {'mode': Mode.STANDBY, 'authority': Authority.NOBODY, 'request': 0}
        command = make(sequence=self.sequence, **(idle | changed))
        self.commands.publish(self.records.command_to(command))

    def sense_and_command(self, make: Callable[..., JointCommand]) -> None:
        """Lets sensors and safety speak once."""
        self.sense()
        self.command(make)

    def spin(self, until: Callable[[], Any], each: Callable[[], None] = lambda: None) -> bool:
        """Handles messages until something is so, `each` in between; returns whether it is."""
        for _ in range(SPINS):
            if until():
                return True
            self._round(each)
        return bool(until())

    def turns(self, number: int, each: Callable[[], None] = lambda: None) -> None:
        """Handles what comes for a while, and `each` time something."""
        for _ in range(number):
            self._round(each)

    def _round(self, each: Callable[[], None]) -> None:
        each()
        for _ in range(CALLBACKS):
            self.executor.spin_once(timeout_sec=0.001)

    def says(self, words: str, each: Callable[[], None] = lambda: None) -> bool:
        """Tells whether the node's diagnostics come to say `words`."""
        return self.spin(lambda: words in self.node.report()[1], each)

    def ready(self) -> None:
        """Brings the node to where it waits for nothing but a command."""
        assert self.says('damping: no command', self.sense), self.node.report()

    def close(self) -> None:
        """Takes both nodes down."""
        self.node.destroy_node()
        self.peer.destroy_node()
        self.executor.shutdown()


@pytest.fixture
def context(monkeypatch: pytest.MonkeyPatch) -> Iterator[Context]:
    """Returns a middleware of its own."""
    monkeypatch.setenv('ROS_DOMAIN_ID', str(DOMAIN))
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    context = Context()
    rclpy.init(context=context, domain_id=DOMAIN)
    yield context
    rclpy.try_shutdown(context=context)


@pytest.fixture
def bench_with(context: Context, robot: RobotModel) -> Iterator[Callable[..., Bench]]:
    """Returns a function that makes the bench, with some parameters changed."""
    benches = []

    def make(**changed: Any) -> Bench:
        benches.append(Bench(context, robot, changed))
        return benches[-1]

    yield make
    for bench in benches:
        bench.close()


@pytest.fixture
def bench(bench_with: Callable[..., Bench]) -> Bench:
    """Returns an effort controller's bench."""
    return bench_with(command_interface='effort', farewell_s=0.1)


def test_it_names_the_sensors_that_it_waits_for(bench: Bench) -> None:
    assert bench.says('waits for /hardware/joint_states, /hardware/imu, /hardware/foot_contacts')


@pytest.mark.parametrize(
    'silent, named',
    [
        ('joints', '/hardware/joint_states'),
        ('imu', '/hardware/imu'),
        ('feet', '/hardware/foot_contacts'),
    ],
)
def test_without_one_sensor_it_says_so_and_nothing_else(
    bench: Bench, silent: str, named: str
) -> None:
    samples = bench.hear('joint_states', JointState)
    part = lambda: bench.sense(without=silent)  # noqa: E731
    assert bench.spin(lambda: bench.node.report()[1] == f'waits for {named}', part)
    bench.turns(20, part)
    assert samples == []


def test_it_waits_for_a_controller(bench: Bench) -> None:
    assert bench.says(f'waits for a controller that listens to {COMMANDS}', bench.sense)


def test_a_sample_has_one_stamp_on_the_grid_of_ticks_and_our_names(
    bench: Bench, robot: RobotModel
) -> None:
    bench.position = np.linspace(-1.0, 1.0, 12)
    names = ('joint_states', 'imu/data', 'foot_contacts')
    heard = [
        bench.hear(name, kind)
        for name, kind in zip(names, (JointState, Imu, JointState), strict=True)
    ]
    assert bench.spin(lambda: all(len(messages) >= 5 for messages in heard), bench.sense)
    stamps = [
        [m.header.stamp.sec * 10**9 + m.header.stamp.nanosec for m in messages[:5]]
        for messages in heard
    ]
    assert stamps[0] == stamps[1] == stamps[2]
    ticks = [stamp * 80 / 1e9 for stamp in stamps[0]]  # the A1 is commanded at 80 Hz
    np.testing.assert_allclose(ticks, np.round(ticks), atol=1e-6)
    assert (np.diff(np.round(ticks)) >= 1).all()
    joints = heard[0][0]
    assert tuple(joints.name) == robot.joints
    np.testing.assert_allclose(joints.position, np.linspace(-1.0, 1.0, 12))
    assert list(joints.effort) == [0.0] * 12


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
    bench_with: Callable[..., Bench], command_of: Callable[..., JointCommand]
) -> None:
    bench = bench_with(command_interface='effort', controller_joints=MAKERS[::-1])
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


def test_an_imu_without_orientation_is_no_imu(bench: Bench) -> None:
    unreadable = bench.node.diagnostics.values
    assert bench.spin(
        lambda: 'orientation' in unreadable.get('unreadable', ''),
        lambda: bench.sense(known_orientation=False),
    )
    assert '/hardware/imu' in bench.node.report()[1]


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


@pytest.mark.parametrize(
    'changed, said',
    [
        ({'use_sim_time': True}, 'use_sim_time: false'),
        ({'gear': 'lockstep'}, 'gear: real_time'),
        ({'foot_contacts_topic': ''}, 'sensors.foot_force: false'),
        ({'motor_temperature_topic': ''}, 'sensors.motor_temperature: false'),
    ],
)
@pytest.mark.filterwarnings('ignore:unclosed file:ResourceWarning')
@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
def test_it_does_not_start_with(
    bench_with: Callable[..., Bench], changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        bench_with(**changed)
    del caught
    gc.collect()  # the half-built node holds its name until then


def test_battery_and_heat_pass_with_our_stamp_and_order(
    bench_with: Callable[..., Bench],
) -> None:
    bench = bench_with(controller_joints=MAKERS[::-1])
    batteries = bench.hear('battery_state', BatteryState)
    heats = bench.hear('motor_temperature', Float64MultiArray)

    def speak() -> None:
        message = BatteryState(voltage=24.0, percentage=0.5)
        message.header.stamp.sec = 1_700_000_000
        bench.battery.publish(message)
        bench.heat.publish(Float64MultiArray(data=np.arange(40.0, 52.0).tolist()))

    assert bench.spin(lambda: batteries and heats, speak)
    assert batteries[-1].header.stamp.sec < 100
    assert batteries[-1].percentage == 0.5
    np.testing.assert_array_equal(
        bench.records.temperature_from(heats[-1]), np.arange(40.0, 52.0)[::-1]
    )


def test_set_upright_counts_the_person(bench: Bench) -> None:
    client = bench.peer.create_client(Trigger, 'robot/set_upright')
    assert bench.spin(client.service_is_ready)
    answer = client.call_async(Trigger.Request())
    assert bench.spin(answer.done)
    assert answer.result().success
    bench.node.report()
    assert bench.node.diagnostics.values['human_resets'] == 1
