"""Does data flow between the processes of a run, and which way does it go where it does not?

Tried by two processes before the nodes start, beside the checks that come first anyway. Fast DDS
shares memory between the processes of a machine. Where each has a /dev/shm of its own, or may not
open what the other put there, nodes can find each other and hear nothing.
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
WITHOUT = (
    'data does not flow by shared memory between processes of this machine: its network is taken '
    'instead; quad-learner doctor says more'
)


def by_network(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables by which data goes without shared memory, and no further than before.

    None where there is nothing to choose: somebody has chosen, another middleware is used, nobody
    is to be discovered, or nobody can try without a certificate.

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
    """A trial beside other work; as a context it leaves no process behind."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Stores.

        Args:
            environment: of the nodes.
        """
        self._environment = dict(environment)
        self._way_out = by_network(environment)
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

    def way_out(self) -> dict[str, str]:
        """Waits for the trial; returns the variables that the nodes need besides, none if well."""
        return {} if not self._way_out or self.flows() else self._way_out

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
        """Begins, where there is something to choose."""
        if self._way_out:
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
