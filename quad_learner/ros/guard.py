"""What a message holds never ends a node: an error of its callback is counted, told and survived.

Each subscription of a node passes here, where the node makes it. What can be foreseen of a message
is judged where it is read, as MessageError; this is for what was not foreseen.
"""

from __future__ import annotations

import struct
import traceback
from collections import Counter
from collections.abc import Callable
from typing import Any

from quad_learner.robot.signals import NANOSECONDS
from quad_learner.ros.clock import steady_ns

READING = (ValueError, OverflowError, struct.error)
"""what reading a message raises that makes no sense, MessageError among them"""
TOLD_NS = 10 * NANOSECONDS
"""[ns] between two errors that are told in full: whoever sends such messages may send thousands"""
WORDS_MAX = 200
"""letters of an error that are kept: it may quote a message"""


class Guard:
    """Stands between the executor and the callbacks of a node's subscriptions."""

    def __init__(self, survives: Callable[[Exception], bool], tell: Callable[[str], None]) -> None:
        """Stores.

        Args:
            survives: tells whether the node goes on after an error.
            tell: says an error with where it happened, at most one each TOLD_NS.
        """
        self._survives = survives
        self._tell = tell
        self._told_ns: int | None = None
        self.caught: Counter[str] = Counter()
        """errors so far, by topic"""
        self.last = ''
        """the newest of them, in words"""

    def guarded(self, topic: str, callback: Callable[[Any], None]) -> Callable[[Any], None]:
        """Returns a callback that hears what `callback` does, and raises nothing survivable."""

        def hear(message: Any) -> None:
            try:
                callback(message)
            except Exception as error:
                if not self._survives(error):
                    raise
                self._note(topic, error)

        return hear

    def _note(self, topic: str, error: Exception) -> None:
        self.caught[topic] += 1
        self.last = f'{topic}: {type(error).__name__}: {error}'[:WORDS_MAX]
        now_ns = steady_ns()
        if self._told_ns is None or now_ns - self._told_ns >= TOLD_NS:
            self._told_ns = now_ns
            where = ''.join(traceback.format_tb(error.__traceback__))
            self._tell(
                f'passed over a message, {self.caught.total()} so far: {self.last}\n{where}'
            )
