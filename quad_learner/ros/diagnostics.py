"""`/diagnostics` once a second, and states as they change: what a node is doing, in words.

Rates are counted by `count(name)`; a value is set by `values[...]`. Levels and messages come from
the node. Uses the steady clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node

from quad_learner.robot.signals import NANOSECONDS
from quad_learner.ros import topics
from quad_learner.ros.clock import steady_ns
from quad_learner.ros.neighbours import named

OK = DiagnosticStatus.OK
WARN = DiagnosticStatus.WARN
ERROR = DiagnosticStatus.ERROR
HARDWARE = 'quad_learner'
"""what a status says it is of, after the robot's name"""
PERIOD_S = 1.0
"""[s] as diagnostic tools expect"""
WORDS_MAX = 1000
"""letters of a value that are told: why a message was refused may quote it, however long it is"""

Report = Callable[[], tuple[bytes, str]]


class Diagnostics:
    """Reports one node's health."""

    def __init__(self, node: Node, report: Report, robot_id: str = '') -> None:
        """Args:
        node: its name and namespace name the report.
        report: returns level and summary when asked, once a second.
        robot_id: whose node it is.
        """
        self._node = node
        self._robot_id = robot_id
        self._report = report
        self._publisher = topics.DIAGNOSTICS.publisher(node)
        self._counts: dict[str, int] = {}
        self._since_ns = steady_ns()
        self.values: dict[str, Any] = {}
        self._timer = node.create_timer(
            PERIOD_S, self._publish, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def count(self, name: str, times: int = 1) -> None:
        """Counts an event whose rate [Hz] is reported as `<name>_hz`."""
        self._counts[name] = self._counts.get(name, 0) + times

    def _publish(self) -> None:
        now = steady_ns()
        seconds = max(1e-9, (now - self._since_ns) / NANOSECONDS)
        self._since_ns = now
        level, summary = self._report()
        rates = {f'{name}_hz': f'{n / seconds:.1f}' for name, n in self._counts.items()}
        self._counts = dict.fromkeys(self._counts, 0)
        message = DiagnosticArray(
            status=[status(self._name(), level, summary, {**rates, **self.values}, self._robot_id)]
        )
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)

    def _name(self) -> str:
        return f'/quad_learner{self._node.get_namespace().rstrip("/")}/{self._node.get_name()}'


def status(
    name: str, level: bytes, summary: str, values: dict[str, Any], robot_id: str = ''
) -> DiagnosticStatus:
    """Returns a DiagnosticStatus with `values` in words, of a node of the robot `robot_id`."""
    return DiagnosticStatus(
        name=name,
        level=level,
        message=summary,
        hardware_id=named(robot_id, HARDWARE),
        values=[KeyValue(key=key, value=_text(value)) for key, value in values.items()],
    )


def _text(value: Any) -> str:
    return f'{value:.6g}' if isinstance(value, float) else str(value)[:WORDS_MAX]


class StateReport:
    """Publishes a node's state when it changes and once a second, for late listeners."""

    def __init__(self, node: Node, topic: topics.Topic, robot_id: str = '') -> None:
        self._node = node
        self._robot_id = robot_id
        self._publisher = topic.publisher(node)
        self._last: tuple[str, dict[str, Any]] | None = None

    def publish(self, level: bytes, summary: str, values: dict[str, Any]) -> bool:
        """Publishes; returns whether the summary differs from the last one."""
        changed = self._last is None or self._last[0] != summary
        self._last = (summary, values)
        self._publisher.publish(
            status(self._node.get_name(), level, summary, values, self._robot_id)
        )
        return changed
