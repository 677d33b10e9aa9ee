"""What happens to processes, in a real graph: one story with many deaths, a trial each.

Robot, safety, estimator and reset are processes in real time that talk over DDS in a domain of
their own, on this machine alone. Reset drives: it stands the robot up and holds it. The times are
those at which a stranger in the same domain hears of it, of one trial each.
"""

from __future__ import annotations

import ctypes
import itertools
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from faults.finding import Finding
from faults.world import words
from quad_learner import bringup
from quad_learner.configuration import ConfigurationError
from quad_learner.exclusive import claim
from quad_learner.learn import node_environment
from quad_learner.robot.model import load
from quad_learner.robot.signals import JointCommand
from quad_learner.ros import topics
from quad_learner.ros.packed import Records
from quad_learner.safety.modes import Authority, Mode
from quad_learner.supervisor import PR_SET_PDEATHSIG

DOMAINS = range(75, 100)
BODY = ('robot', 'safety', 'estimator', 'reset')
START_S, REACT_S = 120.0, 20.0
"""[s] of wall time for a graph to start, and for a reaction, on a machine that does much else"""
NAP_S = 0.005
CATCH_UP_S = 0.5
"""[s] in which the stranger hears what was said while it waited for a process"""
GOODBYE_S = 2.0
"""[s] in which a node that is told to end has ended"""
LIBRARY = ctypes.CDLL(None)
"""loaded here: a child between fork and exec must not"""


class Graph:
    """The processes, and a stranger who hears what they say."""

    def __init__(self, folder: Path, domain: int) -> None:
        self._folder = folder
        self.domain = domain
        self.environment = node_environment({**os.environ, 'ROS_DOMAIN_ID': str(domain)})
        specs = [spec for spec in bringup.nodes('sim') if spec.name in BODY]
        self._executables = {spec.name: spec.executable for spec in specs}
        values = bringup.parameters(specs, {'gear': 'real_time'}, None)
        self._files = bringup.write_parameters(values, folder)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.commands: list[tuple[int, JointCommand]] = []
        """with the time at which each was heard [ns]"""
        self.robot_says = ''
        self._context = rclpy.Context()
        rclpy.init(context=self._context, domain_id=domain)
        self._node = Node('stranger', context=self._context)
        records = Records(load('a1'))
        topics.JOINT_COMMAND.subscribe(
            self._node,
            lambda data: self.commands.append((time.monotonic_ns(), records.command_from(data))),
            raw=True,
        )
        self.asked = 0
        """the request that reset said last"""
        topics.RESET_TARGET.subscribe(
            self._node,
            lambda data: setattr(self, 'asked', records.target_from(data).request),
            raw=True,
        )
        topics.DIAGNOSTICS.subscribe(self._node, self._diagnosed)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)

    def _diagnosed(self, message: Any) -> None:
        for status in message.status:
            if status.name.endswith('/robot'):
                self.robot_says = status.message

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """Starts one node."""
        module = f'quad_learner.nodes.{self._executables[name]}'
        command = [sys.executable, '-m', module, '--ros-args']
        with (self._folder / f'{name}.log').open('ab') as log:
            self.processes[name] = subprocess.Popen(
                [*command, '--params-file', str(self._files[name])],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_end_with_us,
            )
        return self.processes[name]

    def send(self, name: str, number: signal.Signals) -> int:
        """Sends a signal to a node; returns when [ns]."""
        self.processes[name].send_signal(number)
        return time.monotonic_ns()

    def until(self, condition: Callable[[], Any], seconds: float, what: str) -> Any:
        """Listens until `condition` holds; returns what it gives.

        Raises:
            TimeoutError: it does not.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = condition()
            if found:
                return found
            self._executor.spin_once(timeout_sec=NAP_S)
        raise TimeoutError(f'within {seconds} s not seen: {what}')

    def listen(self, seconds: float) -> None:
        """Hears what has been said meanwhile."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._executor.spin_once(timeout_sec=NAP_S)

    def heard(
        self, wanted: Callable[[JointCommand], bool], since_ns: int
    ) -> tuple[int, JointCommand] | None:
        """Returns the first command heard since then that is wanted."""
        later = (pair for pair in self.commands if pair[0] >= since_ns and wanted(pair[1]))
        return next(later, None)

    def here(self, name: str) -> None:
        """Waits until a node can be heard of."""
        self.until(lambda: name in self._node.get_node_names(), START_S, f'the {name} node')

    def driven(self) -> JointCommand:
        """Waits until reset drives; returns the command that says so."""
        since = time.monotonic_ns()
        return self.until(lambda: self.heard(_drives, since), START_S, 'reset drives')[1]

    def close(self) -> None:
        """Ends all that is left of it, and nothing else."""
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
        self._node.destroy_node()
        self._context.try_shutdown()


def _end_with_us() -> None:
    """Has the kernel kill a node whose harness is gone: another's domain is not for strangers."""
    LIBRARY.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _said(command: JointCommand) -> str:
    return f'{command.mode.name} {words(command.reasons)}'


def _drives(command: JointCommand) -> bool:
    return command.mode is Mode.ACTIVE and command.authority is Authority.RESET


