"""odom → base_link on /tf, where tf2_msgs is installed (it is not on the Python Package Index)."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node

from quad_learner.robot.signals import Estimate
from quad_learner.ros.messages import odometry_to

try:
    from tf2_msgs.msg import TFMessage
except ImportError:
    TFMessage = None


class TransformPublisher:
    """Publishes the estimated pose as a transform, or nothing where tf2_msgs is missing."""

    def __init__(self, node: Node, robot_id: str) -> None:
        self._robot_id = robot_id
        self._publisher: Any = None
        if TFMessage is not None:
            self._publisher = node.create_publisher(TFMessage, '/tf', 10)

    def publish(self, estimate: Estimate) -> None:
        """Publishes the pose of `estimate`."""
        if self._publisher is None:
            return
        from geometry_msgs.msg import TransformStamped

        odometry = odometry_to(estimate, self._robot_id)
        transform = TransformStamped(
            header=odometry.header, child_frame_id=odometry.child_frame_id
        )
        position, moved = odometry.pose.pose.position, transform.transform.translation
        moved.x, moved.y, moved.z = position.x, position.y, position.z
        transform.transform.rotation = odometry.pose.pose.orientation
        self._publisher.publish(TFMessage(transforms=[transform]))
