"""Which of the learned tasks follows a command best; none means stand."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from quad_learner.drive.config import DriveConfig
from quad_learner.task.kinds import VELOCITY, Kind

Array = NDArray[np.float64]


class Selector:
    """One that follows velocities does it all; else the largest part of the command counts."""

    def __init__(self, kinds: Collection[Kind], config: DriveConfig, largest: Array) -> None:
        """Args:
        kinds: the tasks that were learned.
        config: the thresholds.
        largest: a full command, (3,).
        """
        self._kinds = kinds
        self._config = config
        self._largest = np.where(largest > 0.0, largest, np.inf)

    def choose(
        self, wanted: Array, current: Kind | None, given_up: Collection[Kind] = ()
    ) -> Kind | None:
        """Returns the task that follows `wanted`, (3,), best; None: stand.

        Args:
            wanted: velocity ahead, to the left [m/s], yaw rate [rad/s].
            current: the task that is being done; it is kept until another is clearly better.
            given_up: tasks that must not be done. Where that is the one which follows velocities,
                the others do what they can; where it is the best of them, the robot stands.
        """
        share = wanted / self._largest
        if VELOCITY in self._kinds and VELOCITY not in given_up:
            return VELOCITY if np.abs(share).max() > self._config.dead_share else None
        ahead, _, turn = share.tolist()
        shares = {kind: kind.along * ahead + kind.turn * turn for kind in self._kinds}
        best = max(shares, key=lambda kind: shares[kind])
        if shares[best] <= self._config.dead_share:
            return None
        if current in shares and shares[best] < shares[current] + self._config.switch_share:
            best = current if shares[current] > self._config.dead_share else best
        return None if best in given_up else best
