"""What the robot says of itself: whether it follows commands, or damps its joints by itself."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node

from quad_learner.ros import topics
from quad_learner.ros.diagnostics import OK, WARN, StateReport


class RobotState:
    """Tells at once when it changes, and when asked."""

    def __init__(self, node: Node, robot_id: str) -> None:
        self._report = StateReport(node, topics.ROBOT_STATE, robot_id)
        self._follows = False

    def note(self, follows: bool) -> None:
        """Tells whether commands are followed now, if that is news."""
        if follows != self._follows:
            self._follows = follows
            self.tell()

    def tell(self) -> None:
        """Tells what was noted last: for late listeners."""
        level, words = (OK, 'follows') if self._follows else (WARN, 'damps by itself')
        self._report.publish(level, words, {})


def lets_go(message: Any) -> bool:
    """Returns whether the robot says in `message` that it follows no command."""
    return bool(message.level != OK)
