"""Pictures of a simulated robot while it moves, and strips of them for a document."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from quad_learner.simulation.camera import render
from quad_learner.simulation.robot import SimulatedRobot

Picture = NDArray[np.uint8]

COLOURS = 255
"""of a strip: a plain floor and one robot need no more"""


class Film:
    """Takes a picture every so many ticks, from `begin` to `end`."""

    def __init__(self, sim: SimulatedRobot, every: int, size: tuple[int, int]) -> None:
        """Stores whom to film.

        Args:
            sim: a connected robot.
            every: ticks from one picture to the next.
            size: width and height of a picture [pixels].
        """
        self.pictures: list[Picture] = []
        self._sim, self._every, self._size = sim, every, size
        self._ticks: int | None = None

    def begin(self) -> None:
        """Films from now on; what was filmed before is dropped."""
        self._ticks = 0
        self.pictures = []

    def end(self) -> None:
        """Films no more."""
        self._ticks = None

    def look(self) -> None:
        """Is told of each tick."""
        if self._ticks is None:
            return
        if self._ticks % self._every == 0:
            self.pictures.append(render(self._sim, *self._size))
        self._ticks += 1

    def save(self, path: Path, pictures: int, rows: int = 1) -> None:
        """Writes `pictures` of them, evenly spread from the first to the last, in `rows`."""
        Image.fromarray(strip(self.pictures, pictures, rows)).quantize(COLOURS).save(
            path, optimize=True
        )


def strip(taken: list[Picture], pictures: int, rows: int) -> Picture:
    """Returns `pictures` of those `taken`, evenly spread, side by side in `rows`.

    Raises:
        ValueError: none was taken, or the rows would not be equally long.
    """
    if not taken:
        raise ValueError('no picture was taken: nothing to show')
    if pictures % rows:
        raise ValueError(f'{pictures} pictures do not fill {rows} rows')
    chosen = np.linspace(0, len(taken) - 1, pictures).round().astype(int).reshape(rows, -1)
    return np.vstack([np.hstack([taken[i] for i in row]) for row in chosen])
