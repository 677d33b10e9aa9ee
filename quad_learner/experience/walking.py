"""When does a robot walk, and how fast?

Speed is judged harshly: true displacement along the heading that the episode began with, over the
full duration of an episode, also where a fall or a trip cut it short. An episode that was cut by
the end of the budget, warm motors, a low battery or an operator is no evidence either way and is
left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quad_learner.experience.metrics_table import Row

WINDOW = 3
"""Consecutive episodes that are averaged: a single one may be luck."""
SPEED_DECIMALS = 4
"""Of a mean speed in m/s, so that the mean of 0.3, 0.4 and 0.5 is no hair below 0.4."""


def mean_speed(rows: Sequence[Row], window: int = WINDOW) -> float | None:
    """Returns the mean speed of the last `window` episodes [m/s], None where there are fewer.

    Episodes that were cut by what says nothing of the walking are left out.
    """
    speeds = [row.speed for row in rows if not row.episode.cut][-window:]
    return round(float(np.mean(speeds)), SPEED_DECIMALS) if len(speeds) == window else None


def time_to_walk(rows: Sequence[Row], walk_speed: float, window: int = WINDOW) -> float | None:
    """Returns the robot time at which the robot first walked [s], None if it never did.

    It walks at the end of the first `window` consecutive episodes that average at least
    `walk_speed` [m/s] and of which none ended in a fall or was cut.
    """
    for end in range(window, len(rows) + 1):
        run = rows[end - window : end]
        whole = not any(row.episode.fell or row.episode.cut for row in run)
        speed = round(float(np.mean([row.speed for row in run])), SPEED_DECIMALS)
        if whole and speed >= walk_speed:
            return round(run[-1].episode.end_s, 3)
    return None


def displacement_along_heading(
    start: NDArray[np.float64], orientation: NDArray[np.float64], end: NDArray[np.float64]
) -> float:
    """Returns how far `end` lies from `start` along the heading of the start [m].

    Args:
        start: position in the world [m], (3,).
        orientation: world_from_body at the start, quaternion x, y, z, w, (4,).
        end: position in the world [m], (3,).
    """
    x, y, z, w = orientation
    # First column of the rotation matrix, without its vertical part: where the nose points.
    heading = np.array([1 - 2 * (y * y + z * z), 2 * (x * y + w * z)])
    return float((end - start)[:2] @ heading / np.linalg.norm(heading))
