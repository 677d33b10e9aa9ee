"""Runs the node table as processes where there is only pip: starts, watches, restarts, stops.

What `ros2 launch` does with the same table elsewhere. Children live in sessions of their own, so
that Ctrl-C in the terminal reaches this process alone and the order of the end is ours: safety
says stop first, the robot goes last. They die with this process, however it ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from quad_learner.bringup import NodeSpec
from quad_learner.log_keeper import LogKeeper
from quad_learner.restarts import Meaning, Restarts

POLL_S = 0.1
"""[s] between looks at the processes"""
STOP_S = 4.0
"""[s] to end in good order, after which a process is killed: a run ends within five"""
SAFETY_FIRST_S = 0.5
"""[s] that safety has for its last command before the robot is told to end"""
PR_SET_PDEATHSIG = 1
"""prctl(2): the signal a process gets when its parent dies"""
LAST_WORDS_S = 0.5
"""[s] in which what ended processes said last is written, unless the disk stalls"""
LOG_TAIL_LINES = 12
"""lines of a failed node's log that are shown"""


@dataclass
class _Child:
    spec: NodeSpec
    command: Sequence[str]
    log: Path
    process: subprocess.Popen[bytes]
    keeper: LogKeeper
    show: bool


class Supervisor:
    """The processes of one run."""

    def __init__(self, environment: Mapping[str, str], logs: Path) -> None:
        """Stores.

        Args:
            environment: of every process.
            logs: folder for what the processes say.
        """
        self._environment = dict(environment)
        self._logs = logs
        self._children: dict[str, _Child] = {}
        self._restarts = Restarts()
        self.restarts = 0

    def start(self, spec: NodeSpec, arguments: Sequence[str], show: bool = False) -> None:
        """Starts one node.

        Args:
            spec: the node.
            arguments: after `--ros-args`.
            show: its standard output is the terminal's; otherwise it goes to its log.
        """
        module = f'quad_learner.nodes.{spec.executable}'
        # What they say is kept here: a home that cannot be written to must not stop them.
        names = ('--ros-args', '--disable-external-lib-logs', '--enclave', spec.enclave)
        command = [sys.executable, '-m', module, *names, *arguments]
        log = self._logs / f'{spec.name}.log'
        started = self._spawn(spec, command, log, show)
        self._children[spec.name] = _Child(spec, command, log, *started, show)

    def _spawn(
        self, spec: NodeSpec, command: Sequence[str], log: Path, show: bool
    ) -> tuple[subprocess.Popen[bytes], LogKeeper]:
        library = ctypes.CDLL(None)

        def prepare() -> None:
            library.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            os.nice(spec.niceness)

        keeper = LogKeeper(log)
        process = subprocess.Popen(
            command,
            env=self._environment,
            stdin=None if spec.has_terminal else subprocess.DEVNULL,
            stdout=None if show or spec.has_terminal else keeper.writer,
            stderr=keeper.writer,
            start_new_session=True,
            preexec_fn=prepare,
        )
        os.close(keeper.writer)
        keeper.start()
        return process, keeper

    def pids(self) -> dict[str, int]:
        """Returns the process number of each node."""
        return {name: child.process.pid for name, child in self._children.items()}

    def watch(self) -> str | None:
        """Looks after the processes once; returns why the run is over, None while it is not."""
        for child in list(self._children.values()):
            code = child.process.poll()
            if code is None:
                continue
            reason = self._react(child, code)
            if reason is not None:
                return reason
        time.sleep(POLL_S)
        return None

    def _react(self, child: _Child, code: int) -> str | None:
        name = child.spec.name
        child.keeper.join(LAST_WORDS_S)
        meaning = self._restarts.judge(child.spec, code, time.monotonic())
        if meaning is Meaning.RUN_OVER:
            return ''
        if meaning is Meaning.BROKEN:
            return f'the {name} node ended with code {code}\n{_tail(child.log)}'
        self.restarts += 1
        say(f'the {name} node ended with code {code}; it is started again')
        started = self._spawn(child.spec, child.command, child.log, child.show)
        child.process, child.keeper = started
        return None

    def stop(self) -> list[str]:
        """Ends every process in good order; returns the names of those that had to be killed."""
        running = [c for c in self._children.values() if c.process.poll() is None]
        deadline = time.monotonic() + STOP_S
        for child in running:
            if child.spec.name != 'robot':
                child.process.send_signal(signal.SIGINT)
        self._wait([c for c in running if c.spec.name == 'safety'], SAFETY_FIRST_S)
        for child in running:
            if child.spec.name == 'robot' and child.process.poll() is None:
                child.process.send_signal(signal.SIGINT)
        self._wait(running, deadline - time.monotonic())
        killed = [c for c in running if c.process.poll() is None]
        for child in killed:
            child.process.kill()
            child.process.wait()
        until = time.monotonic() + LAST_WORDS_S
        for child in self._children.values():
            child.keeper.join(max(0.0, until - time.monotonic()))
        return [child.spec.name for child in killed]

    def _wait(self, children: Sequence[_Child], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and any(c.process.poll() is None for c in children):
            time.sleep(POLL_S / 5)


class Interrupt:
    """True from the first SIGINT or SIGTERM on, or when the terminal is closed.

    Who started it with nohup wants it to go on without a terminal.
    """

    def __init__(self) -> None:
        self._came = False
        hangs_up = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
        numbers = (signal.SIGINT, signal.SIGTERM, *((signal.SIGHUP,) if hangs_up else ()))
        self._before = {number: signal.signal(number, self._note) for number in numbers}

    def release(self) -> None:
        """Lets the signals do again what they did before: what follows may be broken off."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, _: int, __: FrameType | None) -> None:
        self._came = True

    def __bool__(self) -> bool:
        return self._came


def say(words: str) -> None:
    """Prints a line; a run goes on where nobody reads it any more."""
    with contextlib.suppress(OSError):
        sys.stdout.write(words + '\n')
        sys.stdout.flush()


def _tail(log: Path) -> str:
    try:
        lines = log.read_text(errors='replace').splitlines()
    except OSError:
        return ''
    return '\n'.join(f'  {line}' for line in lines[-LOG_TAIL_LINES:])
