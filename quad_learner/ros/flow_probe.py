"""One of two processes that tell each other something by the middleware: does data flow?

    python -m quad_learner.ros.flow_probe MINE OTHER SECONDS

Discovery may work where data does not: it goes another way. Says a small message and a large one
on the topic MINE, hears the same on OTHER, writes a dot to standard output when it has, and goes
on, for the other may not have heard all. After SECONDS a signal ends it.
"""

from __future__ import annotations

import signal
import sys
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import UInt8MultiArray

from quad_learner.ros.words import NO_FILE

SIZES = (64, 1 << 15)
"""[bytes] of the messages: less than a sample of sensors, more than a step of experience"""
AGAIN_S = 0.1
"""[s] after which all is said again: the middleware itself may wait for three seconds"""


def main() -> None:
    """Runs the process; it ends in time, whatever happens."""
    mine, other, seconds = sys.argv[1:]
    signal.setitimer(signal.ITIMER_REAL, float(seconds))
    heard = set[int]()
    rclpy.init(args=list(NO_FILE))
    node = Node('_flow', enable_rosout=False, start_parameter_services=False)

    def hear(said: Any) -> None:
        heard.add(len(said.data))

    node.create_subscription(UInt8MultiArray, other, hear, len(SIZES))
    publisher = node.create_publisher(UInt8MultiArray, mine, len(SIZES))

    def say() -> None:
        for size in SIZES:
            publisher.publish(UInt8MultiArray(data=bytes(size)))

    node.create_timer(AGAIN_S, say)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while len(heard) < len(SIZES):
        executor.spin_once()
    sys.stdout.write('.')
    sys.stdout.flush()
    while True:  # until it is ended: the other may not have heard all
        executor.spin_once()


if __name__ == '__main__':
    main()
