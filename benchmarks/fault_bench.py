"""Strikes the processes of a graph: gets the robot to where a trial begins, and back there."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.node import Node
from rclpy.task import Future
from std_msgs.msg import UInt8MultiArray

from fault_graph import NAMES, Entry, Graph, entry_of
from fault_report import BOUND_MS, Findings, heard
from fault_verdict import Fault, State, complaints, safe_after_ns
from lateness import ticks_late_ms
from pauses import NS_PER_MS
from quad_learner.robot.model import load
from quad_learner.robot.signals import NANOSECONDS
from quad_learner.ros import topics
from quad_learner.ros.clock import steady_ns
from quad_learner.ros.packed import Progress, Records, progress_to
from quad_learner.safety.modes import Authority, Mode

SIGNALS = {'SIGKILL': signal.SIGKILL, 'SIGSTOP': signal.SIGSTOP}
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
DEAF_NS = NANOSECONDS // 10
"""[ns] without a command after which the stranger is taken to hear none: eight periods"""
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

    def hears(self) -> bool:
        """Returns whether it hears commands now.

        In a graph that begins anew the robot may stand before discovery has told the stranger of
        that safety. What safety sends after a signal would not be heard then.
        """
        return bool(self.commands) and steady_ns() - self.commands[-1][0] < DEAF_NS

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
        self._period_ns = NANOSECONDS / load('a1').command_hz
        """between ticks of the robot"""
        self.found = Findings()

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
        after_ms = float('inf') if after_ns is None else after_ns / NS_PER_MS
        self.found.latencies[name, process, state].append(after_ms)
        trial = f'{name} {process} {state.value}'
        if after_ms > BOUND_MS[process]:
            words = heard(self._stranger.commands, sent_ns)
            told = f'{trial}: safe after {after_ms:.1f} ms; heard [ms]: {words}'
            self.found.slow.append((sent_ns, told))
        self._remember(trial, fault)

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
        self.found.recovered[name] += 1

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
            self._wait(state, lambda: self._is_heard(there), give_up_ns)
            since_ns = steady_ns()
            self._spin(self._random.uniform(*SETTLED_S))
            entries = self.graph.chronicle.since(since_ns)
            self.found.tick_late_ms += ticks_late_ms(entries, self._period_ns)
            entry = self.graph.chronicle.last
            if self._is_heard([state]) and entry is not None:
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
            self.found.complaints += [f'{self._after}: {words}' for words in found]
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

    def _is_heard(self, states: Sequence[State]) -> bool:
        return self._stranger.hears() and any(map(self._is, states))

    def _spin(self, seconds: float) -> None:
        """Listens for so long."""
        end_ns = steady_ns() + round(seconds * NANOSECONDS)
        while (left := end_ns - steady_ns()) > 0:
            self._executor.spin_until_future_complete(Future(), timeout_sec=left / NANOSECONDS)
