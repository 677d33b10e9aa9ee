"""A crowd of strangers in the domain: safety goes on sending stops, and does not grow by them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import pytest

from quad_learner.nodes.safety import SafetyNode
from quad_learner.process_size import MIB, size
from quad_learner.ros import topics

ROGUES, TOPICS = 40, 10
WATCHED_S = 3.0
GROWTH_MIB = 64
"""what discovery keeps of forty participants and four hundred topics, with a margin"""
CROWD = f"""
import rclpy, time
from rclpy.node import Node
from sensor_msgs.msg import JointState
from nav_msgs.msg import Odometry
from std_msgs.msg import Float64MultiArray

wanted = (JointState, 'joint_states'), (Odometry, 'odom'), (Float64MultiArray, 'policy/target')
said = []
for rogue in range({ROGUES}):
    context = rclpy.Context()
    rclpy.init(context=context)
    node = Node(f'rogue_{{rogue}}', context=context)
    for number in range({TOPICS}):
        node.create_publisher(JointState, f'noise_{{rogue}}_{{number}}', 10)
    said += [node.create_publisher(kind, name, 10) for kind, name in wanted]
print('here', flush=True)
while True:
    for publisher in said:
        publisher.publish(bytes((0, 1, 0, 0)))
    time.sleep(0.01)
"""


@contextmanager
def crowd() -> Iterator[IO[bytes]]:
    """Gives what the crowd says of itself, to be read without waiting; ends it."""
    process = subprocess.Popen([sys.executable, '-c', CROWD], stdout=subprocess.PIPE)
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    try:
        yield process.stdout
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def steps(bench: Any, seconds: float) -> int:
    """Returns how many steps safety makes in that time [s]."""
    count, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        before = bench.node._last_step_ns
        bench.settle(1)
        count += bench.node._last_step_ns != before
    return count


@pytest.mark.system
def test_a_crowd_of_participants_that_shout_does_not_stop_safety(
    bench: Any, sample_of: Any
) -> None:
    node = bench.start(SafetyNode, 'safety', gear='real_time')
    bench.sense(sample_of())
    bench.until(lambda: node._sample, 'a sample')
    before = size(os.getpid(), 0.0)
    with crowd() as said:
        bench.until(said.read, 'the crowd')
        # On one machine some 32 participants of a domain find each other.
        of_joints = topics.JOINT_STATES.name
        bench.until(lambda: node.count_publishers(of_joints) > ROGUES / 2, 'most of them')
        bench.until(lambda: node._samples.dropped > 10 * ROGUES, 'that they are heard')
        stepped = steps(bench, WATCHED_S)
        after = size(os.getpid(), 0.0)
    # Its noise took the place of what is right: only the newest waits to be heard.
    bench.settle()
    bench.sense(sample_of(time_ns=25_000_000))
    bench.until(lambda: node._sample.time_ns == 25_000_000, 'the robot, when they have gone')
    # Silent sensors are answered each two to three periods.
    assert stepped > WATCHED_S * bench.robot.command_hz / 3 / 2, 'half of that, beside a crowd'
    assert before is not None
    assert after is not None
    assert (after.resident_bytes - before.resident_bytes) / MIB < GROWTH_MIB
