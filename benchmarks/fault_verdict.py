"""What a robot's record says about one fault: how soon it was safe, and whether it stayed so."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from fault_graph import Entry
from quad_learner.safety.modes import Authority, Mode


class State(Enum):
    """What the robot was doing when it was struck."""

    STANDING = 'standing'
    WALKING = 'walking'
    GETTING_UP = 'getting up'


class Fault(NamedTuple):
    """One signal to one process."""

    process: str
    sent_ns: int
    """steady clock [ns]"""
    before: Entry
    """what the robot followed then"""


def is_safe(entry: Entry, process: str) -> bool:
    """Returns whether the robot is safe without `process`.

    Without safety or itself only while it damps. Without policy or estimator while the policy does
    not drive: getting up and standing need neither.
    """
    if process == 'safety':
        return entry.mode is None
    return entry.driver is not Authority.POLICY


def safe_after_ns(entries: Sequence[Entry], fault: Fault) -> int | None:
    """Returns how long after the signal [ns] the robot was first safe; None: never.

    Args:
        entries: what the robot followed, in order, from before the signal on.
        fault: what was done.
    """
    for entry in entries:
        if entry.time_ns >= fault.sent_ns and is_safe(entry, fault.process):
            return entry.time_ns - fault.sent_ns
    return None


def stopped(entries: Sequence[Entry]) -> bool:
    """Returns whether nobody drove at some moment."""
    return any(entry.driver is Authority.NOBODY for entry in entries)


def complaints(entries: Sequence[Entry], fault: Fault) -> list[str]:
    """Returns what the robot must not have done in `entries`, from the signal on.

    A session that a stop has ended may not go on, in this epoch or another; and after damping of
    its own the robot may not begin with a driver's command.
    """
    found = []
    driver, request = fault.before.driver, fault.before.request
    ended = False
    last: Mode | None = fault.before.mode
    for entry in entries:
        if entry.time_ns < fault.sent_ns:
            continue
        if entry.mode is Mode.ACTIVE and last is None:
            found.append('it began to move right after damping')
        last = entry.mode
        ended = ended or entry.driver is Authority.NOBODY
        same = driver is not Authority.NOBODY and entry.driver is driver
        if ended and same and entry.request <= request:
            found.append(f'{driver.name} drove on with request {entry.request} after a stop')
        if entry.unsafe > fault.before.unsafe:
            found.append(f'{entry.unsafe - fault.before.unsafe} unsafe commands')
    return sorted(set(found))
