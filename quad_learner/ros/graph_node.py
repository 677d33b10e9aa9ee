"""The common part of every node: shared parameters, the robot, diagnostics, a way to end."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.timer import Timer

from quad_learner.configuration import ConfigurationError
from quad_learner.exclusive import Lifeline, claim
from quad_learner.graph import GraphConfig
from quad_learner.memory_lock import lock_memory
from quad_learner.precedence import run_first, threads
from quad_learner.process_size import MIB, GrowthAlarm, size
from quad_learner.reach import is_secured, reach
from quad_learner.robot.model import RobotModel, load
from quad_learner.robot.signals import NANOSECONDS
from quad_learner.robot.ticks import Ticks
from quad_learner.ros import parameters
from quad_learner.ros.clock import steady_ns
from quad_learner.ros.diagnostics import OK, PERIOD_S, WARN, Diagnostics
from quad_learner.ros.guard import READING, Guard
from quad_learner.ros.neighbours import Neighbours
from quad_learner.ros.topics import Topic
from quad_learner.ros.words import Unread

SIZE_PERIOD_S = 60.0
"""[s] between looks at what the process takes of the machine: each reads files of the kernel's"""


class GraphNode(Node):
    """A node of the graph; subclasses wire topics to core objects."""

    controls = False
    """whether the robot waits for what the node does"""
    behind = 1
    """by how much its real-time priority is lower than is allowed: first goes who answers first"""

    def __init__(self, name: str, *configs: type[Any], **options: Any) -> None:
        """Loads parameters and robot.

        Args:
            name: of the node.
            configs: Config dataclasses whose parameters this node has besides GraphConfig's;
                their values are in `self.configs`, in the same order.
            options: for rclpy's Node (tests give parameter_overrides).
        """
        # The middleware's own listener, of simulated time, is made by the next line.
        self.guard = Guard(self._survives, lambda words: self.get_logger().error(words))
        super().__init__(name, **options)
        self._lock = claim(name, *self._place)
        self._lifelines: list[Lifeline] = []
        graph, *rest = parameters.load(self, GraphConfig, *configs)
        self.graph: GraphConfig = graph
        self.configs: list[Any] = rest
        self.robot: RobotModel = replace(load(graph.robot), identity=graph.robot_id)
        self.ticks = Ticks(self.robot)
        self.finished = False
        self.stopping: Callable[[], bool] = lambda: False
        """tells that the process is to end: long work breaks off"""
        self._more_writers = False
        self.neighbours = Neighbours(graph.robot_id, self._meet)
        self.diagnostics = Diagnostics(self, self._report_all, graph.robot_id)
        self._growth, self._grown = GrowthAlarm(), ''
        self.every(SIZE_PERIOD_S, self._look_at_size)
        if self.controls:
            self._words = Unread()
            self.every(PERIOD_S, self._look_at_words)

    def keep_to_this_machine(self) -> None:
        """For who moves motors, or has them moved: refuses to begin where strangers could speak.

        Raises:
            ConfigurationError: another machine is in reach, and `open_to_network` is not set.
        """
        how = reach(os.environ)
        if how and not self.graph.open_to_network:
            self.destroy_node()
            raise ConfigurationError(
                f'other machines could drive this robot: {how}; set '
                'ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST, or the parameter open_to_network: true '
                'for every node, and read docs/security.md first'
            )
        if how and not is_secured(os.environ):
            self.get_logger().warning(f'anybody in reach can drive this robot: {how}')

    def take_precedence(self) -> None:
        """Lets a control process run before all others, beside a robot that does not wait.

        Nor does it then wait for a disk to read its own code again, where that is allowed.
        Of another node only the middleware's threads: who sends to it must not wait for a lock
        that one of them holds while it has no processor.
        """
        allowed = self.graph.real_time_priority
        if self.controls and not self.graph.lockstep:
            lock_memory()
        if self.graph.lockstep or allowed == 0:
            return
        priority = max(allowed - self.behind, 1)
        mine = threads()
        if not run_first(mine if self.controls else mine[1:], priority) and self.controls:
            self.get_logger().warning(
                f'this machine does not allow real-time priority {priority}: others can delay '
                'what controls the robot; quad-learner doctor says what to do'
            )

    def _survives(self, error: Exception) -> bool:
        """Tells whether the node goes on after an error of a callback: a robot would fall for it.

        Where no robot falls, a mistake of our own ends the node: another is started, and a world
        that waits would wait for ever.
        """
        walks = self.controls and not self.graph.lockstep
        return walks or isinstance(error, READING)

    def _report_all(self) -> tuple[bytes, str]:
        """Returns what the node reports, and what there is to warn of in any node."""
        level, summary = self.report()
        values, neighbours, caught = self.diagnostics.values, self.neighbours, self.guard.caught
        values['passed_over'] = caught.total()
        values['dropped_of_others'] = neighbours.dropped
        values['dropped_of_unnamed'] = neighbours.unnamed
        besides = [self._grown] if self._grown else []
        if caught:
            besides.append(f'passed over {caught.total()} messages, the last: {self.guard.last}')
        others = neighbours.heard()
        if others:
            names = ', '.join(other or 'without a name' for other in others)
            besides.append(f'hears robot {names}, ignored')
        return (max(level, WARN), '; '.join((summary, *besides))) if besides else (level, summary)

    def _meet(self, other: str) -> None:
        self.get_logger().warning(
            f'robot {other or "without a name"} speaks here too and is ignored; this one is '
            f'{self.graph.robot_id or "without a name"} (robot_id)'
        )

    def _look_at_size(self) -> None:
        now = size(os.getpid(), steady_ns() / NANOSECONDS)
        if now is None:
            return
        self.diagnostics.values['memory_mib'] = round(now.resident_bytes / MIB)
        grown = self._growth.look(now)
        if grown and not self._grown:
            self.get_logger().warning(f'this process {grown}: docs/safety.md, memory')
        self._grown = grown

    def _look_at_words(self) -> None:
        said = self._words.look()
        self.diagnostics.values['words_unread_s'] = self._words.seconds
        if said:
            self.get_logger().warning(said)

    def report(self) -> tuple[bytes, str]:
        """Returns level and summary for `/diagnostics`."""
        return OK, 'running'

    def every(self, seconds: float, callback: Any) -> Timer:
        """Calls `callback` each `seconds` of the steady clock."""
        return self.create_timer(seconds, callback, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def create_publisher(self, msg_type: Any, topic: str, *how: Any, **more: Any) -> Any:
        """Makes a publisher that notices who cannot hear it for their quality of service."""
        events = PublisherEventCallbacks(incompatible_qos=partial(self._mismatched, topic))
        return super().create_publisher(
            msg_type, topic, *how, **({'event_callbacks': events} | more)
        )

    def create_subscription(
        self, msg_type: Any, topic: str, callback: Callable[[Any], None], *how: Any, **more: Any
    ) -> Any:
        """Makes a subscription that no message ends the node by.

        It notices whom it cannot hear for their quality of service.
        """
        events = SubscriptionEventCallbacks(incompatible_qos=partial(self._mismatched, topic))
        heard = self.guard.guarded(topic, callback)
        return super().create_subscription(
            msg_type, topic, heard, *how, **({'event_callbacks': events} | more)
        )

    def _mismatched(self, topic: str, event: Any) -> None:
        self.diagnostics.values['incompatible_qos'] = topic
        self.get_logger().error(
            f'{topic}: somebody uses another quality of service ({event.last_policy_kind}), so '
            'nothing passes between us; docs/ros.md says which one this graph uses'
        )

    @property
    def _place(self) -> tuple[str, str]:
        return os.environ.get('ROS_DOMAIN_ID') or '0', self.get_namespace()

    def writers(self, topic: Topic) -> int:
        """Returns how many publish `topic` for this robot: others are known by their word.

        One that has not said yet whose it is has until the next look, where robots have names.
        """
        count = self.count_publishers(topic.name)
        if count <= 1:
            self.neighbours.forget(topic.name)
        count -= self.neighbours.known(topic.name)
        is_new, self._more_writers = count > 1 and not self._more_writers, count > 1
        return 1 if is_new and self.graph.robot_id else count

    def lifeline(self, name: str) -> Lifeline:
        """Returns what tells that the process of the node `name` of this graph has died."""
        self._lifelines.append(Lifeline(name, *self._place))
        return self._lifelines[-1]

    def close(self) -> None:
        """Says goodbye; the middleware is still alive. Most nodes have nothing to say."""

    def destroy_node(self) -> None:
        """Gives the name free for another node."""
        self._lock.close()
        for lifeline in self._lifelines:
            lifeline.close()
        super().destroy_node()
