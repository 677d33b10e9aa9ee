"""How long from a sensor sample to the joint command that answers it, through the real graph?

This process is the robot: it runs the simulated robot node in real time and times, with the
steady clock, each decision from its sample to the command with the policy's answer to it. All
other nodes are processes, as in a run. Three arrangements:

    idle        no learner: one untrained model, nothing else to do
    saturating  the learner makes updates without a pause
    bare        processes that only hand bytes on, as many hops as the graph has: the limit

    python benchmarks/control_latency.py --seconds 60

Printed for each: median, 99 %, 99.9 %, largest [ms], and periods that were missed. One JSON line
comes last. Runs in a ROS domain of its own, on this machine alone.
"""

from __future__ import annotations

import os

os.environ['ROS_DOMAIN_ID'] = '97'
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
os.environ.setdefault('RMW_IMPLEMENTATION', 'rmw_fastrtps_cpp')

import argparse
import contextlib
import json
import multiprocessing
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.task import Future
from sensor_msgs.msg import Imu

from quad_learner import bringup
from quad_learner.experience.run_directory import create_at
from quad_learner.learn import node_environment
from quad_learner.nodes.robot_sim import RobotSimNode
from quad_learner.robot.model import load
from quad_learner.ros.clock import steady_ns
from quad_learner.supervisor import Supervisor

HOPS = 3
"""from a sample to its command: estimator, policy, safety"""
SETTLE_S = 25.0
"""[s] for processes to start and for the robot to stand up, not measured"""
SPIN_S = 0.1
NS_PER_MS = 1e6


class Chronicle:
    """Takes the place of the node's `Latency` and keeps every decision's last answer."""

    def __init__(self, is_decision: Any) -> None:
        self._is_decision = is_decision
        self._told: dict[int, int] = {}
        self._answered: dict[int, int] = {}
        self.commands: dict[int, int] = {}

    def told(self, stamp_ns: int, now_ns: int) -> None:
        """Notes when a sample was told."""
        self._told.setdefault(stamp_ns, now_ns)

    def answered(self, stamp_ns: int, now_ns: int) -> None:
        """Notes a command: the second one to a decision's stamp brings the policy's answer."""
        self.commands[stamp_ns] = self.commands.get(stamp_ns, 0) + 1
        self._answered[stamp_ns] = now_ns

    def take(self) -> tuple[float, float]:
        """Keeps all: the node's own report has nothing to say."""
        return float('nan'), float('nan')

    def latencies_ms(self, since_ns: int) -> Any:
        """Returns those of the decisions told since then that the policy answered."""
        return np.array(
            [
                (answered - self._told[stamp]) / NS_PER_MS
                for stamp, answered in self._answered.items()
                if self._is_decision(stamp)
                and self.commands[stamp] > 1
                and self._told.get(stamp, 0) >= since_ns
            ]
        )

    def decisions(self, since_ns: int) -> int:
        """Returns how many decisions were told since then."""
        return sum(self._is_decision(s) and told >= since_ns for s, told in self._told.items())


def through_the_graph(seconds: float, saturating: bool) -> dict[str, float]:
    """Returns the figures of the graph, with a learner that learns or one that idles."""
    with tempfile.TemporaryDirectory() as folder:
        run = create_at(Path(folder) / 'run', {})
        specs = [s for s in bringup.nodes('sim') if s.name not in ('monitor',)]
        shared = {'minutes': 600.0, 'gear': 'real_time', 'run_directory': str(run.path)}
        values = bringup.parameters(specs, shared, None)
        learner = {'warmup_steps': 200, 'updates_per_step': 50.0, 'backlog_max': 1_000_000}
        idle = {'warmup_steps': 10_000_000}
        values['learner'] |= learner if saturating else idle
        files = bringup.write_parameters(values, run.parameters)
        supervisor = Supervisor(node_environment(), run.logs)
        for spec in specs:
            if spec.name != 'robot':
                supervisor.start(spec, ['--params-file', str(files[spec.name])])
        try:
            figures = _as_the_robot(values['robot'], seconds)
            if supervisor.watch() is not None or supervisor.restarts:
                raise SystemExit('control_latency: a node had ended, so this was not the graph')
            return figures
        finally:
            supervisor.stop()


