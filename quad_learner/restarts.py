"""What the end of one process means for the run: the rule that both ways of starting share."""

from __future__ import annotations

from collections import defaultdict, deque
from enum import Enum

from quad_learner.bringup import NodeSpec

RESPAWNS, RESPAWN_WINDOW_S = 5, 60.0
"""a process that dies more often than this in so long a time is broken, not unlucky"""
CONFIGURATION_EXIT = 2
"""exit code of a node that refuses its configuration: starting it again would not help"""


class Meaning(Enum):
    """What is to be done."""

    RUN_OVER = 'the run has come to its end'
    AGAIN = 'the process is started again'
    BROKEN = 'the run cannot go on'


class Restarts:
    """Remembers how often each process died lately."""

    def __init__(self) -> None:
        self._deaths: defaultdict[str, deque[float]] = defaultdict(deque)

    def judge(self, spec: NodeSpec, code: int, now_s: float) -> Meaning:
        """Returns what the end of a process means.

        Args:
            spec: the node whose process ended.
            code: its exit code; negative is a signal.
            now_s: steady time [s].
        """
        if code == 0 and spec.ends_run:
            return Meaning.RUN_OVER
        deaths = self._deaths[spec.name]
        deaths.append(now_s)
        while now_s - deaths[0] > RESPAWN_WINDOW_S:
            deaths.popleft()
        hopeless = code == CONFIGURATION_EXIT or len(deaths) > RESPAWNS
        return Meaning.AGAIN if spec.respawn and not hopeless else Meaning.BROKEN
