"""Where the robot is: its own estimate, with the drift taken out wherever a pose is given.

Nobody is believed blindly. A pose far from where the robot is taken to be counts once several that
follow each other agree: a tag that is read wrongly once would send the robot out of its workspace.
One that is the same again while the robot moved tells of a source that hangs. And an estimate that
is suddenly elsewhere began anew, as that of a new process does: the robot is where it was.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from quad_learner.robot.signals import NANOSECONDS
from quad_learner.task.workspace import CENTRE, Place

KEPT_NS = 5 * NANOSECONDS
"""[ns] how old a pose may be when it comes"""
LEAP_M = 0.5
"""[m] from where the robot is taken to be: as far, one pose alone is not believed"""
LEAP_RAD = 0.5
"""[rad] the same for the heading"""
AGREEING = 3
"""poses after each other that must tell the same leap"""
AGREEING_NS = NANOSECONDS
"""[ns] that they must cover: a fast camera reads a tag wrongly several times in a row"""
STILL_M = 0.05
"""[m] a robot that went further is not where it was to the last digit"""
STILL_RAD = 0.05
"""[rad] the same for the heading"""
JUMP_M = 0.2
"""[m] so far beyond a motion an estimate does not jump by itself (safety.yaml: place_jump_m)"""
FASTEST_M_S = 5.0
"""[m/s] of such a motion (safety.yaml: place_speed_max_m_s)"""
GAP_NS = NANOSECONDS // 20
"""[ns] who hears nothing for longer is stopped, and goes no further"""
FORGOTTEN = 0.25
"""share of its variance that no estimate of a place comes down to without a look at the place"""
SETTLED = 1e-3
"""[m²] variance of one that is ten seconds old, and comes down no more as it finds its feet"""


@dataclass(frozen=True)
class _Seen:
    """An estimate."""

    time_ns: int
    place: Place
    variance: float
    """[m²]"""


@dataclass(frozen=True)
class _Doubt:
    """A leap that poses tell of, and that is not believed yet."""

    moved: Place
    """the origin that the newest of them asks for"""
    since_ns: int
    poses: int


class PlaceKeeper:
    """An external pose of some instant moves the estimates of that instant and after it there."""

    def __init__(self) -> None:
        self._seen: deque[_Seen] = deque()
        self._moved = CENTRE
        """of the estimate's origin"""
        self._doubt: _Doubt | None = None
        self._given: tuple[Place, Place] | None = None
        """the newest pose, and the estimate of when it was first given"""
        self.corrected_m = 0.0
        """how far the last pose that counted moved the place [m]"""

    def see(self, time_ns: int, estimated: Place, variance: float = 0.0) -> None:
        """Takes in an estimate.

        Args:
            time_ns: whose [ns], later than all before.
            estimated: place in `odom`; one that is not finite is passed over.
            variance: of each coordinate [m²]; 0: unknown.
        """
        if not all(math.isfinite(number) for number in estimated):
            return
        seen = _Seen(time_ns, estimated, variance)
        if self._seen and _began_anew(self._seen[-1], seen):
            self._go_on_from(estimated)
        self._seen.append(seen)
        while self._seen[0].time_ns < time_ns - KEPT_NS:
            self._seen.popleft()

    def _go_on_from(self, estimated: Place) -> None:
        """Has the robot stay where it was. The heading is the inertial unit's: it goes on."""
        place, turned = self.place, Place(0.0, 0.0, self._moved.yaw).after(estimated)
        self._moved = Place(place.x - turned.x, place.y - turned.y, self._moved.yaw)
        self._seen.clear()
        self._doubt = self._given = None

    def correct(self, time_ns: int, given: Place) -> str:
        """Takes in where the robot really was at `time_ns` [ns].

        Returns:
            Why the pose changes nothing, for people; '' where it counts.
        """
        if not all(math.isfinite(number) for number in given):
            return 'not finite'
        before = [seen.place for seen in self._seen if seen.time_ns <= time_ns]
        if not before:
            return 'of an instant that no estimate is known of'
        estimated = before[-1]
        if self._hangs(given, estimated):
            return 'the same as before, though the robot moved'
        # given = moved.after(estimated)
        yaw = given.yaw - estimated.yaw
        turned = Place(0.0, 0.0, yaw).after(estimated)
        moved = Place(given.x - turned.x, given.y - turned.y, yaw)
        taken = self._moved.after(estimated)
        if not self._is_believed(time_ns, given, estimated, moved):
            return f'{_apart_m(given, taken):.2f} m from where the robot is taken to be'
        self._moved, self._doubt = moved, None
        self.corrected_m = _apart_m(given, taken)
        return ''

    def _hangs(self, given: Place, estimated: Place) -> bool:
        if self._given is None or self._given[0] != given:
            self._given = given, estimated
            return False
        return not _is_near(self._given[1], estimated, STILL_M, STILL_RAD)

    def _is_believed(self, time_ns: int, given: Place, estimated: Place, moved: Place) -> bool:
        if _is_near(self._moved.after(estimated), given, LEAP_M, LEAP_RAD):
            return True
        doubt = self._doubt
        if doubt is None or not _is_near(doubt.moved.after(estimated), given, LEAP_M, LEAP_RAD):
            self._doubt = _Doubt(moved, time_ns, 1)
            return False
        self._doubt = _Doubt(moved, doubt.since_ns, doubt.poses + 1)
        return self._doubt.poses >= AGREEING and time_ns - doubt.since_ns >= AGREEING_NS

    @property
    def place(self) -> Place:
        """Now; the centre before anything was seen."""
        return self._moved.after(self._seen[-1].place) if self._seen else CENTRE


def _began_anew(before: _Seen, now: _Seen) -> bool:
    """Tells whether an estimate is another one's that knows nothing of those before."""
    seconds = min(now.time_ns - before.time_ns, GAP_NS) / NANOSECONDS
    if _apart_m(before.place, now.place) > JUMP_M + FASTEST_M_S * seconds:
        return True
    return before.variance > SETTLED and now.variance < FORGOTTEN * before.variance


def _apart_m(one: Place, other: Place) -> float:
    return math.hypot(one.x - other.x, one.y - other.y)


def _is_near(one: Place, other: Place, metres: float, radians: float) -> bool:
    turned = abs(math.remainder(one.yaw - other.yaw, 2.0 * math.pi))
    return _apart_m(one, other) <= metres and turned <= radians
