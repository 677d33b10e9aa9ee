"""How good an attempt to roll over was: lower is better, and every step towards upright counts.

Without blame an attempt that got up costs less than 1, however long it took; one that did not 1
and more, so that a search has a slope to follow where nothing gets up yet:

    cost = took + work + blame                                              got up
    cost = 1 + (lowest tilt + last tilt) / 2π + astray + work + blame       did not
    blame = stops by safety + jams

Blame is on top of either: one that got up by pushing against itself, or into a stop, may cost more
than one that nearly did without, for on a robot it would not have got up. Astray is how far the
joints were from the fold in the end: a robot that lies upright on legs that cannot fold has a
slope to follow, too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

LONGEST_S = 8.0
"""[s] of an attempt that counts as the slowest: the longest an attempt is looked at is near it"""
TIME_WEIGHT = 0.4
"""cost of an attempt that takes so long: below 1 with the work, so that getting up comes first"""
WORK_WEIGHT, WORK_MOST = 0.02, 20.0
"""1/rad, and [rad] at which it is cut: a round of get-ups may spend 20 (reset.yaml: round_work)"""
ASTRAY_WEIGHT = 0.5
"""cost of joints that are half a turn from the fold in the mean: those of one leg of four cost as
much as 0.4 rad of tilt at the end and before"""
STOP_WEIGHT = 0.5
"""cost of a stop by safety: as much as an attempt that ends a good deal further from upright"""
JAM_WEIGHT = 0.1
"""cost of a pose in which the robot's parts would be inside each other, where motors only push: as
much as two seconds"""


@dataclass(frozen=True)
class Outcome:
    """What became of one attempt."""

    up: bool
    seconds: float
    """that it took [s]"""
    lowest_tilt: float
    """of the body on the way [rad]"""
    last_tilt: float
    """[rad]"""
    work: float
    """of the motors, over the sum of their torque limits [rad]"""
    stops: tuple[str, ...]
    """by safety, by their reasons"""
    jams: int = 0
    """poses in which parts of the robot would be inside each other"""
    astray: float = 0.0
    """how far its joints were from the fold at the end, in the mean [rad]"""


def cost(outcome: Outcome) -> float:
    """Returns what an attempt costs."""
    extra = WORK_WEIGHT * min(outcome.work, WORK_MOST)
    extra += STOP_WEIGHT * len(outcome.stops) + JAM_WEIGHT * outcome.jams
    if outcome.up:
        return TIME_WEIGHT * min(outcome.seconds / LONGEST_S, 1.0) + extra
    extra += ASTRAY_WEIGHT * min(outcome.astray / math.pi, 1.0)
    return 1.0 + (outcome.lowest_tilt + outcome.last_tilt) / (2.0 * math.pi) + extra


def mean_cost(outcomes: Sequence[Outcome]) -> float:
    """Returns what attempts cost in the mean."""
    return sum(map(cost, outcomes)) / len(outcomes)
