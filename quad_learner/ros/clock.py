"""The steady clock: the only clock of control outside lockstep. Never the wall clock."""

from __future__ import annotations

import time

LONG_AGO_NS = -(1 << 62)
"""[ns] older than anything may be"""


def steady_ns() -> int:
    """Returns the steady clock [ns]; it never jumps and counts from an arbitrary start."""
    return time.monotonic_ns()
