"""Draws λ, falls and speed over robot time for some of the changes of ablations.py, all seeds.

    python benchmarks/ablation_curves.py default 'constraint off' --picture curves.svg

The ending of the picture's name says its format. The same trials make the same file.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ablations import OUT, read
from quad_learner.experience.drawing import GRID, GRID_WIDTH
from quad_learner.experience.walking import WINDOW

COLOURS = ('#2563eb', '#d43d51', '#15936b', '#ea8a1a', '#8b93a1', '#7c3aed')
SIZE_INCHES = (7.0, 7.5)
DPI = 130
SECONDS_IN_MINUTE = 60.0
SALT = 'ablation_curves'
"""of the names inside an SVG, which are random else"""
UNDATED: Mapping[str, None] = {'Date': None}
"""an SVG says else when it was drawn"""


def draw(trials: Mapping[str, Sequence[Mapping[str, Any]]], picture: Path) -> None:
    """Writes a picture: a colour a change, a line a seed.

    Args:
        trials: as read from the file, by change.
        picture: the file to write, .png or .svg.
    """
    figure = Figure(figsize=SIZE_INCHES, dpi=DPI, layout='constrained')
    price, falls, speed = figure.subplots(3, sharex=True)
    for (name, seeds), colour in zip(trials.items(), COLOURS, strict=False):
        for number, trial in enumerate(seeds):
            label = f'{name} ({len(seeds)})' if number == 0 else None
            _draw_trial((price, falls, speed), trial['curves'], colour, label)
    price.set_ylabel('λ')
    falls.set_ylabel('falls so far')
    falls.yaxis.set_major_locator(MaxNLocator(integer=True))
    speed.set_ylabel(f'speed, mean of {WINDOW} episodes [m/s]')
    speed.set_xlabel('robot time [min]')
    for axes in (price, falls, speed):
        axes.spines[['top', 'right']].set_visible(False)
        axes.grid(color=GRID, linewidth=GRID_WIDTH)
    figure.legend(loc='outside upper left', ncols=2, frameon=False, fontsize='small')
    picture.parent.mkdir(parents=True, exist_ok=True)
    with rc_context({'svg.hashsalt': SALT}):
        figure.savefig(picture, metadata=UNDATED if picture.suffix == '.svg' else None)


def _draw_trial(
    panels: tuple[Axes, Axes, Axes], curves: Mapping[str, Any], colour: str, label: str | None
) -> None:
    style: dict[str, Any] = {'color': colour, 'alpha': 0.7, 'linewidth': 1.2}
    price, falls, speed = panels
    minutes = np.array(curves['end_s']) / SECONDS_IN_MINUTE
    price.plot(minutes, curves['lambda'], label=label, **style)
    falls.step([0.0, *minutes], [0, *np.cumsum(curves['fell'])], where='post', **style)
    if len(minutes) >= WINDOW:
        mean = np.convolve(curves['speed_m_s'], np.full(WINDOW, 1.0 / WINDOW), mode='valid')
        speed.plot(minutes[WINDOW - 1 :], mean, **style)


def main() -> None:
    """Draws."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('changes', nargs='+', help=f'names as in the file, at most {len(COLOURS)}')
    parser.add_argument('--minutes', type=float, default=10.0, help='of robot time')
    parser.add_argument('--trials', type=Path, default=OUT, help=f'the file (default {OUT})')
    parser.add_argument('--picture', type=Path, default=OUT.with_suffix('.png'))
    options = parser.parse_args()
    if len(options.changes) > len(COLOURS):
        parser.error(f'{len(options.changes)} changes are more than {len(COLOURS)} colours')
    known = [trial for trial in read(options.trials) if trial['minutes'] == options.minutes]
    trials = {
        name: [trial for trial in known if trial['change'] == name] for name in options.changes
    }
    missing = [name for name, seeds in trials.items() if not seeds]
    if missing:
        parser.error(f'{options.trials} has no trial of {options.minutes:g} minutes: {missing}')
    draw(trials, options.picture)
    print(options.picture)


if __name__ == '__main__':
    main()
