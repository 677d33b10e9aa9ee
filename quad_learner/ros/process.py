"""How a node process lives and dies: one spinning thread, a clean end, an exit code that tells.

The events executor takes half the latency and CPU of the single-threaded one; the multi-threaded
one loses messages. It is let do one thing at a time: its own `spin()` hangs on Jazzy, and its
`spin_until_future_complete()` keeps 32 bytes of each call for ever, which was 1.1 MiB an hour, and
does not come back while there is something to do (both seen with rclpy 7.1). Signals are our own:
the middleware must still be alive when the last command is sent.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, Protocol

os.environ.setdefault('RMW_IMPLEMENTATION', 'rmw_fastrtps_cpp')

import rclpy
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import ok, try_shutdown

from quad_learner.ros.words import NO_FILE, wait_for_no_reader

SPIN_S = 0.1
"""[s] longest nap between looks at the stop flag"""
GOODBYE_S = 2.0
"""[s] for taking down the middleware. A node was once still there 4 s after it was told to end,
and nobody knew where: now it says where it is, and ends"""
EXIT_CONFIGURATION = 2
"""exit code: a parameter, file or robot cannot be used; starting again would not help"""


class Runnable(Protocol):
    """What `run` needs of a node."""

    finished: bool
    """True: the node has done its work and wants to end"""
    stopping: Callable[[], bool]
    """set by `run`: tells that the process is to end"""

    def take_precedence(self) -> None:
        """Lets its threads run before those of others, where that is its due."""

    def close(self) -> None:
        """Says goodbye while the middleware still lives: a last command, a last save."""


class StopFlag:
    """Set by SIGINT and SIGTERM; a second signal changes nothing, the end is already bounded."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def install(self) -> None:
        """Takes over SIGINT and SIGTERM of this process."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self._event.set())

    def __bool__(self) -> bool:
        return self._event.is_set()


def leave_alone_what_is_there() -> None:
    """Keeps the garbage collector from ever going through all that a process began with.

    A full collection over torch's objects was seen to stall for 150 ms.
    """
    gc.collect()
    gc.freeze()


def turn(executor: Any, longest_s: float = SPIN_S) -> None:
    """Lets the executor call back once, or wait for `longest_s` [s] in vain."""
    executor.spin_once(timeout_sec=longest_s)


def run(make: Callable[[], Any], arguments: list[str] | None = None) -> int:
    """Runs the node that `make` builds until it is finished or told to stop.

    Bad configuration is one line on stderr and exit code 2, not a traceback.

    Args:
        make: a class of nodes, or what makes one. Where it says `controls`, nobody waits for
            whoever reads what is said.
        arguments: of the process; None takes its own.
    """
    stop = StopFlag()
    stop.install()
    words = list(sys.argv if arguments is None else arguments)
    if getattr(make, 'controls', False):
        wait_for_no_reader()
        words += NO_FILE
    rclpy.init(args=words, signal_handler_options=SignalHandlerOptions.NO)
    node: Any = None
    executor = EventsExecutor()
    try:
        try:
            node = make()
        except (ValueError, OSError) as error:
            # Parameters, robot, run folder, checkpoint: each error names the way out.
            sys.stderr.write(f'quad_learner: {error}\n')
            return EXIT_CONFIGURATION
        node.stopping = stop.__bool__
        executor.add_node(node)
        leave_alone_what_is_there()
        node.take_precedence()
        while not stop and not node.finished and ok():
            turn(executor)
        node.close()
        # All that matters is done and saved.
        faulthandler.dump_traceback_later(GOODBYE_S, exit=True)
    finally:
        executor.shutdown(timeout_sec=SPIN_S)
        if node is not None:
            node.destroy_node()
        try_shutdown()
    return 0
