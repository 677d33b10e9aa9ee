"""How the feet take turns: duty factors, strides a second, phases between pairs, the gait's name.

Feet bounce and tap; what counts as a step is said at WINDOW_S and DOUBT. A stride of a foot lasts
from touchdown to touchdown. Where, as a share of that stride, another foot touches down is the
phase between the two: 0 is together, ½ in turn. There are two pairs of each kind (front and hind,
left and right, two diagonals). A kind is together, or in turn, when its phases are within an
eighth of a stride of that in the mean, and within a quarter each. In this order:

    no steps  some foot makes less than two strides
    other     some pair keeps no steady phase
    bound     the front feet together and the hind feet together
    trot      front and hind feet in turn, both diagonal pairs together
    pace      front and hind feet in turn, the feet of each side together
    walk      front and hind feet in turn, neither of the above, duty factor above ½
    other     the rest

After M. Hildebrand 1965, Symmetrical gaits of horses (doi 10.1126/science.150.3697.701): the same
phases and duty factors; that the pairs share one tolerance is this file's choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Contacts = NDArray[np.bool_]
Touchdowns = Sequence[Sequence[NDArray[np.intp]]]
"""of each bout and foot: the ticks at which it comes down"""

FRONT_LEFT, FRONT_RIGHT, HIND_LEFT, HIND_RIGHT = range(4)
FEET = ('front_left', 'front_right', 'hind_left', 'hind_right')
"""the order of the feet wherever this file takes or gives four of something"""
PAIRS: Mapping[str, tuple[int, int]] = {
    'front': (FRONT_LEFT, FRONT_RIGHT),
    'hind': (HIND_LEFT, HIND_RIGHT),
    'left': (FRONT_LEFT, HIND_LEFT),
    'right': (FRONT_RIGHT, HIND_RIGHT),
    'diagonal_left': (FRONT_LEFT, HIND_RIGHT),
    'diagonal_right': (FRONT_RIGHT, HIND_LEFT),
}
"""The foot whose stride is divided, and the foot whose touchdown is looked for in it."""
ACROSS, SIDES, DIAGONALS = (
    ('front', 'hind'),
    ('left', 'right'),
    ('diagonal_left', 'diagonal_right'),
)

NO_STEPS, BOUND, TROT, PACE, WALK, OTHER = 'no steps', 'bound', 'trot', 'pace', 'walk', 'other'

TOGETHER, IN_TURN = 0.0, 0.5
"""phases [strides]"""
WINDOW_S = 0.15
"""[s] around a tick: as long as the shortest swing of the legs of such robots"""
DOUBT = 0.3
"""With its duty factor d, a foot comes down when it touches for more than d + DOUBT (1 − d) of the
window, and lifts when for less than d − DOUBT d; between the two it stays what it was. So bounces
and taps are no steps, nor is trembling, where the window is as full at all times."""
TOLERANCE = 1 / 8
"""[strides] half way between together (0), a quarter and in turn (½)"""
LEAST_STRIDES = 2
"""of each foot: one may be a stumble"""
LIMP = 1 / 4
"""[strides] most that one pair of a kind may be out while the two are right in the mean"""
LEAST_STEADINESS = 0.5
"""Length R of the mean of unit vectors; 0.5 is a scatter of 0.19 strides (σ² = −2 ln R). Feet that
know nothing of each other reach it in one of 70 episodes of 17 strides (exp(−17 R²))."""


@dataclass(frozen=True)
class Pair:
    """How two feet keep time."""

    phase: float | None
    """of the second in the stride of the first [strides], −½ … ½, 0 together; None: unknown"""
    steadiness: float
    """1: the same in each stride, 0: none"""


@dataclass(frozen=True)
class Gait:
    """How four feet took turns."""

    pattern: str
    duty_factor: Mapping[str, float]
    """share of the time that each foot touches the ground, bounces and taps as they are"""
    touches_per_step: Mapping[str, float | None]
    """how often each foot meets the ground where it should once; None: it made no step"""
    stride_hz: Mapping[str, float]
    """strides a second of each foot; 0 where it made none"""
    pairs: Mapping[str, Pair]


def order_of(position: Array) -> list[int] | None:
    """Returns which feet are front left, front right, hind left and hind right.

    Args:
        position: of the feet in the stance, body frame (x forward, y left) [m], (feet, 3).

    Returns:
        their indices in the order of FEET; None where there is not one foot in each quarter.
    """
    quarters = [2 * int(x <= 0.0) + int(y <= 0.0) for x, y, _ in position.tolist()]
    if sorted(quarters) != list(range(len(FEET))):
        return None
    return [quarters.index(quarter) for quarter in range(len(FEET))]


def gait_of(bouts: Sequence[Contacts], rate_hz: float) -> Gait:
    """Returns the gait of one or more stretches of walking.

    Args:
        bouts: whether each foot, in the order of FEET, touches the ground, (ticks, 4) each.
        rate_hz: ticks a second.
    """
    window = 2 * round(WINDOW_S * rate_hz / 2.0) + 1
    touches = _touchdowns(bouts)
    downs = _touchdowns([_steps(bout, window) for bout in bouts])
    duty = np.concatenate(bouts).mean(axis=0)
    pairs = {name: _pair(downs, *pair) for name, pair in PAIRS.items()}
    walked = min(_strides(downs, foot) for foot in range(len(FEET))) >= LEAST_STRIDES
    return Gait(
        pattern=_pattern(pairs, float(duty.mean())) if walked else NO_STEPS,
        duty_factor=dict(zip(FEET, duty.tolist(), strict=True)),
        touches_per_step={
            name: _count(touches, foot) / steps if (steps := _count(downs, foot)) else None
            for foot, name in enumerate(FEET)
        },
        stride_hz={name: _stride_hz(downs, foot, rate_hz) for foot, name in enumerate(FEET)},
        pairs=pairs,
    )


def _steps(contact: Contacts, window: int) -> Contacts:
    """Returns in which ticks each foot is down, bounces and taps left out; `window` is odd."""
    edge = window // 2
    padded = np.pad(contact, ((edge, edge), (0, 0)), mode='edge').astype(np.int64)
    total = np.cumsum(np.vstack((np.zeros_like(padded[:1]), padded)), axis=0)
    share = (total[window:] - total[:-window]) / window
    duty = contact.mean(axis=0)
    comes_down = share > duty + DOUBT * (1.0 - duty)
    lifts = share < duty - DOUBT * duty
    down = share > duty
    for tick in range(1, len(down)):
        down[tick] = comes_down[tick] | (down[tick - 1] & ~lifts[tick])
    return np.asarray(down)


def runs(signal: Contacts, value: bool) -> list[tuple[int, int]]:
    """Returns where `signal`, (ticks,), is `value`: first tick and the tick after the last."""
    inside = np.concatenate(([False], signal == value, [False])).astype(np.int8)
    edges = np.flatnonzero(np.diff(inside))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _touchdowns(bouts: Sequence[Contacts]) -> Touchdowns:
    came_down = [bout[1:] & ~bout[:-1] for bout in bouts]
    return [[1 + np.flatnonzero(column) for column in bout.T] for bout in came_down]


def _count(downs: Touchdowns, foot: int) -> int:
    return sum(len(bout[foot]) for bout in downs)


def _strides(downs: Touchdowns, foot: int) -> int:
    return sum(max(len(bout[foot]) - 1, 0) for bout in downs)


def _stride_hz(downs: Touchdowns, foot: int, rate_hz: float) -> float:
    ticks = sum(int(bout[foot][-1] - bout[foot][0]) for bout in downs if len(bout[foot]) > 1)
    return _strides(downs, foot) * rate_hz / ticks if ticks else 0.0


def _pair(downs: Touchdowns, first: int, second: int) -> Pair:
    shares: list[float] = []
    for bout in downs:
        begins, others = bout[first], bout[second]
        for begin, end in pairwise(begins):
            within = others[(others >= begin) & (others < end)]
            shares += ((within - begin) / (end - begin)).tolist()
    if not shares:
        return Pair(None, 0.0)
    mean = np.exp(2j * np.pi * np.array(shares)).mean()
    return Pair(float(np.angle(mean)) / (2.0 * np.pi), float(abs(mean)))


def _pattern(pairs: Mapping[str, Pair], duty: float) -> str:
    phases = {name: pair.phase for name, pair in pairs.items() if pair.phase is not None}

    def near(names: Sequence[str], wanted: float) -> bool:
        off = [abs(abs(phases[name]) - wanted) for name in names]
        return sum(off) / len(off) <= TOLERANCE and max(off) <= LIMP

    if min(pair.steadiness for pair in pairs.values()) < LEAST_STEADINESS:
        return OTHER
    if near(ACROSS, TOGETHER):
        return BOUND
    if not near(ACROSS, IN_TURN):
        return OTHER
    if near(DIAGONALS, TOGETHER):
        return TROT
    if near(SIDES, TOGETHER):
        return PACE
    return WALK if duty > 0.5 else OTHER
