"""Takes the sequences that a terminal sends for arrows and function keys out of what it gives.

Such a key comes as several characters, the last ones letters that mean something by themselves: an
arrow is ESC [ A, F1 is ESC O P. Read letter by letter, the arrow to the left would turn right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from quad_learner.robot.signals import NANOSECONDS

ESCAPE = '\x1b'
ARROWS: Mapping[str, str] = MappingProxyType({'[A': 'w', '[B': 's', '[C': 'd', '[D': 'a'})
"""the key that an arrow stands for: ahead, back, turn right, turn left"""
TOGETHER_NS = NANOSECONDS // 10
"""[ns] what comes later after ESC is a key of its own: a person pressed both"""
INTRODUCERS = '[O'
FINAL = '@'
"""the first of the characters that may end a sequence"""


class Escapes:
    """Remembers a sequence that was read in parts."""

    def __init__(self) -> None:
        self._begun = ''
        self._since_ns = 0

    def keys(self, characters: str, now_ns: int) -> Iterator[str]:
        """Yields the keys in `characters`, which came at `now_ns` [ns]."""
        if now_ns - self._since_ns > TOGETHER_NS:
            self._begun = ''
        for character in characters:
            if character == ESCAPE:
                self._begun, self._since_ns = ESCAPE, now_ns
            elif not self._begun:
                yield character
            else:
                yield from self._go_on(character)

    def _go_on(self, character: str) -> Iterator[str]:
        """Takes in the next character of a sequence; yields the key that it ends, if it is one."""
        sequence = self._begun[1:] + character
        self._begun += character
        # ESC and another key, or the letter that ends it; the Linux console's F1 is ESC [ [ A.
        begins = sequence in (*INTRODUCERS, '[[')
        if begins or (len(sequence) > 1 and character < FINAL):
            return
        self._begun = ''
        arrow = ARROWS.get(sequence.replace('O', '[', 1))
        if arrow is not None:
            yield arrow
