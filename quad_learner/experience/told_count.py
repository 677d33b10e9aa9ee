"""A count that another process tells again and again."""

from __future__ import annotations


class ToldCount:
    """What such a count rose by. It begins at zero again with the process that tells it."""

    def __init__(self, counted: int) -> None:
        """Args:
        counted: of it has been counted already, by a listener of before.
        """
        self._seen = counted
        self._is_heard = False

    def rise(self, told: int) -> int:
        """Returns by how much the count rose since it was told last.

        Who tells less than before has started again, and counted all of it since. A new listener
        cannot know whether that was before it came itself, and takes it as counted.

        Args:
            told: the count now.
        """
        rise = told - self._seen
        if rise < 0:
            rise = told if self._is_heard else 0
        self._seen, self._is_heard = told, True
        return rise
