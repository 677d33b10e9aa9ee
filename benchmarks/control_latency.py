"""How long from a sensor sample to the joint command that answers it, through the real graph?

This process is the robot: it runs the simulated robot node in real time and times, with the
steady clock, each decision from its sample to the command with the policy's answer to it. All
other nodes are processes, as in a run. Decisions on which the policy did not drive are left out.
Three arrangements, each at every rate of decisions that is asked for:

    bare        processes that only hand bytes on, as many hops as the graph has: the limit
    idle        a learner with one untrained model and nothing else to do
    saturating  the learner makes updates without a pause

    python benchmarks/control_latency.py --seconds 60 --hz 40 100

Printed for each: median, 99 %, 99.9 %, largest [ms]; how many decisions were measured; how many
were late; periods that the robot missed; and updates a second. Late is an answer that came after
its period, or after the robot's next sample: it counts as infinite.
One JSON line comes last. Runs in a ROS domain of its own, on this machine alone.
"""

from __future__ import annotations

import os

os.environ.setdefault('RMW_IMPLEMENTATION', 'rmw_fastrtps_cpp')

import argparse
import contextlib
import itertools
import json
import multiprocessing
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
import yaml
from rclpy.executors import ExternalShutdownException
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.task import Future
from sensor_msgs.msg import Imu

from pauses import NS_PER_MS
from quad_learner import bringup, configuration
from quad_learner.experience.run_directory import create_at
from quad_learner.learn import node_environment
from quad_learner.nodes.robot_sim import RobotSimNode
from quad_learner.precedence import may_run_first, run_first, threads
from quad_learner.resources import config_directory
from quad_learner.robot.model import load
from quad_learner.robot.signals import NANOSECONDS
from quad_learner.ros import topics
from quad_learner.ros.clock import steady_ns
from quad_learner.ros.process import leave_alone_what_is_there
from quad_learner.safety.modes import Authority
from quad_learner.supervisor import Supervisor

GRAPH = configuration.read_values(config_directory() / 'graph.yaml')
ANSWER = 2
"""commands from a decision's sample to the driver's answer to it"""
REST = 1
"""commands that follow before the next decision"""
PRIORITY = GRAPH['real_time_priority']
"""of the bare chain's processes: that of the graph's"""
HOPS = 3
"""from a sample to its command: estimator, policy, safety"""
SETTLE_DECISIONS = 400
"""decisions by the policy before measuring begins: the learner, if any, is then long at work"""
SATURATING = {'warmup_steps': 200, 'updates_per_step': 50.0, 'backlog_max': 1_000_000}
"""parameters of a learner that never catches up"""
IDLE = {'updates_per_step': 0.0, 'eager_steps': 0}
"""parameters of one that only takes in what it is told"""
SETTLE_MAX_S = 120.0
"""[s] in which the processes must have started and the policy driven so long"""
SETTLE_BARE_S = 8.0
"""[s] in which the bare processes must have found each other"""
TICKS_PER_DECISION, PHYSICS_PER_TICK = 2, 4
"""at other rates than the A1's own, which has 2 and 8"""
DOMAIN = '97'
"""of ROS, for this benchmark alone"""
SPIN_S = 0.1
"""[s] most between two looks at the clock"""
_GAP_NS = NANOSECONDS // 2
"""between two decisions of the policy: longer, and an episode had ended"""


