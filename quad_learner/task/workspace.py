"""Where the robot may be: a rectangle around the place where the run began."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

SLACK_M = 0.1
"""[m] who is on the way back in may stray so much further out again"""


class Place(NamedTuple):
    """Where the robot stands and looks, seen from above; the workspace's centre is the origin."""

    x: float
    """[m]"""
    y: float
    """[m]"""
    yaw: float
    """[rad]"""

    def after(self, step: Place) -> Place:
        """Returns the place that is `step` away, as seen from this one."""
        cos, sin = math.cos(self.yaw), math.sin(self.yaw)
        return Place(
            self.x + cos * step.x - sin * step.y,
            self.y + sin * step.x + cos * step.y,
            self.yaw + step.yaw,
        )

    def seen_from(self, origin: Place) -> Place:
        """Returns this place as `origin` sees it: origin.after(it) is this place."""
        cos, sin = math.cos(origin.yaw), math.sin(origin.yaw)
        x, y = self.x - origin.x, self.y - origin.y
        return Place(cos * x + sin * y, cos * y - sin * x, self.yaw - origin.yaw)

    @property
    def distance(self) -> float:
        """To the centre [m]."""
        return math.hypot(self.x, self.y)

    @property
    def centre(self) -> tuple[float, float]:
        """Direction of the centre in the body's frame (ahead, left), (2,); zeros in the centre."""
        if self.distance == 0.0:
            return 0.0, 0.0
        there = Place(0.0, 0.0, 0.0).seen_from(self)
        return there.x / self.distance, there.y / self.distance


CENTRE = Place(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Workspace:
    """A rectangle, and the strip inside its bounds in which a robot still comes to a halt."""

    half_x: float
    """from the centre to the bound [m]; infinite where there is none"""
    half_y: float
    margin: float
    """width of the strip [m]"""

    def excursion(self, place: Place) -> float:
        """Returns how far `place` is beyond the strip's inner edge [m]; negative inside."""
        return self.margin + self.beyond(place)

    def beyond(self, place: Place) -> float:
        """Returns how far `place` is beyond the bounds [m]; negative inside."""
        return max(abs(place.x) - self.half_x, abs(place.y) - self.half_y)


class Leash:
    """Ends an episode that leads out. One that begins outside may come back, but go no further."""

    def __init__(self) -> None:
        self._least = 0.0

    def begin(self, excursion: float) -> None:
        """Begins an episode `excursion` [m] beyond the inner edge."""
        self._least = max(excursion, -SLACK_M)

    def left(self, excursion: float) -> bool:
        """Tells whether the robot, now `excursion` [m] beyond the inner edge, has left."""
        self._least = min(self._least, max(excursion, -SLACK_M))
        return excursion > self._least + SLACK_M
