"""Draws the falls that each roll-over is to get up from: by how the robot lies, legs tucked."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle

import numpy as np

from quad_learner.get_up_search.falls import KINDS, Fall, World, drop, tuck
from quad_learner.robot.model import RobotModel

SIDE, BACK = MOTIONS = ('from_side', 'from_back')
SET = 12
"""falls that a motion is to get up from"""
DRAWS = 60
"""falls at most for both sets: with its legs tucked the robot may hardly ever lie on a side"""


def sets(
    world: World, robot: RobotModel, generator: np.random.Generator, is_over: Callable[[], bool]
) -> dict[str, list[Fall]]:
    """Returns falls, legs tucked, that each of `MOTIONS` is to get up from, by their names.

    Args:
        world: of all falls.
        robot: who falls.
        generator: draws the falls.
        is_over: whether the time is over; asked after each fall.
    """
    reset, found = world.parts.reset, {name: list[Fall]() for name in MOTIONS}
    for _, kind in zip(range(DRAWS), cycle(KINDS), strict=False):
        fall = drop(world, robot, kind, generator)
        tucked, tilt = tuck(world, robot, fall)
        lying = found[BACK if tilt > reset.back_tilt else SIDE]
        if tilt > reset.upright_tilt and len(lying) < SET:
            lying.append(tucked)
        if is_over() or all(len(falls) == SET for falls in found.values()):
            break
    return found
