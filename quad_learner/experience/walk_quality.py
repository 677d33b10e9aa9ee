"""Is it walking? Cost, smoothness, posture and what touches the ground, from the true motion.

cost of transport   E / (m g d), d the way made good along the heading of the start
roughness           mean over time and actions of (a[t+1] − 2 a[t] + a[t−1])²
vibration           share of the actions' power, less their mean, above VIBRATION_HZ
scooting            share of the time that anything but a foot touches the ground
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quad_learner.experience.gait import Contacts, Gait, gait_of

Array = NDArray[np.float64]

GRAVITY = 9.81
"""[m/s²] as in the simulation"""
VIBRATION_HZ = 5.0
"""[Hz] above it nobody steps: two to three times the strides a second of a robot of this size"""
STILL = 1e-6
"""Deviation below which actions do not change: a rounding error has no frequency."""
LEAST_WAY_M = 0.5
"""[m] a cost per metre is told from: two body heights; less is standing about"""


@dataclass(frozen=True)
class Bout:
    """What really happened in one stretch of walking."""

    tick_hz: float
    """samples a second of all but the actions"""
    action_hz: float
    mass: float
    """of the robot with its payload [kg]"""
    contact: Contacts
    """foot on the ground, (ticks, feet), in the order of `gait.FEET` where there are four legs"""
    others: Sequence[tuple[str, ...]]
    """the links other than feet that touch the ground in each tick"""
    height: Array
    """of the root link above the ground [m], (ticks,)"""
    roll: Array
    """[rad], (ticks,)"""
    pitch: Array
    """[rad], (ticks,)"""
    action: Array
    """as the policy asked, −1 … 1, (steps, actions)"""
    way: float
    """made good along the heading of the start [m]"""
    work: float
    """done by motors while they drive, braking not deducted [J]"""
    drawn: float
    """from the battery, computers included [J]"""


@dataclass(frozen=True)
class WalkQuality:
    """Figures of one or more bouts; None where they tell nothing."""

    gait: Gait | None
    """None: the robot has not four legs, one in each quarter"""
    cost_of_transport_mechanical: float | None
    cost_of_transport_electrical: float | None
    action_roughness: float | None
    vibration_share: float | None
    other_contact_share: float
    other_contacts: Mapping[str, float]
    """share of the time that each link touches, those that never do left out"""
    height_mean_m: float
    height_std_m: float
    roll_max_rad: float
    """largest |roll|"""
    pitch_max_rad: float
    """largest |pitch|"""


def quality_of(bouts: Sequence[Bout], four_legs: bool = True) -> WalkQuality:
    """Returns the figures of `bouts`, at least one, all of one robot, taken together.

    Args:
        bouts: what happened.
        four_legs: the columns of `Bout.contact` are those of `gait.FEET`.
    """
    others = [links for bout in bouts for links in bout.others]
    links = Counter(name for touching in others for name in touching)
    height = np.concatenate([bout.height for bout in bouts])
    actions = [bout.action for bout in bouts]
    return WalkQuality(
        gait=gait_of([bout.contact for bout in bouts], bouts[0].tick_hz) if four_legs else None,
        cost_of_transport_mechanical=_cost(bouts, sum(bout.work for bout in bouts)),
        cost_of_transport_electrical=_cost(bouts, sum(bout.drawn for bout in bouts)),
        action_roughness=roughness(actions),
        vibration_share=vibration(actions, bouts[0].action_hz),
        other_contact_share=sum(bool(touching) for touching in others) / len(others),
        other_contacts={name: count / len(others) for name, count in sorted(links.items())},
        height_mean_m=float(height.mean()),
        height_std_m=float(height.std()),
        roll_max_rad=max(float(abs(bout.roll).max()) for bout in bouts),
        pitch_max_rad=max(float(abs(bout.pitch).max()) for bout in bouts),
    )


def roughness(actions: Sequence[Array]) -> float | None:
    """Returns the mean squared second difference of actions, (steps, actions) each; None: none."""
    bends = [np.diff(action, n=2, axis=0).ravel() for action in actions if len(action) > 2]
    return float(np.square(np.concatenate(bends)).mean()) if bends else None


def vibration(actions: Sequence[Array], rate_hz: float) -> float | None:
    """Returns the share of the power of actions above VIBRATION_HZ; None where there is none.

    Args:
        actions: (steps, actions) each.
        rate_hz: actions a second.
    """
    fast = everything = 0.0
    for action in actions:
        if action.std(axis=0).max() < STILL:
            continue
        # Hann's window, or the ends of a slow wave that does not fit would pass for quick ones.
        window = np.hanning(len(action) + 1)[:-1, None]
        power = abs(np.fft.rfft((action - action.mean(axis=0)) * window, axis=0)) ** 2
        frequency = np.fft.rfftfreq(len(action), 1.0 / rate_hz)
        everything += float(power.sum())
        fast += float(power[frequency > VIBRATION_HZ].sum())
    return fast / everything if everything else None


def _cost(bouts: Sequence[Bout], energy: float) -> float | None:
    way = sum(bout.way for bout in bouts)
    return energy / (bouts[0].mass * GRAVITY * way) if way >= LEAST_WAY_M else None
