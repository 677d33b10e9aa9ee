"""A node of the graph beside a peer that plays all others, in a domain of their own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter

from quad_learner import bringup
from quad_learner.robot.model import RobotModel
from quad_learner.ros import topics
from quad_learner.ros.packed import Records
from quad_learner.ros.wire import SampleWire
from quad_learner.task.config import TaskConfig
from quad_learner.task.walk import WalkTask

DOMAIN = 40 + os.getpid() % 30  # two runs of these tests beside each other seldom meet
PATIENCE_S = 60.0
SPIN_S = 0.02


class Bench:
    """The node under test, and a peer that speaks to it and hears all it says."""

    def __init__(self, context: Any, robot: RobotModel, observations: int) -> None:
        self.robot = robot
        self.records = Records(robot, observations)
        self.samples = SampleWire(robot)
        self.heard: dict[str, list[Any]] = {}
        self.node: Any = None
        self.peer = Node('peer', context=context)
        self._context = context
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self.peer)
        self._publishers: dict[str, Any] = {}

    @property
    def per_decision(self) -> int:
        """Ticks from one decision to the next."""
        return self.robot.command_hz // self.robot.policy_hz

    def stamp(self, tick: int) -> int:
        """Returns the stamp of a tick, rounded down to a nanosecond."""
        return tick * 1_000_000_000 // self.robot.command_hz

    def start(self, kind: type[Any], spec: str, drive: bool = False, **changed: Any) -> Any:
        """Builds the node `kind` with the parameters of `spec`, some of them changed.

        Where it is to `drive` what was learned, `spec` is of that table of nodes.
        """
        table = bringup.drive_nodes('sim') if drive else bringup.nodes('sim')
        specs = [s for s in table if s.name == spec]
        values = bringup.parameters(specs, {'gear': 'lockstep'}, None)[spec] | changed
        return self.adopt(kind, values)

    def adopt(self, kind: Callable[..., Any], values: Mapping[str, Any]) -> Any:
        """Builds the node that is tested, with all its parameters."""
        self.node = self.make(kind, values)
        self._executor.add_node(self.node)
        return self.node

    def make(self, kind: Callable[..., Any], values: Mapping[str, Any]) -> Any:
        """Returns a node with these parameters, which is nobody's to spin or destroy."""
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        return kind(context=self._context, parameter_overrides=overrides)

    def listen(self, *listened: topics.Topic) -> None:
        """Lets the peer hear topics; `heard` keeps what it heard, by name."""
        for topic in listened:
            kept = self.heard.setdefault(topic.name, [])
            topic.subscribe(self.peer, kept.append)

    def say(self, topic: topics.Topic, message: Any) -> None:
        """Lets the peer speak, once the node listens."""
        if topic.name not in self._publishers:
            publisher = topic.publisher(self.peer)
            self._publishers[topic.name] = publisher
            self.until(publisher.get_subscription_count, f'a listener of {topic.name}')
        self._publishers[topic.name].publish(message)

    def sense(self, sample: Any) -> None:
        """Says all that the robot senses in one instant, as far as the node listens."""
        self.say(topics.JOINT_STATES, self.samples.joints_to(sample))
        if any(heard.topic_name.endswith('foot_contacts') for heard in self.node.subscriptions):
            self.say(topics.FOOT_CONTACTS, self.samples.feet_to(sample))
        self.say(topics.IMU, self.samples.imu_to(sample))

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Lets both speak and listen until `condition` holds; returns what it gives."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            found = condition()
            if found:
                return found
            self._executor.spin_once(timeout_sec=SPIN_S)
        raise AssertionError(f'within {PATIENCE_S} s not seen: {what}')

    def settle(self, rounds: int = 25) -> None:
        """Lets both handle what is on its way, where nothing is expected to come."""
        for _ in range(rounds):
            self._executor.spin_once(timeout_sec=SPIN_S)

    def call(self, service: topics.Service) -> Any:
        """Returns the answer of a service of the node."""
        client = self.peer.create_client(service.type, service.name)
        self.until(client.service_is_ready, f'the service {service.name}')
        answer = client.call_async(service.type.Request())
        self.until(answer.done, f'an answer of {service.name}')
        return answer.result()

    def close(self) -> None:
        """Ends both. No message may have hurt the node, not even where it survived that."""
        if self.node is not None:
            self.node.destroy_node()
        self.peer.destroy_node()
        assert self.node is None or not self.node.guard.caught, self.node.guard.last


@pytest.fixture
def bench(
    robot: RobotModel,
    task_config: Callable[..., TaskConfig],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Bench]:
    """Returns a bench for one node; nothing on it is heard beyond this machine."""
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    monkeypatch.setenv('ROS_DOMAIN_ID', str(DOMAIN))
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=DOMAIN)
    bench = Bench(context, robot, WalkTask(robot, task_config()).observation_size)
    yield bench
    bench.close()
    context.try_shutdown()
