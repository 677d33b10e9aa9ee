"""The curves of a run as pictures, drawn from its rows alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from quad_learner.experience.drawing import RED, drawn
from quad_learner.experience.metrics_table import Row
from quad_learner.experience.walking import WINDOW

Array = NDArray[np.float64]

BLUE, ORANGE, GREEN, GREY = '#2563eb', '#ea8a1a', '#15936b', '#8b93a1'
SIZE_INCHES = (6.4, 3.0)
"""width and height: two beside each other on the page of the report"""
SECONDS_IN_MINUTE = 60.0


@dataclass(frozen=True)
class Curve:
    """One picture: what it shows, and the picture itself (PNG)."""

    title: str
    caption: str
    png: bytes


@dataclass(frozen=True)
class _Line:
    column: str
    label: str
    colour: str


@dataclass(frozen=True)
class _Panel:
    """Lines over robot time: those of `right` have their own scale, on the right."""

    title: str
    caption: str
    unit: str
    lines: tuple[_Line, ...]
    right: tuple[_Line, ...] = ()
    right_unit: str = ''
    zero: bool = False
    """draw the line of zero"""
    logarithmic: bool = False
    floor: bool = False
    """start the scales at zero"""


_PANELS = (
    _Panel(
        'Multiplier and action box',
        'λ rises, and the box that actions may use closes, while the robot leans too far.',
        'λ',
        (_Line('lambda', 'λ', RED),),
        (_Line('box_share', 'share of the box', BLUE),),
        'share',
    ),
    _Panel(
        'Constraint value',
        'Upright margin f_s, mean over the episode: below zero the robot leans too far.',
        'rad',
        (_Line('constraint', 'f_s', GREEN),),
        zero=True,
    ),
    _Panel(
        'Losses',
        'Of the reward critic and of the safety critic, on a logarithmic scale.',
        'loss',
        (
            _Line('critic_loss', 'reward critic', BLUE),
            _Line('safety_critic_loss', 'safety critic', RED),
        ),
        logarithmic=True,
    ),
    _Panel(
        'Values',
        'What the reward critic (Q) and the safety critic (Q_s) expect of the future.',
        'Q',
        (_Line('q_value', 'Q', BLUE),),
        (_Line('safety_value', 'Q_s', RED),),
        'Q_s [rad]',
    ),
    _Panel(
        'Entropy and temperature',
        'How random the policy still is: the lower, the surer it acts. α is what that is worth.',
        'nat',
        (_Line('entropy', 'entropy', ORANGE),),
        (_Line('alpha', 'α', BLUE),),
        'α',
    ),
    _Panel(
        'Rates',
        'Gradient updates per second of wall time, and how much faster than real time it ran.',
        'updates/s',
        (_Line('updates_per_second', 'updates/s', BLUE),),
        (_Line('real_time_factor', 'robot time / wall time', ORANGE),),
        'factor',
        floor=True,
    ),
    _Panel(
        'Latency',
        'From a sensor sample to the command that answers it, on a logarithmic scale; in lockstep '
        'the largest is the wait for the learner between episodes.',
        'ms',
        (
            _Line('latency_ms', 'mean of the episode', BLUE),
            _Line('latency_max_ms', 'largest of the episode', ORANGE),
        ),
        logarithmic=True,
    ),
)


def draw(rows: Sequence[Row], walk_speed: float) -> list[Curve]:
    """Returns the pictures of a run; a quantity that was never heard of has none.

    Args:
        rows: the episodes of the run, at least one.
        walk_speed: from which on a robot walks [m/s].
    """
    minutes = np.array([row.episode.end_s for row in rows]) / SECONDS_IN_MINUTE
    curves = [
        _curve(
            'Speed',
            'True displacement along the first heading over a full episode. Crosses are falls.',
            lambda axes: _speed(axes, minutes, rows, walk_speed),
        ),
        _curve(
            'Return',
            'Sum of the rewards of each episode.',
            lambda axes: _return(axes, minutes, rows),
        ),
        _curve(
            'Falls, trips, help',
            'Counted from the start. A trip is a stop by the safety layer; help is a person.',
            lambda axes: _counts(axes, minutes, rows),
        ),
    ]
    columns = _columns(rows)
    curves += [
        _curve(panel.title, panel.caption, _drawer(panel, minutes, columns))
        for panel in _PANELS
        if any(line.column in columns for line in panel.lines)
    ]
    return curves


def _columns(rows: Sequence[Row]) -> Mapping[str, Array]:
    """Returns the learner's quantities of which at least one value is known."""
    columns = {
        name: np.array([row.learner.get(name, np.nan) for row in rows])
        for name in rows[-1].learner
    }
    return {name: values for name, values in columns.items() if np.isfinite(values).any()}


