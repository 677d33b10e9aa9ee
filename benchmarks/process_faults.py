"""How soon is the robot safe when a process is killed or frozen, and does it stay so?

The real graph in real time, on this machine alone, in a ROS domain of its own, without a learner:
an untrained policy drives. Again and again policy, estimator, safety or the robot's own node gets
SIGKILL or SIGSTOP at a random moment while the robot stands, walks or gets up. Measured is the
time from the signal to the first moment at which the robot damps or follows a command that does
not need the process: by the robot's own record, with the steady clock that processes share. For
the robot's node itself it is the first stop that safety sends. Then the process goes on or is
begun anew.

    python benchmarks/process_faults.py --trials 3
    python benchmarks/process_faults.py --minutes 8 --processes policy estimator safety

--trials are of each signal, process and state; --minutes makes as many as fit. --orders strikes
all four, in each of the 24 orders, so many times with each signal, while walking. --ages is a
parameter file; without it the ages are those that the package ships. To save time a stop may end
at once here, and reset makes fresh requests soon: neither changes how a stop begins.

It ends with 1 if a bound is not kept, a session went on that a stop had ended, the judge found a
command unsafe, or less was tried than asked for; with 2, whatever was found, if a plain loop of
5 ms, or the robot's tick while nothing was wrong, was later than 10 ms more than once in a
thousand: then the machine was too busy to measure anything. One JSON line comes last.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.node import Node
from rclpy.task import Future
from std_msgs.msg import UInt8MultiArray

from fault_graph import NAMES, Entry, Graph, entry_of
from fault_verdict import Fault, State, complaints, safe_after_ns
from quad_learner.configuration import read
from quad_learner.learn import node_environment
from quad_learner.resources import config_directory
from quad_learner.robot.model import load
from quad_learner.robot.signals import NANOSECONDS
from quad_learner.ros import topics
from quad_learner.ros.clock import steady_ns
from quad_learner.ros.packed import Progress, Records, progress_to
from quad_learner.safety.modes import Authority, Mode
from quad_learner.task.config import TaskConfig
from quad_learner.task.walk import WalkTask

DOMAIN = '98'
"""of ROS, for this benchmark alone"""
NS_PER_MS = 1e6
BOUND_MS = {'policy': 80.0, 'estimator': 80.0, 'safety': 60.0, 'robot': 100.0}
"""[ms] 99 % must be below; the robot's is no goal: tight ages, and three periods of safety's"""
SIGNALS = {'SIGKILL': signal.SIGKILL, 'SIGSTOP': signal.SIGSTOP}
LOOP_S, LOOP_TURNS = 0.005, 2000
"""[s] period of the plain loop whose lateness is measured before and after, and its turns"""
LATE_MS = 10.0
"""[ms] 99.9 % of the loop must be less late than this, or nothing was measured"""
HURRY = {'clear_time_s': 0.05, 'rearm_interval_s': 0.0, 'latch_trips': 100, 'request_grace': 0.1}
HURRY |= {'attempts': 20, 'blend_time': 0.1, 'standing_hold': 0.05, 'cool_down': 0.0}
HURRY |= {'rest_cooling': 0.5}  # motors get warm by getting up again and again
"""parameters that shorten the way back to where the next trial begins"""
FROZEN_S = (0.2, 0.35)
"""[s] between signal and continuation: longer than any bound"""
SETTLED_S = (0.05, 0.35)
"""[s] in the wanted state before the signal: with it the moment is a random one"""
FALL_S = 0.7
"""[s] in which a robot that is let go sinks to the ground"""
READY_S = 90.0
"""[s] in which the graph must be back where the next trial begins"""
GAP_S = 0.03
"""[s] most between the signals to several processes"""
SPIN_S = 0.005
SECONDS_A_MINUTE = 60.0
TOLD = 10
"""unsafe commands that are told in words"""
RISING = ('LIMP', 'FOLD', 'ROLL', 'STAND')
"""states of reset in which the robot gets up"""


class Stranger(Node):
    """Stands in for the learner, the operator, and whoever sets the robot on its feet."""

    def __init__(self, model: bytes) -> None:
        super().__init__('process_faults')
        self._records = Records(load('a1'))
        self.reset_state = ''
        self.commands: list[tuple[int, Mode]] = []
        """when each command came [ns], and its mode"""
        topics.JOINT_COMMAND.subscribe(self, self._on_command, raw=True)
        topics.RESET_STATE.subscribe(self, self._on_reset)
        self._model = topics.MODEL.publisher(self)
        self._model.publish(UInt8MultiArray(data=model))
        self._progress: Any = None
        services = (topics.SAFETY_STOP, topics.SAFETY_RESUME, topics.SET_UPRIGHT)
        self._callers = {s: self.create_client(s.type, s.name) for s in services}

    def _on_command(self, data: bytes) -> None:
        now_ns = steady_ns()
        self.commands.append((now_ns, self._records.command_from(data).mode))

    def _on_reset(self, message: Any) -> None:
        self.reset_state = message.message

    def let_drive(self, may: bool) -> None:
        """Lets policies that start from now on drive, or never ask to."""
        if may and self._progress is None:
            self._progress = topics.PROGRESS.publisher(self)
            self._progress.publish(progress_to(Progress(0, 0, 0, 0)))
        elif not may and self._progress is not None:
            self.destroy_publisher(self._progress)
            self._progress = None

    def ask(self, service: topics.Service) -> None:
        """Calls a service, and does not wait for the answer."""
        client = self._callers[service]
        if client.service_is_ready():
            client.call_async(service.type.Request())


class StuckError(Exception):
    """The robot does not come to the state that the next trial begins with."""


class Bench:
    """The graph and the stranger; strikes one process after the other."""

    def __init__(self, graph: Graph, stranger: Stranger, seed: int) -> None:
        self.graph = graph
        self._stranger = stranger
        self._random = np.random.default_rng(seed)
        self._executor = EventsExecutor()
        self._executor.add_node(stranger)
        self._last: Fault | None = None
        self._after = ''
        self._begun_ns = 0
        """when a robot was begun anew [ns]"""
        self.complaints: list[str] = []
        self.tick_late_ms: list[float] = []
        self.latencies: dict[tuple[str, str, State], list[float]] = defaultdict(list)
        self.recovered: dict[str, int] = defaultdict(int)

    def begin(self, may_drive: bool) -> None:
        """Lets the policy drive from now on, or not."""
        self._stranger.let_drive(may_drive)
        self.graph.signal('policy', signal.SIGKILL)
        self._begin_anew('policy')

    def trial(self, name: str, process: str, state: State) -> None:
        """Strikes `process` once with the signal called `name`."""
        before = self._brought_to(state)
        sent_ns = self.graph.signal(process, SIGNALS[name])
        fault = Fault(process, sent_ns, before)
        self._spin(self._random.uniform(*FROZEN_S))
        entries = self.graph.chronicle.since(sent_ns)
        after_ns = (
            self._stop_sent_ns(sent_ns) if process == 'robot' else safe_after_ns(entries, fault)
        )
        self._undo(name, process)
        self.latencies[name, process, state].append(
            float('inf') if after_ns is None else after_ns / NS_PER_MS
        )
        self._remember(f'{name} {process} {state.value}', fault)

    def order(self, name: str, order: Sequence[str]) -> None:
        """Strikes all of `order`, one soon after the other; all of them come back."""
        before = self._brought_to(State.WALKING)
        fault = Fault('safety', steady_ns(), before)
        for process in order:
            self.graph.signal(process, SIGNALS[name])
            self._spin(self._random.uniform(0.0, GAP_S))
        self._spin(self._random.uniform(*FROZEN_S))
        if name == 'SIGKILL':
            self._undo(name, 'robot')
        else:
            for process in self._random.permutation(list(order)):
                self._undo(name, str(process))
        self._remember(f'{name} {" ".join(order)}', fault)
        self._brought_to(State.WALKING)
        self.recovered[name] += 1

    def _brought_to(self, state: State) -> Entry:
        """Returns what the robot follows at a random moment of `state`, after getting it there."""
        give_up_ns = steady_ns() + round(READY_S * NANOSECONDS)
        there = (state, State.STANDING) if state is State.GETTING_UP else (state,)
        while steady_ns() < give_up_ns:
            if state is State.GETTING_UP:
                self._wait(state, lambda: self._driver() is not Authority.NOBODY, give_up_ns)
                self._stranger.ask(topics.SAFETY_STOP)
                self._spin(FALL_S)
            # Where it already stands by the time of the look, it must fall once more.
            self._wait(state, lambda: any(map(self._is, there)), give_up_ns)
            since_ns = steady_ns()
            self._spin(self._random.uniform(*SETTLED_S))
            self.tick_late_ms += ticks_late_ms(self.graph.chronicle.since(since_ns))
            entry = self.graph.chronicle.last
            if self._is(state) and entry is not None:
                self._look_back()
                return entry
        raise self._stuck(state)

    def _wait(self, state: State, condition: Callable[[], bool], give_up_ns: int) -> None:
        """Listens until `condition` holds or the time is over, and helps the robot to `state`."""
        nudged_ns = 0
        while not condition() and steady_ns() < give_up_ns:
            if steady_ns() > nudged_ns:
                self._nudge(state)
                nudged_ns = steady_ns() + NANOSECONDS
            self._spin(SPIN_S)

    def _stuck(self, state: State) -> StuckError:
        dead = self.graph.dead()
        words = '\n'.join(self.graph.said(name)[-2000:] for name in NAMES)
        return StuckError(
            f'after {self._after}: never {state.value}; the last was {self.graph.chronicle.last}, '
            f'reset {self._stranger.reset_state}, dead {dead}\n{words}'
        )

    def _nudge(self, state: State) -> None:
        """Does what a person beside the robot would do, to save time."""
        entry = self.graph.chronicle.last
        if entry is not None and entry.mode is Mode.LATCHED_STOP:
            self._stranger.ask(topics.SAFETY_RESUME)
            return
        reset = self._stranger.reset_state
        lies = state is not State.GETTING_UP and reset in (*RISING, 'WAIT')
        if (lies or reset == 'GIVE_UP') and self._driver() is not Authority.POLICY:
            self._stranger.ask(topics.SET_UPRIGHT)

    def _look_back(self) -> None:
        """Judges all that the robot did since the last fault."""
        if self._last is not None:
            entries = self.graph.chronicle.since(self._last.sent_ns)
            found = complaints(entries, self._last)
            self.complaints += [f'{self._after}: {words}' for words in found]
        self._last = None

    def _remember(self, after: str, fault: Fault) -> None:
        """Lets what the robot does from now on be judged by `fault`, if it is still that robot."""
        self._after = after
        robot_is_another = self._begun_ns > fault.sent_ns
        limp = entry_of(None, self._begun_ns, False, 0)
        self._last = Fault('robot', self._begun_ns, limp) if robot_is_another else fault

    def _undo(self, name: str, process: str) -> None:
        if name == 'SIGSTOP':
            self.graph.signal(process, signal.SIGCONT)
        elif process == 'robot':
            # Another robot begins another story: nobody goes on with the one before.
            self.graph.kill_all()
            self._begun_ns = steady_ns()
            self.graph.start_all()
        else:
            self._begin_anew(process)
        self._spin(0.05)

    def _begin_anew(self, process: str) -> None:
        self.graph.bury(process)
        self.graph.start(process)

    def _stop_sent_ns(self, sent_ns: int) -> int | None:
        later = (
            t - sent_ns
            for t, mode in self._stranger.commands
            if t > sent_ns and mode is not Mode.ACTIVE
        )
        return next(later, None)

    def _driver(self) -> Authority:
        self.graph.chronicle.read()
        entry = self.graph.chronicle.last
        fresh = entry is not None and steady_ns() - entry.time_ns < NANOSECONDS // 10
        return entry.driver if entry is not None and fresh else Authority.NOBODY

    def _is(self, state: State) -> bool:
        driver, reset = self._driver(), self._stranger.reset_state
        if state is State.WALKING:
            return driver is Authority.POLICY
        return driver is Authority.RESET and (
            reset == 'READY' if state is State.STANDING else reset in RISING
        )

    def _spin(self, seconds: float) -> None:
        """Listens for so long."""
        end_ns = steady_ns() + round(seconds * NANOSECONDS)
        while (left := end_ns - steady_ns()) > 0:
            self._executor.spin_until_future_complete(Future(), timeout_sec=left / NANOSECONDS)


def lateness_ms() -> list[float]:
    """Returns how late each turn of a plain loop was [ms]."""
    late, due_ns = [], steady_ns()
    for _ in range(LOOP_TURNS):
        due_ns += round(LOOP_S * NANOSECONDS)
        time.sleep(max(0, due_ns - steady_ns()) / NANOSECONDS)
        late.append((steady_ns() - due_ns) / NS_PER_MS)
        due_ns = max(due_ns, steady_ns() - round(LOOP_S * NANOSECONDS))
    return late


def ticks_late_ms(entries: Sequence[Entry]) -> list[float]:
    """Returns by how much each tick of the robot came later after another than it should [ms]."""
    period_ns = NANOSECONDS / load('a1').command_hz
    ticks = [entry.time_ns for entry in entries if not entry.is_command]
    return [max(0.0, b - a - period_ns) / NS_PER_MS for a, b in itertools.pairwise(ticks)]


def untrained(seed: int) -> bytes:
    """Returns the model of a policy that has learned nothing: it wriggles about the stance."""
    # The fork server's children read this file too, and need no torch.
    import torch

    from quad_learner.learning.actor import Actor
    from quad_learner.learning.export import policy_onnx
    from quad_learner.learning.learner_config import LearnerConfig

    config = config_directory()
    task = WalkTask(load('a1'), read(TaskConfig, config / 'task.yaml', {}))
    learner = read(LearnerConfig, config / 'learner.yaml', {})
    generator = torch.Generator().manual_seed(seed)
    return policy_onnx(
        Actor(task.observation_size, task.action_size, learner, generator), {'version': '1'}
    )


def shares(values: Sequence[float]) -> dict[str, float]:
    """Returns median, 99 % and largest of `values` [ms]."""
    points = {'p50_ms': 50.0, 'p99_ms': 99.0, 'max_ms': 100.0}
    return {
        name: float(np.percentile(values, point, method='higher'))
        for name, point in points.items()
    }


def rounds(options: argparse.Namespace) -> Iterator[int]:
    """Counts rounds, one trial of everything each, until there are enough or the time is over."""
    began = time.monotonic()
    for number in itertools.count():
        spent = (time.monotonic() - began) / SECONDS_A_MINUTE
        if number >= options.trials if options.minutes is None else spent >= options.minutes:
            return
        if options.minutes is not None:
            options.trials = number + 1
        yield number


def strike(bench: Bench, options: argparse.Namespace) -> None:
    """Makes all trials, in an order drawn by the seed."""
    random = np.random.default_rng(options.seed)
    cells = list(itertools.product(options.signals, options.processes))
    for _ in rounds(options):
        for state in map(State, options.states):
            bench.begin(may_drive=state is State.WALKING)
            for cell in random.permutation(len(cells)):
                bench.trial(*cells[cell], state)
    if options.orders:
        bench.begin(may_drive=True)
    for _ in range(options.orders):
        for name in options.signals:
            for order in itertools.permutations(BOUND_MS):
                bench.order(name, order)


def table(bench: Bench, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Returns a row for each signal, process and state, and one for all states together."""
    rows = []
    for name, process in itertools.product(options.signals, options.processes):
        each = {state: bench.latencies[name, process, State(state)] for state in options.states}
        every = {**each, 'all': list(itertools.chain.from_iterable(each.values()))}
        for state, values in every.items():
            expected = options.trials * (len(options.states) if state == 'all' else 1)
            row = {'signal': name, 'process': process, 'state': state, 'n': len(values)}
            row |= {'expected': expected, 'bound_ms': BOUND_MS[process]}
            if values:
                row |= shares(values)
            rows.append(row)
    return rows


