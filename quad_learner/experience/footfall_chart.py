"""The foot-contact pattern as a picture: a bar for each foot while it is on the ground."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from quad_learner.experience.drawing import RED, drawn
from quad_learner.experience.durable import write_atomically
from quad_learner.experience.gait import FEET, Contacts, runs
from quad_learner.experience.walk_quality import Bout

SECONDS = 4.0
"""[s] shown, from the middle of the bout: some seven strides"""
ROWS = (2, 0, 1, 3)
"""hind left, front left, front right, hind right: the usual order, in which a trot is a zigzag"""
SIZE_INCHES = (8.0, 2.6)
"""width and height: as wide as the report has room for beside the film"""
GROUND = '#1c2430'
"""colour of a foot that bears the robot"""
BAR = 0.7
"""height of a bar, of the distance between rows"""


def write_chart(path: Path, bout: Bout, title: str) -> None:
    """Writes a PNG of the contacts in `bout`, unsmoothed; a red row shows what is no foot.

    Args:
        path: the file.
        bout: of a robot with four legs.
        title: above the picture.
    """
    write_atomically(path, drawn(SIZE_INCHES, lambda axes: _draw(axes, bout, title), grid='x'))


def _draw(axes: Axes, bout: Bout, title: str) -> None:
    first = max(0, round((len(bout.contact) / bout.tick_hz - SECONDS) / 2.0 * bout.tick_hz))
    last = first + round(SECONDS * bout.tick_hz)
    other = np.array([bool(links) for links in bout.others])[first:last]
    rows: list[tuple[str, Contacts, str]] = [
        (FEET[foot].replace('_', ' '), bout.contact[first:last, foot], GROUND) for foot in ROWS
    ]
    rows.append(('knees, trunk', other, RED))
    for row, (_, contact, colour) in enumerate(rows):
        bars = [
            ((first + begin) / bout.tick_hz, (end - begin) / bout.tick_hz)
            for begin, end in runs(contact, True)
        ]
        axes.broken_barh(bars, (row - BAR / 2.0, BAR), facecolors=colour)
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(first / bout.tick_hz, last / bout.tick_hz)
    axes.set_xlabel('time in the episode [s]')
    axes.set_title(title, loc='left', fontsize='medium')
