"""The real graph without a learner, each process of which can be killed, frozen and begun anew.

Processes come from a fork server that has imported everything, so that one is back in a fraction
of a second. The robot writes down what it follows at each tick and after each command, with the
steady clock that all processes of a machine share, into a file that outlives it.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import struct
import sys
from functools import partial
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, NamedTuple

from quad_learner import bringup
from quad_learner.nodes.estimator import EstimatorNode
from quad_learner.nodes.policy import PolicyNode
from quad_learner.nodes.reset import ResetNode
from quad_learner.nodes.robot_sim import RobotSimNode
from quad_learner.nodes.safety import SafetyNode
from quad_learner.precedence import may_run_first
from quad_learner.robot.signals import JointCommand
from quad_learner.ros.clock import steady_ns
from quad_learner.ros.process import run
from quad_learner.safety.modes import Authority, Mode
from quad_learner.supervisor import PR_SET_PDEATHSIG

NAMES = ('robot', 'safety', 'estimator', 'reset', 'policy')
"""in the order of starting"""
KINDS: dict[str, type[Any]] = {
    'safety': SafetyNode,
    'estimator': EstimatorNode,
    'reset': ResetNode,
    'policy': PolicyNode,
}
PRELOADED = [f'quad_learner.nodes.{module}' for module in ('robot_sim', *KINDS)]
_ENTRY = struct.Struct('<qqIiBBBB')
_DAMPS = 255
"""in the place of a mode: no command is trusted"""
COUNT_MAX = 255


class Entry(NamedTuple):
    """What the robot followed at one moment."""

    time_ns: int
    """steady clock [ns]"""
    sequence: int
    epoch: int
    request: int
    is_command: bool
    """written when a command had come; else at a tick"""
    mode: Mode | None
    """None: it damps by itself"""
    authority: Authority
    unsafe: int
    """commands that the judge has found unsafe so far, 255 at most"""

    @property
    def driver(self) -> Authority:
        """Who drives; NOBODY in every mode that is not ACTIVE."""
        return self.authority if self.mode is Mode.ACTIVE else Authority.NOBODY


def entry_of(command: JointCommand | None, now_ns: int, is_command: bool, unsafe: int) -> Entry:
    """Returns what is written of `command`, the one that is followed at `now_ns`."""
    if command is None:
        return Entry(now_ns, 0, 0, 0, is_command, None, Authority.NOBODY, unsafe)
    return Entry(
        now_ns,
        command.sequence,
        command.epoch,
        command.request,
        is_command,
        command.mode,
        command.authority,
        unsafe,
    )


def pack(entry: Entry) -> bytes:
    """Returns `entry` as it is in the file."""
    mode = _DAMPS if entry.mode is None else int(entry.mode)
    unsafe = min(entry.unsafe, COUNT_MAX)
    return _ENTRY.pack(*entry[:5], mode, int(entry.authority), unsafe)


def unpack(data: bytes) -> list[Entry]:
    """Returns the whole entries that `data` begins with."""
    whole = len(data) // _ENTRY.size * _ENTRY.size
    return [
        Entry(
            *row[:4],
            bool(row[4]),
            None if row[5] == _DAMPS else Mode(row[5]),
            Authority(row[6]),
            row[7],
        )
        for row in _ENTRY.iter_unpack(data[:whole])
    ]


class RecordingRobot(RobotSimNode):
    """The robot node that writes down what it follows."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        super().__init__()

    def _take(self, command: JointCommand, now_ns: int) -> None:
        super()._take(command, now_ns)
        self._note(steady_ns(), is_command=True)

    def _tick(self, now_ns: int) -> None:
        self._note(steady_ns(), is_command=False)
        super()._tick(now_ns)

    def _note(self, now_ns: int, is_command: bool) -> None:
        followed = self._sink.current(now_ns)
        os.write(self._file, pack(entry_of(followed, now_ns, is_command, self._judge.unsafe)))


class Chronicle:
    """Reads what the robot writes, as it grows."""

    def __init__(self, path: Path) -> None:
        self.entries: list[Entry] = []
        path.touch()
        self._file = path.open('rb')
        self._rest = b''

    def read(self) -> list[Entry]:
        """Returns the entries that are new, and keeps them."""
        data = self._rest + self._file.read()
        new = unpack(data)
        self._rest = data[len(new) * _ENTRY.size :]
        self.entries += new
        return new

    def since(self, time_ns: int) -> list[Entry]:
        """Returns the entries of `time_ns` [ns] and later, after reading the new ones."""
        self.read()
        found = []
        for entry in reversed(self.entries):
            if entry.time_ns < time_ns:
                break
            found.append(entry)
        return found[::-1]

    def close(self) -> None:
        """Reads no more."""
        self._file.close()

    @property
    def last(self) -> Entry | None:
        """The newest entry that was read."""
        return self.entries[-1] if self.entries else None


def _live(name: str, parameters: Path, folder: Path) -> None:
    """Is the process of the node `name`."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    log = os.open(folder / f'{name}.log', os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(log, stream)
    make = partial(RecordingRobot, folder / 'followed') if name == 'robot' else KINDS[name]
    sys.exit(run(make, ['--ros-args', '--params-file', str(parameters)]))


class Graph:
    """The processes, by the names of their nodes."""

    def __init__(self, folder: Path, shared: dict[str, Any], ages: Path | None) -> None:
        """Writes the parameters; starts nothing.

        Args:
            folder: for parameters, what the robot followed, and what the processes say.
            shared: parameters of every node that has them.
            ages: ROS parameter file whose values replace the package's; None: none.
        """
        self._folder = folder
        specs = [spec for spec in bringup.nodes('sim') if spec.name in NAMES]
        shared = {'gear': 'real_time'} | shared
        self.values = bringup.parameters(specs, shared, ages, may_run_first=may_run_first)
        self._files = bringup.write_parameters(self.values, folder / 'parameters')
        self._context = multiprocessing.get_context('forkserver')
        self._context.set_forkserver_preload(PRELOADED)
        self._processes: dict[str, ForkServerProcess] = {}
        self.chronicle = Chronicle(folder / 'followed')

    def start(self, name: str) -> None:
        """Starts one node."""
        arguments = (name, self._files[name], self._folder)
        process = self._context.Process(target=_live, args=arguments, daemon=True)
        process.start()
        self._processes[name] = process

    def start_all(self) -> None:
        """Starts every node."""
        for name in NAMES:
            self.start(name)

    def signal(self, name: str, number: int) -> int:
        """Sends a signal; returns when [ns, steady clock]."""
        pid = self._processes[name].pid
        assert pid is not None
        sent_ns = steady_ns()
        os.kill(pid, number)
        return sent_ns

    def bury(self, name: str) -> None:
        """Waits until a killed process is gone."""
        self._processes[name].join()

    def dead(self) -> list[str]:
        """Returns the names of processes that have ended."""
        return [name for name, process in self._processes.items() if not process.is_alive()]

    def kill_all(self) -> None:
        """Ends every process the hard way."""
        for process in self._processes.values():
            process.kill()
            process.join()

    def said(self, name: str) -> str:
        """Returns what a process has said so far."""
        path = self._folder / f'{name}.log'
        return path.read_text() if path.exists() else ''
