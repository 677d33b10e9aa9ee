"""What the pictures of a run have in common: plain axes over a faint grid, and a PNG of them."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

DPI = 120
"""[dots an inch] sharp on a screen, and tens of kilobytes a picture"""
RED = '#d43d51'
"""what should not be: falls, knees on the ground, a line not to be crossed"""
GRID, GRID_WIDTH = '#e6e8ec', 0.8
"""colour, and [points]: there when it is looked for"""


def drawn(
    size_inches: tuple[float, float],
    draw_on: Callable[[Axes], None],
    grid: Literal['both', 'x'] = 'both',
) -> bytes:
    """Returns a picture (PNG).

    Args:
        size_inches: width and height.
        draw_on: draws on the axes.
        grid: the axes that have lines.
    """
    # Figure, not pyplot: no global state and no screen needed.
    figure = Figure(figsize=size_inches, dpi=DPI, layout='constrained')
    axes = figure.add_subplot()
    axes.spines[['top', 'right']].set_visible(False)
    axes.grid(axis=grid, color=GRID, linewidth=GRID_WIDTH)
    axes.set_axisbelow(True)
    draw_on(axes)
    picture = io.BytesIO()
    figure.savefig(picture, format='png')
    return picture.getvalue()
