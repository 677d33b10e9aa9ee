"""The tasks that can be practised, and where each leads the robot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Kind:
    """One task."""

    name: str
    number: int
    """in messages and in the log: never given to another task"""
    leads: tuple[float, float] | None = None
    """unit vector in the body's frame (ahead, left): where it takes the robot, or the side that it
    turns towards; None: wherever it is told to"""
    along: float = 0.0
    """1 walks ahead, −1 backward: it keeps the heading that its episode began with"""
    turn: float = 0.0
    """1 turns left, −1 right"""

    @property
    def commanded(self) -> bool:
        """Whether it follows a commanded velocity."""
        return self.leads is None

    @property
    def suffix(self) -> str:
        """Ends the names of its topic and files; that of walking forward, the first task there
        was, is empty."""
        return '' if self is FORWARD else f'_{self.name}'


FORWARD = Kind('forward', 0, leads=(1.0, 0.0), along=1.0)
BACKWARD = Kind('backward', 1, leads=(-1.0, 0.0), along=-1.0)
LEFT = Kind('left', 2, leads=(0.0, 1.0), turn=1.0)
RIGHT = Kind('right', 3, leads=(0.0, -1.0), turn=-1.0)
VELOCITY = Kind('velocity', 4)

KINDS: Mapping[str, Kind] = MappingProxyType(
    {kind.name: kind for kind in (FORWARD, BACKWARD, LEFT, RIGHT, VELOCITY)}
)
"""Every task by its name."""


NUMBERED: Mapping[int, Kind] = MappingProxyType({kind.number: kind for kind in KINDS.values()})
"""Every task by its number."""


def in_a_mirror(kind: Kind) -> Kind:
    """Returns the task that `kind` is when seen in a mirror: a turn goes to the other side."""
    if kind.turn == 0.0:
        return kind
    return next(each for each in KINDS.values() if each.turn == -kind.turn)


def kinds(names: Sequence[str]) -> tuple[Kind, ...]:
    """Returns the tasks called `names`, in that order.

    Raises:
        KeyError: there is no such task.
    """
    return tuple(KINDS[name] for name in names)
