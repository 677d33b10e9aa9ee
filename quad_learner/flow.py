"""Which way data goes between the processes of a graph, and whether it arrives.

Fast DDS shares memory between the processes of a machine where nobody says otherwise. Here they
use its network, 127.0.0.1, which is as fast where there is room (docs/results.md). For a process
that was killed leaves its memory behind, and who meets that again waits for an answer, with the
lock on which its own control waits: robot nodes were seen to stand still for 0.3 s when another
node was started anew. Nor is memory shared between containers, or users.
"""

from __future__ import annotations

import secrets
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from types import TracebackType

from quad_learner.reach import FAST_DDS, OVERRIDES, RANGE, is_secured, this_machine

FLOW_S = 4.5
"""[s] in which data must flow: it takes one, or two on a machine that is busy"""
TRANSPORTS = 'FASTDDS_BUILTIN_TRANSPORTS'
NETWORK = 'UDPv4'


def by_network(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables by which data goes without shared memory, and no further than before.

    None are needed where somebody has chosen the way, another middleware is used, nobody is to be
    discovered, or the graph is secured: a profile for that has to know its certificates.

    Args:
        environment: of the nodes.
    """
    chosen = any(environment.get(name) for name in (TRANSPORTS, 'ROS_LOCALHOST_ONLY', *OVERRIDES))
    other = environment.get('RMW_IMPLEMENTATION') != FAST_DDS
    if chosen or other or is_secured(environment) or environment.get(RANGE) == 'OFF':
        return {}
    # The middleware adds shared memory itself where nobody beyond this machine is to be reached.
    return this_machine() if environment.get(RANGE) == 'LOCALHOST' else {TRANSPORTS: NETWORK}


class Flow:
    """A trial by two processes; as a context it leaves none behind."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Stores.

        Args:
            environment: of the nodes.
        """
        self._environment = dict(environment)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._until_s = 0.0

    def begin(self) -> None:
        """Starts two processes, each as a node is started; they end in FLOW_S by themselves."""
        topic = f'_flow_{secrets.token_hex(8)}'
        self._until_s = time.monotonic() + FLOW_S
        for mine, other in ('ab', 'ba'):
            names = f'{topic}_{mine}', f'{topic}_{other}'
            self._processes.append(
                subprocess.Popen(
                    [sys.executable, '-m', 'quad_learner.ros.flow_probe', *names, str(FLOW_S)],
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            )

    def flows(self) -> bool:
        """Waits until both have heard all that the other says; returns whether it came in time."""
        return all(self._has_heard(process) for process in self._processes)

    def _has_heard(self, process: subprocess.Popen[bytes]) -> bool:
        if process.stdout is None:
            return False
        left_s = max(0.0, self._until_s - time.monotonic())
        said, _, _ = select.select([process.stdout], [], [], left_s)
        return bool(said) and process.stdout.read(1) == b'.'

    def end(self) -> None:
        """Ends both processes."""
        for process in self._processes:
            process.kill()
            process.communicate()
        self._processes.clear()

    def __enter__(self) -> Flow:
        """Begins."""
        self.begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """Ends."""
        self.end()
