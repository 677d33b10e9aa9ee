"""Draws the falls that each roll-over is to get up from: by how the robot lies, legs tucked.

A robot that hardly ever lies in one way after a fall is laid down so until there are enough: the
Minitaur falls onto a side once in twenty times, and beside a wall more often.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np

from quad_learner.get_up_search.falls import KINDS, Fall, World, drop, lay, tuck
from quad_learner.robot.model import RobotModel

SIDE, BACK = MOTIONS = ('from_side', 'from_back')
SET = 12
"""falls that a motion is to get up from"""
DRAWS = 30
"""falls at most for both sets: enough to see which way of lying is more frequent"""
LAID = (('right', SIDE), ('left', SIDE)) * SET + (('back', BACK),) * SET
"""ways to lay it down, of `KINDS`, for the falls that are missing then, and what those are to ask
for: twice as many as a set off a side, for a robot may tip over as it goes limp"""


@dataclass(frozen=True)
class Lying:
    """What a motion is to get up from."""

    falls: Sequence[Fall]
    """legs tucked, `SET` at most"""
    often: int
    """falls after which it lay so"""
    drops: int
    """of so many"""
    laid: int
    """of `falls`, those in which it was laid so"""


def sets(
    world: World, robot: RobotModel, generator: np.random.Generator, is_over: Callable[[], bool]
) -> dict[str, Lying]:
    """Returns what each of `MOTIONS` is to get up from; first the one that is wanted more often.

    Args:
        world: of all falls.
        robot: who falls.
        generator: draws the falls.
        is_over: whether the time is over; asked after each fall.
    """
    found = {name: list[Fall]() for name in MOTIONS}
    often, laid, drops = Counter[str](), Counter[str](), 0
    for kind in islice(cycle(KINDS), DRAWS):
        fall, name = _tucked(world, robot, drop(world, robot, kind, generator))
        often[name] += 1
        drops += 1
        if name and len(found[name]) < SET:
            found[name].append(fall)
        if is_over() or all(len(falls) == SET for falls in found.values()):
            break
    for kind, wanted in LAID:
        if len(found[wanted]) == SET:
            continue
        if is_over():
            break
        fall, name = _tucked(world, robot, lay(world, robot, kind, generator))
        if name == wanted:
            found[name].append(fall)
            laid[name] += 1
    order = sorted(MOTIONS, key=lambda name: -often[name])
    return {name: Lying(found[name], often[name], drops, laid[name]) for name in order}


def _tucked(world: World, robot: RobotModel, fall: Fall) -> tuple[Fall, str]:
    """Returns a fall, its legs tucked, and the motion that it asks for; '' where it is upright."""
    reset, (tucked, tilt) = world.parts.reset, tuck(world, robot, fall)
    name = BACK if tilt > reset.back_tilt else SIDE
    return tucked, name if tilt > reset.upright_tilt else ''
