"""What a control process says: nobody who controls a robot waits until its words are read.

Logs go to standard error, and who writes to a pipe or a terminal that nobody empties is held until
somebody does. Here the same pipe or terminal is opened once more, so as not to wait: for others
who have it nothing changes. What does not fit is lost; a pipe holds 64 KiB. What has been written
is with whoever reads, so that last words come out however the process ends.

A plain file cannot be opened like that; whoever starts nodes reads them by a pipe.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import sys

OUTPUT, ERROR = 1, 2
"""file descriptors of what is said"""
NO_FILE = ('--ros-args', '--disable-external-lib-logs')
"""arguments with which rcl keeps no file of its own of what is said: a slow disk would delay it"""


def wait_for_no_reader() -> None:
    """Drops from now on what nobody takes, be it said by Python, rcl or another library."""
    for stream in (OUTPUT, ERROR):
        # A socket cannot be opened again, nor what another user owns: it stays as it is.
        with contextlib.suppress(OSError):
            again = os.open(f'/proc/self/fd/{stream}', os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK)
            os.dup2(again, stream)
            os.close(again)
    # Python's own streams raise where they would have to wait; a raw file does not.
    sys.stdout, sys.stderr = _raw(OUTPUT), _raw(ERROR)


def _raw(stream: int) -> io.TextIOWrapper:
    file = io.FileIO(stream, 'w', closefd=False)
    return io.TextIOWrapper(file, errors='backslashreplace', write_through=True)


class Unread:
    """Notices that nobody reads; to be asked once a second."""

    def __init__(self) -> None:
        self.seconds = 0
        """in which nothing more could be said: words were lost"""
        self._told = 0

    def look(self) -> str:
        """Returns what is to be said now that somebody reads again; '' where there is nothing."""
        _, room, _ = select.select([], [ERROR], [], 0.0)
        if not room:
            self.seconds += 1
            return ''
        lost, self._told = self.seconds - self._told, self.seconds
        return f'for some {lost} s nobody read what was said here: words are lost' if lost else ''