class Chronicle:
    """Takes the place of the node's `Latency` and keeps when each decision was answered."""

    def __init__(self, is_decision: Callable[[int], bool]) -> None:
        self._is_decision = is_decision
        self._told: dict[int, int] = {}
        self._stamp = 0
        self._counted = False
        self._last = self._before = 0
        self._answered: dict[int, int] = {}
        self._driven: set[int] = set()

    def told(self, stamp_ns: int, now_ns: int) -> None:
        """Notes when a sample was told."""
        self._told.setdefault(stamp_ns, now_ns)
        if self._is_decision(stamp_ns):
            self._stamp = stamp_ns
            # What is not here yet of the last decision would be taken for this one's.
            self._counted = self._last >= self._before + ANSWER + REST
            self._before = self._last
        elif self._last < self._before + ANSWER:
            # The command to this sample would be taken for the answer, which is late.
            self._counted = False

    def answered(self, stamp_ns: int, now_ns: int) -> None:
        """Keeps nothing: `commanded` knows more."""

    def commanded(self, sequence: int, now_ns: int) -> None:
        """Counts a command: of two made since a decision's sample, the later bears the answer.

        One answers the sample, one the driver's target, whichever safety hears first: both may
        bear the sample's stamp, or the later alone.
        """
        self._last = sequence
        if self._counted and sequence >= self._before + ANSWER:
            self._answered.setdefault(self._stamp, now_ns)

    def driven(self, stamp_ns: int) -> None:
        """Notes that the policy drove on this stamp."""
        if self._is_decision(stamp_ns):
            self._driven.add(stamp_ns)

    def take(self) -> tuple[float, float]:
        """Keeps all: the node's own report has nothing to say."""
        return float('nan'), float('nan')

    @property
    def decisions(self) -> int:
        """How many decisions were the policy's so far."""
        return len(self._driven)

    def latencies_ms(self, since_ns: int) -> Any:
        """Returns those of the policy's decisions told since then; infinity: not answered."""
        driven = sorted(stamp for stamp in self._driven if self._told.get(stamp, 0) >= since_ns)
        # The last of a session is the one that ended it: safety answers that one alone.
        kept = [stamp for stamp, later in itertools.pairwise(driven) if later - stamp < _GAP_NS]
        return np.array(
            [
                (self._answered[stamp] - self._told[stamp]) / NS_PER_MS
                if stamp in self._answered
                else np.inf
                for stamp in kept
            ]
        )


