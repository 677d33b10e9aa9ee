"""What the episodes of a run came to."""

from __future__ import annotations

import math


class EpisodeTally:
    """Fed with every step in its order."""

    def __init__(self) -> None:
        self.falls = 0
        """of all episodes so far"""
        self.last_return = math.nan
        """rewards of the last episode that ended, summed; not a number before the first end"""
        self.last_length = math.nan
        """its steps, likewise"""
        self._return = self._length = 0.0

    def count(self, reward: float, fell: bool, ended: bool) -> None:
        """Takes in what a step earned, whether the robot fell in it and whether it was the last.

        Args:
            reward: of the step.
            fell: the episode was terminated by it.
            ended: it was terminated or truncated.
        """
        self._return += reward
        self._length += 1.0
        self.falls += fell
        if ended:
            self.last_return, self.last_length = self._return, self._length
            self._return = self._length = 0.0
