"""What the keys of a terminal ask for: while one is held, the robot moves; let go, it stands.

A terminal tells presses alone. A key that is held is told again and again, after a first pause of
up to some 0.6 s; so a press counts for `key_hold_s`, which is longer than that.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from quad_learner.drive.config import DriveConfig
from quad_learner.robot.signals import NANOSECONDS
from quad_learner.task.commander import REST

Array = NDArray[np.float64]

ASKS: Mapping[str, tuple[float, float, float]] = MappingProxyType(
    {
        'w': (1.0, 0.0, 0.0),
        's': (-1.0, 0.0, 0.0),
        'a': (0.0, 0.0, 1.0),
        'd': (0.0, 0.0, -1.0),
        'q': (1.0, 0.0, 1.0),
        'e': (1.0, 0.0, -1.0),
        'z': (0.0, 1.0, 0.0),
        'c': (0.0, -1.0, 0.0),
    }
)
"""shares of the full command: ahead, to the left, turn to the left"""
STAND, FASTER, SLOWER = ' ', '+', '-'
SHARES = tuple(number / 10 for number in range(1, 11))
"""of the full command, chosen with + and −"""
HELP = (
    'hold w ahead, s back, a turn left, d turn right (or the arrows), q and e curve, z and c '
    'sideways;\n'
    'space stands at once, + faster, - slower; letting go stands too'
)


class Keys:
    """Keeps what the newest key asks for."""

    def __init__(self, config: DriveConfig, largest: Array) -> None:
        """Stores; nothing is asked for yet.

        Args:
            config: how long a press counts.
            largest: the full command: ahead, to the left [m/s], yaw rate [rad/s], (3,).
        """
        self._hold_ns = round(config.key_hold_s * NANOSECONDS)
        self._largest = largest
        self._share = len(SHARES) - 1
        self._asked = REST
        self._pressed_ns: int | None = None

    @property
    def share(self) -> float:
        """Share of the full command that a key asks for."""
        return SHARES[self._share]

    def press(self, key: str, now_ns: int) -> bool:
        """Takes in one character as the terminal gives it; tells whether it means anything."""
        key = key.lower()
        if key in (FASTER, SLOWER):
            step = 1 if key == FASTER else -1
            self._share = min(max(self._share + step, 0), len(SHARES) - 1)
        elif key == STAND:
            self._pressed_ns = None
        elif key in ASKS:
            self._asked, self._pressed_ns = np.array(ASKS[key]), now_ns
        else:
            return False
        return True

    def wanted(self, now_ns: int) -> Array:
        """Returns the velocity that is asked for now, (3,): zeros when no key is held."""
        pressed = self._pressed_ns
        if pressed is None or not 0 <= now_ns - pressed <= self._hold_ns:
            return REST
        return self.share * self._asked * self._largest