def _as_the_robot(values: dict[str, Any], seconds: float) -> dict[str, float]:
    rclpy.init()
    node = RobotSimNode(parameter_overrides=[Parameter(n, value=v) for n, v in values.items()])
    chronicle: Any = Chronicle(node.ticks.is_decision)
    node._latency = chronicle
    executor = EventsExecutor()
    executor.add_node(node)
    since_ns = steady_ns() + round(SETTLE_S * 1e9)
    missed = 0
    while steady_ns() < since_ns + round(seconds * 1e9):
        executor.spin_until_future_complete(Future(), timeout_sec=SPIN_S)
        missed = node._missed if steady_ns() < since_ns else missed
    lost = node._missed - missed
    executor.shutdown(timeout_sec=SPIN_S)
    node.close()
    node.destroy_node()
    rclpy.shutdown()
    figures = _figures(chronicle.latencies_ms(since_ns))
    return figures | {'decisions': chronicle.decisions(since_ns), 'missed_periods': lost}


def _hand_on(number: int) -> None:
    """Is a process that hands bytes from one topic to the next."""
    rclpy.init()
    node = Node(f'hop_{number}')
    publisher = node.create_publisher(Imu, f'hop_{number + 1}', 10)
    node.create_subscription(Imu, f'hop_{number}', publisher.publish, 10, raw=True)
    executor = EventsExecutor()
    executor.add_node(node)
    with contextlib.suppress(ExternalShutdownException):
        while rclpy.ok():
            executor.spin_until_future_complete(Future(), timeout_sec=SPIN_S)


def bare(seconds: float, hz: float) -> dict[str, float]:
    """Returns the figures of as many hops that do nothing."""
    context = multiprocessing.get_context('spawn')
    processes = [context.Process(target=_hand_on, args=(n,), daemon=True) for n in range(HOPS)]
    for process in processes:
        process.start()
    rclpy.init()
    node = Node('bare')
    publisher = node.create_publisher(Imu, 'hop_0', 10)
    sent, took = [0], []
    message = Imu()

    def said() -> None:
        sent[0] = steady_ns()
        publisher.publish(message)

    node.create_subscription(
        Imu,
        f'hop_{HOPS}',
        lambda _: took.append((steady_ns() - sent[0]) / NS_PER_MS),
        10,
        raw=True,
    )
    node.create_timer(1.0 / hz, said)
    executor = EventsExecutor()
    executor.add_node(node)
    settled_ns = steady_ns() + round(SETTLE_S / 3 * 1e9)
    while steady_ns() < settled_ns + round(seconds * 1e9):
        executor.spin_until_future_complete(Future(), timeout_sec=SPIN_S)
        if steady_ns() < settled_ns:
            took.clear()
    executor.shutdown(timeout_sec=SPIN_S)
    node.destroy_node()
    rclpy.shutdown()
    for process in processes:
        process.terminate()
        process.join()
    return _figures(np.array(took))


def _figures(latencies_ms: Any) -> dict[str, float]:
    if not latencies_ms.size:
        raise SystemExit('control_latency: no command was ever answered; look at the processes')
    shares = {'median_ms': 50.0, 'p99_ms': 99.0, 'p99_9_ms': 99.9, 'largest_ms': 100.0}
    figures = {name: float(np.percentile(latencies_ms, share)) for name, share in shares.items()}
    return figures | {'n': float(latencies_ms.size)}


def main() -> None:
    """Prints a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seconds', type=float, default=60.0, help='measured of each')
    options = parser.parse_args()
    results = {
        'bare': bare(options.seconds, load('a1').policy_hz),
        'idle': through_the_graph(options.seconds, saturating=False),
        'saturating': through_the_graph(options.seconds, saturating=True),
    }
    for name, figures in results.items():
        print(f'{name:12s} ' + '  '.join(f'{key} {value:.2f}' for key, value in figures.items()))
    print(json.dumps({'benchmark': 'control_latency', **vars(options), 'results': results}))


if __name__ == '__main__':
    main()