def verdict(bench: Bench, rows: list[dict[str, Any]], options: argparse.Namespace) -> list[str]:
    """Returns what is wrong."""
    wrong = [f'{words} ({bench.complaints.count(words)} times)' for words in set(bench.complaints)]
    for row in rows:
        of = f'{row["signal"]} {row["process"]} {row["state"]}'
        if row['n'] != row['expected']:
            wrong.append(f'{of}: {row["n"]} of {row["expected"]} executed')
        if row['state'] == 'all' and row['n'] and not row['p99_ms'] <= row['bound_ms']:
            wrong.append(f'{of}: 99 % within {row["p99_ms"]:.1f} ms, not {row["bound_ms"]:.0f}')
    orders = 24 * options.orders
    wrong += [
        f'{name} in every order: {bench.recovered[name]} of {orders}'
        for name in options.signals
        if bench.recovered[name] != orders
    ]
    return wrong


def main() -> None:
    """Prints a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--trials', type=int, default=3, help='of each signal, process and state')
    parser.add_argument('--minutes', type=float, help='whole rounds begun in so long a time')
    parser.add_argument('--orders', type=int, default=0, help='times every order of all four')
    parser.add_argument('--signals', nargs='+', choices=SIGNALS, default=list(SIGNALS))
    parser.add_argument('--processes', nargs='+', choices=BOUND_MS, default=list(BOUND_MS))
    names = [state.value for state in State]
    parser.add_argument('--states', nargs='+', choices=names, default=names)
    parser.add_argument('--ages', type=Path, help='parameter file with other ages')
    parser.add_argument('--seed', type=int, default=0)
    options = parser.parse_args()
    os.environ |= node_environment({**os.environ, 'ROS_DOMAIN_ID': DOMAIN})
    began = time.monotonic()
    late = lateness_ms()
    with tempfile.TemporaryDirectory() as folder:
        graph = Graph(Path(folder), HURRY | {'seed': options.seed, 'minutes': 1e5}, options.ages)
        graph.start_all()
        rclpy.init()
        bench = Bench(graph, Stranger(untrained(options.seed)), options.seed)
        try:
            strike(bench, options)
        except StuckError as stuck:
            bench.complaints.append(str(stuck))
        finally:
            graph.kill_all()
            graph.chronicle.close()
            rclpy.shutdown()
        said = graph.said('robot').splitlines()
        bench.complaints += [line for line in said if 'unsafe command' in line][:TOLD]
    late += lateness_ms()
    rows = table(bench, options)
    for row in rows:
        figures = '  '.join(
            f'{row[key]:6.1f}' for key in ('p50_ms', 'p99_ms', 'max_ms') if key in row
        )
        print(
            f'{row["signal"]} {row["process"]:9s} {row["state"]:10s} {row["n"]:4d} of '
            f'{row["expected"]:4d}  p50, p99, max {figures}  bound {row["bound_ms"]:.0f} ms'
        )
    for name in options.signals:
        print(f'{name} of all four, every order: {bench.recovered[name]} of {24 * options.orders}')
    busy = {'a plain loop of 5 ms': late, "the robot's tick": bench.tick_late_ms}
    late_ms = {name: float(np.percentile(ms, 99.9, method='higher')) for name, ms in busy.items()}
    for name, values in busy.items():
        p50, p99, largest = shares(values).values()
        print(
            f'{name} was late by p50 {p50:.1f}, p99 {p99:.1f}, p99.9 {late_ms[name]:.1f}, '
            f'max {largest:.1f} ms, n {len(values)}'
        )
    wrong = verdict(bench, rows, options)
    print(*wrong, sep='\n')
    invalid = max(late_ms.values()) > LATE_MS
    print('INVALID: the machine was too busy' if invalid else 'FAILED' if wrong else 'kept')
    # JSON knows no infinity: what was never safe is null.
    told = [{k: None if v == float('inf') else v for k, v in row.items()} for row in rows]
    result = {'benchmark': 'process_faults', 'seed': options.seed, 'rows': told, 'wrong': wrong}
    result |= {
        'ages': str(options.ages or 'shipped'),
        'invalid': invalid,
        'late_p99_9_ms': late_ms,
    }
    result |= {'orders': dict(bench.recovered), 'wall_s': time.monotonic() - began}
    print(json.dumps(result, default=float))
    sys.exit(2 if invalid else 1 if wrong else 0)


if __name__ == '__main__':
    main()
