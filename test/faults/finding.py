"""What a fault came to, and the ways to wait for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from faults.world import Tick, World, words
from quad_learner.safety.modes import Mode

NS_PER_MS = 1e6
AFTER_S = 0.3
"""[s] that is watched on after a reaction: a stop must last"""

Fault = Callable[[Any], 'Finding']
"""is given the world that the row asks for; None where it asks for none"""
FAULTS: dict[str, Fault] = {}
"""by the label of the row"""


class Finding(NamedTuple):
    """What was seen of one fault."""

    detected_ms: float | None
    """from its first sign to the first safe command; None: never, or nothing is to be found"""
    reaction: str
    """mode and reasons, or what else was done about it"""
    wrong: tuple[str, ...] = ()
    """what should not have been; empty: all is well"""


def row(label: int | str) -> Callable[[Fault], Fault]:
    """Names the row of the table that a function plays."""

    def enter(fault: Fault) -> Fault:
        if str(label) in FAULTS:
            raise ValueError(f'row {label} is there twice')
        FAULTS[str(label)] = fault
        return fault

    return enter


def is_safe(tick: Tick) -> bool:
    """Tells that nobody drives the robot on this tick: safety stopped it, or its own watchdog."""
    return tick.trusted is None or tick.trusted.mode is not Mode.ACTIVE


def until_stop(
    world: World, seconds: float, since_ns: int | None = None, lasts: bool = True
) -> Finding:
    """Lets time pass until the robot is stopped, and a moment longer.

    Args:
        world: in which the fault has been set.
        seconds: of robot time to wait.
        since_ns: the first sign of the fault [ns]; None: the next tick.
        lasts: the stop must; not where another driver may go on.
    """
    start = world.now_ns if since_ns is None else since_ns
    for _ in range(round(seconds * world.robot.command_hz)):
        tick = world.tick()
        if is_safe(tick):
            after = world.run(AFTER_S) if lasts else []
            wrong = () if all(map(is_safe, after)) else ('the stop did not last',)
            said = dict.fromkeys(reaction(each) for each in (tick, *after[:2]))
            return Finding((tick.now_ns - start) / NS_PER_MS, '; '.join(said), wrong)
    return Finding(None, reaction(tick), (f'not stopped within {seconds} s',))


def reaction(tick: Tick) -> str:
    """Returns what a tick says of itself."""
    if tick.command is None:
        return 'damped by the sink' if tick.trusted is None else 'trusted'
    said = f'{tick.command.mode.name} {words(tick.command.reasons)}'.strip()
    return said if tick.trusted is not None else f'{said}, damped by the sink'


def driver_of(world: World) -> str:
    """Returns the channel of whoever drives."""
    return world.command.authority.name.lower()


def silence(message: Any) -> list[tuple[int, Any]]:
    """The lie of a channel on which nothing arrives."""
    return []


def with_wrong(found: Finding, wrong: Iterable[str]) -> Finding:
    """Returns a finding with more that was wrong."""
    return found._replace(wrong=(*found.wrong, *wrong))


def through(change: Callable[[Any], Any]) -> Callable[[Any], list[tuple[int, Any]]]:
    """Returns the lie that changes each message."""
    return lambda message: [(0, change(message))]