def _curve(title: str, caption: str, draw_on: Callable[[Axes], None]) -> Curve:
    def over_time(axes: Axes) -> None:
        """Says what the axis along the bottom is, and draws."""
        axes.set_xlabel('robot time [min]')
        draw_on(axes)

    return Curve(title, caption, drawn(SIZE_INCHES, over_time))


def _speed(axes: Axes, minutes: Array, rows: Sequence[Row], walk_speed: float) -> None:
    speed = np.array([row.speed for row in rows])
    fell = np.array([row.episode.fell for row in rows])
    axes.axhline(walk_speed, color=GREEN, linestyle='--', label=f'walks: {walk_speed:g} m/s')
    axes.plot(minutes[~fell], speed[~fell], 'o', color=BLUE, alpha=0.45, markersize=4)
    axes.plot(minutes[fell], speed[fell], 'x', color=RED, markersize=5, label='fell')
    if len(speed) >= WINDOW:
        mean = np.convolve(speed, np.full(WINDOW, 1 / WINDOW), mode='valid')
        axes.plot(minutes[WINDOW - 1 :], mean, color=BLUE, label=f'mean of {WINDOW} episodes')
    axes.set_ylabel('m/s')
    _legend(axes)


def _return(axes: Axes, minutes: Array, rows: Sequence[Row]) -> None:
    axes.plot(minutes, [row.episode.total_reward for row in rows], 'o-', color=BLUE, markersize=3)
    axes.set_ylabel('return')


def _counts(axes: Axes, minutes: Array, rows: Sequence[Row]) -> None:
    for label, colour, style, counts in (
        ('falls', RED, '-', [row.totals.falls for row in rows]),
        ('trips', ORANGE, '--', [row.totals.trips for row in rows]),
        ('help', GREY, ':', [row.totals.human_resets for row in rows]),
    ):
        axes.step([0.0, *minutes], [0, *counts], style, where='post', color=colour, label=label)
    axes.set_ylabel('count')
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    _legend(axes)


def _drawer(panel: _Panel, minutes: Array, columns: Mapping[str, Array]) -> Callable[[Axes], None]:
    def draw_on(axes: Axes) -> None:
        """Draws the panel's lines, those of `right` on a second scale."""
        handles = _lines(axes, panel.lines, minutes, columns)
        axes.set_ylabel(panel.unit)
        if panel.zero:
            axes.axhline(0.0, color=RED, linestyle='--', linewidth=1)
        if panel.logarithmic:
            axes.set_yscale('log', nonpositive='mask')
        scales = [axes]
        if any(line.column in columns for line in panel.right):
            scales.append(axes.twinx())
            scales[1].spines['top'].set_visible(False)
            scales[1].set_ylabel(panel.right_unit)
            handles += _lines(scales[1], panel.right, minutes, columns)
        for scale in scales if panel.floor else ():
            scale.set_ylim(bottom=0.0)
        _legend(axes, handles)

    return draw_on


def _lines(
    axes: Axes, lines: tuple[_Line, ...], minutes: Array, columns: Mapping[str, Array]
) -> list[Any]:
    handles: list[Any] = []
    for line in lines:
        if line.column in columns:
            values = columns[line.column]
            known = np.isfinite(values)
            handles += axes.plot(
                minutes[known], values[known], '.-', color=line.colour, label=line.label
            )
    return handles


def _legend(axes: Axes, handles: list[Any] | None = None) -> None:
    known = axes.get_legend_handles_labels()[0] if handles is None else handles
    axes.legend(
        handles=known,
        loc='lower left',
        bbox_to_anchor=(0.0, 1.0),
        ncols=max(len(known), 1),
        frameon=False,
        fontsize='small',
        borderaxespad=0.2,
    )
