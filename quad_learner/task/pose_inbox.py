"""External poses on their way to the place: in which order, when, and which of them are none."""

from __future__ import annotations

from quad_learner.robot.signals import NANOSECONDS
from quad_learner.task.workspace import Place

DELAY_NS = NANOSECONDS // 2
"""[ns] lockstep takes a pose in so long after its stamp, whenever it has come"""
AHEAD_NS = NANOSECONDS
"""[ns] lockstep: a stamp so far ahead of the newest sample is no time of this robot; one that is
less may have overtaken its sample"""
KEPT = 256
"""poses: more than wait within DELAY_NS and AHEAD_NS at 100 a second"""
SILENT_S = 5.0
"""[s] without a pose that counts: people are told"""


class PoseInbox:
    """In lockstep what is due depends on stamps alone; in real time a pose counts as fresh."""

    def __init__(self, lockstep: bool) -> None:
        """Args:
        lockstep: the camera's clock is the robot's.
        """
        self._lockstep = lockstep
        self._waiting: list[tuple[int, Place]] = []
        self._last_stamp_ns: int | None = None
        self._silent_since_ns: int | None = None
        self.refused = ''
        """why the newest pose did not count; '' where it did"""

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, stamp_ns: int, place: Place, now_ns: int) -> bool:
        """Takes in a pose; tells whether it is one.

        Args:
            stamp_ns: when the robot was there [ns], by the clock of who saw it.
            place: where.
            now_ns: time of the newest sample [ns].
        """
        why = self._why_not(stamp_ns, now_ns)
        self._last_stamp_ns = stamp_ns
        if why:
            self.note(why, now_ns)
            return False
        self._waiting.append((stamp_ns, place))
        return True

    def _why_not(self, stamp_ns: int, now_ns: int) -> str:
        if stamp_ns == self._last_stamp_ns:
            return 'its stamp is that of the pose before'
        if self._lockstep and stamp_ns > now_ns + AHEAD_NS:
            return f'its stamp is {(stamp_ns - now_ns) / NANOSECONDS:.1f} s ahead of the robot'
        if len(self._waiting) >= KEPT:
            return f'{KEPT} poses wait already'
        return ''

    def due(self, now_ns: int) -> list[tuple[int, Place]]:
        """Returns the poses whose time has come at `now_ns` [ns], with the time to count as."""
        if not self._lockstep:
            waiting, self._waiting = self._waiting, []
            # A robot's ticks and a camera's clock know nothing of each other.
            return [(now_ns, place) for _, place in waiting]
        due = sorted(pose for pose in self._waiting if pose[0] + DELAY_NS <= now_ns)
        self._waiting = [pose for pose in self._waiting if pose[0] + DELAY_NS > now_ns]
        return due

    def note(self, refused: str, now_ns: int) -> None:
        """Takes note of what came of a pose at `now_ns` [ns]: why it does not count, or ''."""
        self.refused = refused
        if not refused or self._silent_since_ns is None:
            self._silent_since_ns = now_ns

    def silent_s(self, now_ns: int) -> float:
        """Returns for how long no pose has counted [s]; NaN where there never was any."""
        if self._silent_since_ns is None:
            return float('nan')
        return max(0, now_ns - self._silent_since_ns) / NANOSECONDS

    def trouble(self, now_ns: int) -> str:
        """Returns what people should know at `now_ns` [ns]; '' where all is well."""
        silent_s = self.silent_s(now_ns)
        if not silent_s > SILENT_S:
            return ''
        why = f'; the newest: {self.refused}' if self.refused else ''
        return f'no external/pose has counted for {silent_s:.0f} s: the place drifts{why}'
