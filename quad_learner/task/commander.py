"""Velocities to practise: drawn at random, such that the robot stays in its workspace."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quad_learner.robot.signals import NANOSECONDS
from quad_learner.task.config import TaskConfig
from quad_learner.task.workspace import Place, Workspace

Array = NDArray[np.float64]

REST = np.zeros(3)
"""the command to stand"""
REST_SHARE = 0.1
"""of the commands drawn: standing still is to be learned too"""
DRAWS = 8
"""tries to find a command that leads nowhere forbidden; after that the best of them is taken"""


class Commander:
    """Gives a planar velocity [m/s] ahead and to the left and a yaw rate [rad/s], (3,)."""

    def __init__(
        self, config: TaskConfig, workspace: Workspace, generator: np.random.Generator
    ) -> None:
        """Args:
        config: how large, how long.
        workspace: where to stay.
        generator: the only source of randomness.
        """
        self._largest = np.array(config.command_max)
        self._seconds = config.command_s
        self._workspace = workspace
        self._generator = generator
        self._command = REST
        self._until_ns = 0

    def begin(self) -> None:
        """Begins an episode: the next command is a new one."""
        self._until_ns = 0

    def wanted(self, time_ns: int, place: Place) -> Array:
        """Returns the command of the instant `time_ns` [ns] for a robot at `place`, (3,)."""
        if time_ns >= self._until_ns:
            self._command = self._draw(place)
            self._until_ns = time_ns + round(self._seconds * NANOSECONDS)
        return self._command

    def _draw(self, place: Place) -> Array:
        here = max(0.0, self._workspace.excursion(place))
        best, least = REST, np.inf
        for _ in range(DRAWS):
            rests = self._generator.random() < REST_SHARE
            command = self._largest * self._generator.uniform(-1.0, 1.0, 3)
            if rests and here == 0.0:
                return REST
            excursion = self._workspace.excursion(self._end(place, command))
            if excursion <= 0.0:
                return command
            if excursion < least:
                best, least = command, excursion
        return best

    def _end(self, place: Place, command: Array) -> Place:
        """Returns where `command` ends: as the crow flies, turned by half of its turn."""
        ahead, left, turn = (command * self._seconds).tolist()
        return place.after(Place(0.0, 0.0, 0.5 * turn)).after(Place(ahead, left, 0.5 * turn))