class TimedRobot(RobotSimNode):
    """The robot node that also notes who drives, and how fast the learner is."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.chronicle: Any = Chronicle(self.ticks.is_decision)
        self._latency = self.chronicle
        self.updates: list[float] = []
        rate = topics.metric('updates_per_second')
        rate.subscribe(self, lambda message: self.updates.append(message.data))

    def _on_command(self, data: bytes) -> None:
        now_ns = steady_ns()
        told = self._records.command_from(data)
        self.chronicle.commanded(told.sequence, now_ns)
        super()._on_command(data)
        command = self._sink.current(steady_ns())
        if command is not None and command.authority is Authority.POLICY:
            self.chronicle.driven(command.time_ns)

    @property
    def missed(self) -> int:
        """Periods that passed without a sample so far."""
        return self._missed


def robot_file(folder: Path, hz: int) -> str:
    """Returns a robot that decides `hz` times a second: the A1, or a copy of its file."""
    if hz == load('a1').policy_hz:
        return 'a1'
    content = yaml.safe_load((config_directory() / 'robots' / 'a1.yaml').read_text())
    command = hz * TICKS_PER_DECISION
    rates = {'physics': command * PHYSICS_PER_TICK, 'command': command, 'policy': hz}
    path = folder / f'a1_{hz}.yaml'
    path.write_text(yaml.safe_dump(content | {'rates_hz': rates}))
    return str(path)


def through_the_graph(seconds: float, hz: int, saturating: bool) -> dict[str, float]:
    """Returns the figures of the graph, with a learner that learns or one that idles."""
    with tempfile.TemporaryDirectory() as folder:
        run = create_at(Path(folder) / 'run', {})
        specs = [s for s in bringup.nodes('sim') if s.name not in ('monitor',)]
        shared = {'minutes': 600.0, 'gear': 'real_time', 'run_directory': str(run.path)}
        shared['robot'] = robot_file(Path(folder), hz)
        values = bringup.parameters(specs, shared, None, may_run_first=may_run_first)
        values['learner'] |= SATURATING if saturating else IDLE
        files = bringup.write_parameters(values, run.parameters)
        supervisor = Supervisor(node_environment(), run.logs)
        for spec in specs:
            if spec.name != 'robot':
                supervisor.start(spec, ['--params-file', str(files[spec.name])])
        try:
            figures = _as_the_robot(values['robot'], seconds)
            reason = supervisor.watch()
            if reason is not None or supervisor.restarts:
                raise SystemExit(f'control_latency: this was not the graph. {reason or ""}')
            if not figures:
                raise SystemExit('control_latency: the policy hardly drove; nothing to measure')
            if saturating and not figures['updates_per_s'] > 0.0:
                raise SystemExit('control_latency: the learner made no update')
            return figures
        finally:
            supervisor.stop()


def _as_the_robot(values: dict[str, Any], seconds: float) -> dict[str, float]:
    """Returns the figures, none where the policy did not drive long enough to begin with."""
    rclpy.init()
    node = TimedRobot(parameter_overrides=[Parameter(n, value=v) for n, v in values.items()])
    executor = EventsExecutor()
    executor.add_node(node)
    leave_alone_what_is_there()
    node.take_precedence()
    give_up_ns = steady_ns() + round(SETTLE_MAX_S * NANOSECONDS)
    while node.chronicle.decisions < SETTLE_DECISIONS:
        executor.spin_until_future_complete(Future(), timeout_sec=SPIN_S)
        if steady_ns() > give_up_ns:
            return {}
    since_ns, missed = steady_ns(), node.missed
    node.updates.clear()
    while steady_ns() < since_ns + round(seconds * NANOSECONDS):
        executor.spin_until_future_complete(Future(), timeout_sec=SPIN_S)
    lost = node.missed - missed
    executor.shutdown(timeout_sec=SPIN_S)
    node.close()
    node.destroy_node()
    rclpy.shutdown()
    latencies_ms = node.chronicle.latencies_ms(since_ns)
    period_ms = 1000.0 / node.robot.policy_hz
    return _figures(latencies_ms) | {
        'late': int((latencies_ms > period_ms).sum()),
        'missed_periods': lost,
        'updates_per_s': float(np.mean(node.updates)) if node.updates else 0.0,
    }


def _hand_on(number: int) -> None:
    """Is a process that hands bytes from one topic to the next."""
    rclpy.init()
    node = Node(f'hop_{number}')
    publisher = node.create_publisher(Imu, f'hop_{number + 1}', 10)
    node.create_subscription(Imu, f'hop_{number}', publisher.publish, 10, raw=True)
    executor = EventsExecutor()
    executor.add_node(node)
    run_first(threads(), PRIORITY)
    with contextlib.suppress(ExternalShutdownException):
        while rclpy.ok():
            executor.spin_until_future_complete(Future(), timeout_sec=SPIN_S)


def bare(seconds: float, hz: int) -> dict[str, float]:
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
    run_first(threads(), PRIORITY)
    settled_ns = steady_ns() + round(SETTLE_BARE_S * NANOSECONDS)
    while steady_ns() < settled_ns + round(seconds * NANOSECONDS):
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
    figures = {
        name: float(np.percentile(latencies_ms, share, method='lower'))
        for name, share in shares.items()
    }
    return figures | {'n': float(latencies_ms.size)}


ROWS: dict[str, Callable[[float, int], dict[str, float]]] = {
    'bare': bare,
    'idle': partial(through_the_graph, saturating=False),
    'saturating': partial(through_the_graph, saturating=True),
}


def main() -> None:
    """Prints a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seconds', type=float, default=60.0, help='measured of each')
    parser.add_argument('--hz', type=int, nargs='+', default=[40, 100], help='decisions a second')
    parser.add_argument('--only', choices=ROWS, nargs='+', default=list(ROWS))
    options = parser.parse_args()
    os.environ |= node_environment({**os.environ, 'ROS_DOMAIN_ID': DOMAIN})
    results = {
        f'{name} {hz}': ROWS[name](options.seconds, hz)
        for hz in options.hz
        for name in options.only
    }
    for name, figures in results.items():
        print(f'{name:14s} ' + '  '.join(f'{key} {value:.2f}' for key, value in figures.items()))
    # JSON knows no infinity.
    finite = {
        row: {key: value if np.isfinite(value) else None for key, value in figures.items()}
        for row, figures in results.items()
    }
    print(json.dumps({'benchmark': 'control_latency', **vars(options), 'results': finite}))


if __name__ == '__main__':
    main()
