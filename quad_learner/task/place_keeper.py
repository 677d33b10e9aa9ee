"""Where the robot is: its own estimate, with the drift taken out wherever a pose is given."""

from __future__ import annotations

import math
from collections import deque

from quad_learner.robot.signals import NANOSECONDS
from quad_learner.task.workspace import CENTRE, Place

KEPT_NS = 5 * NANOSECONDS
"""[ns] how old a pose may be when it comes"""


class PlaceKeeper:
    """An external pose of some instant moves the estimates of that instant and after it there."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, Place]] = deque()
        self._moved = CENTRE
        """of the estimate's origin"""

    def see(self, time_ns: int, estimated: Place) -> None:
        """Takes in the estimate of `time_ns` [ns], later than all before."""
        self._seen.append((time_ns, estimated))
        while self._seen[0][0] < time_ns - KEPT_NS:
            self._seen.popleft()

    def correct(self, time_ns: int, given: Place) -> bool:
        """Takes in where the robot really was at `time_ns` [ns].

        Returns:
            False, and nothing changes, where it is not finite, or no estimate of that time or
            before it is known.
        """
        before = [place for stamp, place in self._seen if stamp <= time_ns]
        if not before or not all(math.isfinite(number) for number in given):
            return False
        # given = moved.after(estimated)
        yaw = given.yaw - before[-1].yaw
        turned = Place(0.0, 0.0, yaw).after(before[-1])
        self._moved = Place(given.x - turned.x, given.y - turned.y, yaw)
        return True

    @property
    def place(self) -> Place:
        """Now; the centre before anything was seen."""
        return self._moved.after(self._seen[-1][1]) if self._seen else CENTRE
