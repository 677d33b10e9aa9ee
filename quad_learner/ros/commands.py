"""The newest joint command, read only when somebody wants to know it."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node

from quad_learner.robot.signals import JointCommand
from quad_learner.ros import topics
from quad_learner.ros.messages import MessageError
from quad_learner.ros.packed import Records


class CommandListener:
    """Listens to `joint_command`. Policy and reset look at one a decision; others stay bytes."""

    def __init__(self, node: Node, records: Records, arrived: Callable[[], None]) -> None:
        """Subscribes.

        Args:
            node: that listens.
            records: reads the command.
            arrived: called for each command that comes.
        """
        self._records = records
        self._arrived = arrived
        self._unread: bytes | None = None
        self._newest: JointCommand | None = None
        self.problem = ''
        """why the last command could not be read"""
        topics.JOINT_COMMAND.subscribe(node, self._on_command, raw=True)

    def _on_command(self, data: bytes) -> None:
        self._unread = data
        self._arrived()

    @property
    def newest(self) -> JointCommand | None:
        """The newest command that could be read, None before the first."""
        if self._unread is not None:
            data, self._unread = self._unread, None
            try:
                self._newest = self._records.command_from(data)
            except MessageError as error:
                self.problem = str(error)
        return self._newest
