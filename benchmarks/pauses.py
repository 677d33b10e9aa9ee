"""When did the machine itself stand still? Who only sleeps, before all others, knows.

One process a processor, kept on it, sleeps for a millisecond at a time at a real-time priority
above those of the robot's nodes. What it is late by is no program's fault: a virtual machine was
not run by its host, or the kernel was busy. Without the right to such a priority the sleepers tell
of busy processors as well, and `Sleepers.first` says so.

    python benchmarks/pauses.py 0        # what one of them does: prints each pause, until killed
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from quad_learner.precedence import may_run_first, run_first
from quad_learner.robot.signals import NANOSECONDS
from quad_learner.ros.clock import steady_ns

PRIORITY = 90
"""above the robot's nodes (real_time_priority in config/graph.yaml), below the kernel's threads"""
SLEEP_S = 0.001
"""[s] at a time: far below the tightest age, and a processor hardly notices"""
LONG_MS = 5.0
"""[ms] late that counts as a pause: some five times that of a sleeper on a sound machine"""
NS_PER_MS = 1_000_000
"""[ns] in a millisecond"""


class Pause(NamedTuple):
    """A processor on which nobody ran who wanted to."""

    processor: int
    began_ns: int
    """by the steady clock that processes share"""
    lasted_ms: float


def near(pauses: Iterable[Pause], time_ns: int, before_s: float, after_s: float) -> list[Pause]:
    """Returns the pauses of which a part lies within `before_s` and `after_s` of `time_ns`."""
    first, last = time_ns - before_s * NANOSECONDS, time_ns + after_s * NANOSECONDS
    return [
        pause
        for pause in pauses
        if pause.began_ns <= last and pause.began_ns + pause.lasted_ms * NS_PER_MS >= first
    ]


def told(pauses: Sequence[Pause]) -> str:
    """Returns `pauses` in words."""
    if not pauses:
        return 'the machine ran all the time'
    most = max(pause.lasted_ms for pause in pauses)
    processors = sorted({pause.processor for pause in pauses})
    return f'the machine stood still for {most:.0f} ms (processors {processors})'


class Sleepers:
    """One on each processor that this process may use, from `with` on until its end."""

    def __init__(self) -> None:
        self.first = may_run_first(PRIORITY)
        """whether they run before all others"""
        self._folder = tempfile.TemporaryDirectory(prefix='pauses_')
        self._processes: list[subprocess.Popen[bytes]] = []
        self.pauses: list[Pause] = []
        """what they noticed until their end, in no order; there after it"""

    def __enter__(self) -> Sleepers:
        """Starts them."""
        for processor in sorted(os.sched_getaffinity(0)):
            with (Path(self._folder.name) / str(processor)).open('wb') as out:
                command = [sys.executable, __file__, str(processor)]
                self._processes.append(subprocess.Popen(command, stdout=out))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends them, and takes in what they noticed."""
        for process in self._processes:
            process.kill()
            process.wait()
        self.pauses = self.noticed()
        self._folder.cleanup()

    def noticed(self) -> list[Pause]:
        """Returns what they have noticed so far, in no order."""
        found = []
        for path in Path(self._folder.name).iterdir():
            # The last line may be only half written.
            for line in path.read_text().split('\n')[:-1]:
                began, lasted = line.split()
                found.append(Pause(int(path.name), int(began), float(lasted)))
        return found


def sleep_and_tell(processor: int) -> None:
    """Sleeps on one processor for ever, and prints each pause."""
    os.sched_setaffinity(0, {processor})
    run_first([0], PRIORITY)
    before_ns = steady_ns()
    while True:
        time.sleep(SLEEP_S)
        now_ns = steady_ns()
        late_ms = (now_ns - before_ns) / NS_PER_MS - 1e3 * SLEEP_S
        if late_ms >= LONG_MS:
            print(before_ns, f'{late_ms:.1f}', flush=True)
        before_ns = now_ns


if __name__ == '__main__':
    sleep_and_tell(int(sys.argv[1]))
