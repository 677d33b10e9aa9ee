"""Draws the falls that each roll-over is to get up from: by how the robot lies, legs tucked.

A robot that hardly ever lies on a side after a fall is laid on it until there are enough: on a
slope or beside a wall it lies so all the same.
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
DRAWS = 60
"""falls at most for both sets: with its legs tucked the robot may hardly ever lie on a side"""
LAID = 30
"""times at most that it is laid on a side, for the falls on it that are missing then"""
SIDES = ('right', 'left')


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
    reset, found = world.parts.reset, {name: list[Fall]() for name in MOTIONS}
    often, drops = Counter[str](), 0
    for kind in islice(cycle(KINDS), DRAWS):
        tucked, tilt = tuck(world, robot, drop(world, robot, kind, generator))
        drops += 1
        if tilt > reset.upright_tilt:
            name = BACK if tilt > reset.back_tilt else SIDE
            often[name] += 1
            if len(found[name]) < SET:
                found[name].append(tucked)
        if is_over() or all(len(falls) == SET for falls in found.values()):
            break
    before = len(found[SIDE])
    for kind in islice(cycle(SIDES), LAID):
        if is_over() or len(found[SIDE]) == SET:
            break
        tucked, tilt = tuck(world, robot, lay(world, robot, kind, generator))
        if reset.upright_tilt < tilt <= reset.back_tilt:
            found[SIDE].append(tucked)
    laid = {SIDE: len(found[SIDE]) - before, BACK: 0}
    names = sorted(MOTIONS, key=lambda name: -often[name])
    return {name: Lying(found[name], often[name], drops, laid[name]) for name in names}
