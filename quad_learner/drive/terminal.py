"""A terminal that hands over each key as it is pressed and prints none of them."""

from __future__ import annotations

import os
import select
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

STANDARD_INPUT = 0
"""file descriptor"""
MOST_BYTES = 64
"""read at once: a held key sends some thirty a second"""


@contextmanager
def keys_at_once(descriptor: int) -> Iterator[None]:
    """Changes the terminal and, at the end, gives it back as it was.

    Anything else than a terminal, such as a pipe, hands over its bytes as they come anyway.
    """
    if not os.isatty(descriptor):
        yield
        return
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def waiting(descriptor: int) -> str | None:
    """Returns the characters that wait, without waiting for more; None: there is an end to it."""
    if not select.select([descriptor], [], [], 0.0)[0]:
        return ''
    data = os.read(descriptor, MOST_BYTES)
    return data.decode('ascii', errors='replace') if data else None
