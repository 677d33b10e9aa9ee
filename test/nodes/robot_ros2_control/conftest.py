"""The hardware door as a node, between a fake robot and a fake safety layer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
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

from quad_learner.configuration import read_values
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
        self.effort: np.ndarray | None = np.zeros(12)
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
            message.effort = [] if self.effort is None else self.effort[::-1].tolist()
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
        """Takes both nodes down. No message may have hurt the one that is tested."""
        self.node.destroy_node()
        self.peer.destroy_node()
        self.executor.shutdown()
        assert not self.node.guard.caught, self.node.guard.last


@pytest.fixture
def context(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Context]:
    """Returns a middleware of its own."""
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
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


@pytest.fixture
def makers() -> list[str]:
    """Returns the joints as their maker calls them, in our order."""
    return MAKERS
