"""Keeps work that can wait from ever making the control path wait for a processor."""

from __future__ import annotations

import os


def run_only_when_idle() -> None:
    """Lets the calling thread run only on processors that nobody else has a use for.

    A nice process still keeps its processor for its slice when a control process wakes up;
    a thread of Linux's SCHED_IDLE gives it up at once (sched(7)).
    """
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
