"""The newest estimate of where the body is and how it moves."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node

from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import Estimate
from quad_learner.ros import topics
from quad_learner.ros.messages import MessageError
from quad_learner.ros.wire import EstimateWire


class EstimateListener:
    """Listens to `odom`; `newest` is what could be read last."""

    def __init__(
        self,
        node: Node,
        robot: RobotModel,
        arrived: Callable[[], None],
        wanted: Callable[[int], bool],
    ) -> None:
        """Subscribes.

        Args:
            node: that listens.
            robot: whose feet are told of.
            arrived: called for each estimate that could be read.
            wanted: tells from a stamp whether the instant is of interest; others stay unread.
        """
        self._wire = EstimateWire(robot)
        self._arrived = arrived
        self.newest: Estimate | None = None
        self.problem = ''
        """why the last one could not be read"""
        topics.ODOM.subscribe_to_some(node, self._on_odometry, self._refuse, wanted)

    def _on_odometry(self, _: int, data: bytes) -> None:
        try:
            self.newest = self._wire.odometry_from(data)
        except MessageError as error:
            self._refuse(f'odom: {error}')
            return
        self._arrived()

    def _refuse(self, why: str) -> None:
        self.problem = why
