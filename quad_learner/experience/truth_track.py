"""Remembers the true path of the robot for as long as an episode may ask for it, for scoring."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from quad_learner.experience.walking import displacement_along_heading
from quad_learner.robot.rotations import roll_pitch_yaw

Array = NDArray[np.float64]

GAP_NS = 100_000_000
"""[ns] from what is asked for to the next pose at most: three lost in a row at 40 Hz, by which the
speed over ten seconds is 1 % off"""


class TruthTrack:
    """True poses by stamp, the newest `length` of them."""

    def __init__(self, length: int) -> None:
        """Args:
        length: poses kept; must cover the longest episode and the delay of its report.
        """
        self._poses: deque[tuple[int, Array, Array]] = deque(maxlen=length)

    def add(self, time_ns: int, position: Array, orientation: Array) -> None:
        """Adds a pose; stamps that do not rise are ignored.

        Args:
            time_ns: its stamp [ns].
            position: in the world [m], (3,).
            orientation: world_from_body quaternion x, y, z, w, (4,).
        """
        if not self._poses or time_ns > self._poses[-1][0]:
            self._poses.append((time_ns, position, orientation))

    def has(self, time_ns: int) -> bool:
        """Tells whether the pose at `time_ns` [ns], or a later one, has arrived."""
        return bool(self._poses) and self._poses[-1][0] >= time_ns

    def displacement(self, start_ns: int, end_ns: int) -> float | None:
        """Returns the way made good along the heading at the start [m], None if not known."""
        start, end = self._at(start_ns), self._at(end_ns)
        if start is None or end is None:
            return None
        return displacement_along_heading(start[1], start[2], end[1])

    def turned(self, start_ns: int, end_ns: int) -> float | None:
        """Returns by how much it turned to the left [rad], whole turns and all, None likewise."""
        start, end = self._at(start_ns), self._at(end_ns)
        if start is None or end is None:
            return None
        yaws = [
            roll_pitch_yaw(orientation)[2]
            for stamp, _, orientation in self._poses
            if start[0] <= stamp <= end[0]
        ]
        return float(np.unwrap(yaws)[-1] - yaws[0])

    def _at(self, time_ns: int) -> tuple[int, Array, Array] | None:
        """Returns the first pose at or after `time_ns`; None if it is forgotten, or was lost."""
        if not self._poses or self._poses[0][0] > time_ns:
            return None
        found = next((pose for pose in self._poses if pose[0] >= time_ns), None)
        return found if found is not None and found[0] - time_ns <= GAP_NS else None
