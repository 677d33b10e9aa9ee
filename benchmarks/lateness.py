"""How late things are on this machine: turns of a plain loop, ticks of a robot.

Where both are late, the machine is too busy to measure anything on it.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence

from fault_graph import Entry
from pauses import NS_PER_MS
from quad_learner.robot.signals import NANOSECONDS
from quad_learner.ros.clock import steady_ns

LOOP_S, LOOP_TURNS = 0.005, 2000
"""[s] period of the plain loop, and its turns"""


def lateness_ms() -> list[float]:
    """Returns how late each turn of a plain loop was [ms]."""
    late, due_ns = [], steady_ns()
    for _ in range(LOOP_TURNS):
        due_ns += round(LOOP_S * NANOSECONDS)
        time.sleep(max(0, due_ns - steady_ns()) / NANOSECONDS)
        late.append((steady_ns() - due_ns) / NS_PER_MS)
        due_ns = max(due_ns, steady_ns() - round(LOOP_S * NANOSECONDS))
    return late


def ticks_late_ms(entries: Sequence[Entry], period_ns: float) -> list[float]:
    """Returns by how much each tick of a robot came later after another than it should [ms]."""
    ticks = [entry.time_ns for entry in entries if not entry.is_command]
    return [max(0.0, b - a - period_ns) / NS_PER_MS for a, b in itertools.pairwise(ticks)]
