"""How good an attempt to roll over was: lower is better, and every step towards upright counts.

An attempt that got up costs less than 1, whatever it took; one that did not costs 1 and more:

    cost = took + work + stops            got up
    cost = 1 + (lowest tilt + last tilt) / 2π + work + stops   did not

so that a search has a slope to follow where nothing gets up yet.
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
STOP_WEIGHT = 0.5
"""cost of a stop by safety: as much as an attempt that ends a good deal further from upright"""


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


def cost(outcome: Outcome) -> float:
    """Returns what an attempt costs."""
    extra = WORK_WEIGHT * min(outcome.work, WORK_MOST) + STOP_WEIGHT * len(outcome.stops)
    if outcome.up:
        return TIME_WEIGHT * min(outcome.seconds / LONGEST_S, 1.0) + extra
    return 1.0 + (outcome.lowest_tilt + outcome.last_tilt) / (2.0 * math.pi) + extra


def mean_cost(outcomes: Sequence[Outcome]) -> float:
    """Returns what attempts cost in the mean."""
    return sum(map(cost, outcomes)) / len(outcomes)