@contextmanager
def graph() -> Iterator[Graph]:
    """Yields a graph in a domain that nobody else here uses, with no node started."""
    lock: IO[str] | None = None
    for domain in DOMAINS:
        try:
            lock = claim('test', str(domain), '')
            break
        except ConfigurationError:
            continue
    if lock is None:
        raise TimeoutError('every domain is taken')
    os.environ |= node_environment({**os.environ, 'ROS_DOMAIN_ID': str(domain)})
    with tempfile.TemporaryDirectory() as folder:
        graph = Graph(Path(folder), domain)
        try:
            yield graph
        finally:
            graph.close()
            lock.close()


def orders() -> Iterator[tuple[int, str, Finding]]:
    """Yields what came of each order of starts: each node is there before the next begins."""
    for order in itertools.permutations(BODY):
        with graph() as live:
            what = 'starts ' + ' '.join(order)
            try:
                for name in order:
                    live.start(name)
                    live.here(name)
                live.driven()
                yield 34, what, Finding(None, 'reset drives')
            except TimeoutError as error:
                yield 34, what, Finding(None, '', (str(error),))


def story() -> Iterator[tuple[int, str, Finding]]:
    """Yields what came of each trial: number of the row, what was done, what was seen."""
    with graph() as live:
        for name in reversed(BODY):  # all at once, and not as a run starts them
            live.start(name)
        live.driven()
        yield 34, 'started the other way round', Finding(None, 'reset drives')
        for number, what, trial in TRIALS:
            try:
                yield number, what, trial(live)
            except TimeoutError as error:
                yield number, what, Finding(None, '', (str(error),))


def _second(live: Graph) -> Finding:
    first = live.processes['safety']
    code = live.start('safety').wait(START_S)
    live.processes['safety'] = first
    wrong = () if code not in (0, None) else ('a second safety runs',)
    return Finding(None, f'ends with {code}', wrong)


def _stopped(live: Graph, since_ns: int) -> tuple[int, JointCommand]:
    """Waits for a stop, whatever its reason: on a busy machine another may come first."""
    found: tuple[int, JointCommand] = live.until(
        lambda: live.heard(lambda c: c.mode is Mode.SOFT_STOP, since_ns), REACT_S, 'a stop'
    )
    return found


def _frozen_reset(live: Graph) -> Finding:
    before = live.driven().request
    since = live.send('reset', signal.SIGSTOP)
    when, command = _stopped(live, since)
    live.send('reset', signal.SIGCONT)
    after = live.driven().request
    wrong = () if after > before else (f'request {before} drives on',)
    return Finding((when - since) / 1e6, _said(command), wrong)


def _damps(live: Graph) -> str:
    live.robot_says = ''
    said: str = live.until(
        lambda: live.robot_says if 'damping' in live.robot_says else '', REACT_S, 'damping'
    )
    return said


def _frozen_safety(live: Graph) -> Finding:
    live.send('safety', signal.SIGSTOP)
    said = _damps(live)
    since = live.send('safety', signal.SIGCONT)
    _, command = _stopped(live, since)
    live.driven()
    return Finding(None, f'{said}; then {_said(command)}')


def _ended_safety(live: Graph) -> Finding:
    since = live.send('safety', signal.SIGTERM)
    when, _ = live.until(
        lambda: live.heard(lambda c: c.mode is Mode.LATCHED_STOP, since), REACT_S, 'a last stop'
    )
    code = live.processes['safety'].wait(REACT_S)
    took_s = (time.monotonic_ns() - since) / 1e9
    wrong = [] if code == 0 else [f'exit code {code}']
    wrong += [] if took_s <= GOODBYE_S else [f'took {took_s:.1f} s']
    return Finding((when - since) / 1e6, f'LATCHED_STOP, exit {code}', tuple(wrong))


def _new_safety(live: Graph) -> Finding:
    """What reset said when it started must not drive; reset may ask anew once it is there."""
    live.listen(CATCH_UP_S)
    standing = live.asked
    live.start('safety')
    after = live.driven().request
    wrong = () if after != standing else (f'request {standing} drives on',)
    return Finding(None, f'request {after} drives, not {standing}', wrong)


def _killed_safety(live: Graph) -> Finding:
    live.send('safety', signal.SIGKILL)
    live.processes['safety'].wait()
    return Finding(None, _damps(live))


def _killed_robot(live: Graph) -> Finding:
    live.start('safety')
    live.driven()
    since = live.send('robot', signal.SIGKILL)
    when, command = _stopped(live, since)
    drives = live.heard(_drives, when)
    wrong = () if drives is None else ('driven without a robot',)
    return Finding((when - since) / 1e6, _said(command), wrong)


TRIALS: tuple[tuple[int, str, Callable[[Graph], Finding]], ...] = (
    (34, 'a second safety beside the first', _second),
    (64, 'reset frozen', _frozen_reset),
    (30, 'safety frozen', _frozen_safety),
    (36, 'safety told to end', _ended_safety),
    (35, 'safety started anew', _new_safety),
    (29, 'safety killed', _killed_safety),
    (33, 'robot killed', _killed_robot),
)
"""in this order: each leaves the graph as the next one needs it"""
EXPECTED = math.factorial(len(BODY)) + 1 + len(TRIALS)
