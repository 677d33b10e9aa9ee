"""Keeps what a process says: read from a pipe at once, written when the disk is ready.

The process writes to the pipe, never to the disk. A disk that stalls holds up the keeper alone;
the process loses words, if it does not wait for them, or waits, if it does.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

BLOCK_BYTES = 1 << 16
"""read at a time: what a pipe holds"""
LOG_BYTES = 32 << 20
"""of a log, after which it becomes `<name>.log.1` and another begins: a flood of words must not
fill the disk that keeps the steps. A quiet run says some kilobytes in an hour"""


class LogKeeper(threading.Thread):
    """Appends to a file what comes out of a pipe, until its other end is closed."""

    def __init__(self, log: Path) -> None:
        """Opens both.

        Args:
            log: file that is appended to.

        Raises:
            OSError: the file cannot be written.
        """
        super().__init__(name=f'keeps {log.name}', daemon=True)
        self._log = log
        self._file = log.open('ab', buffering=0)
        self._size = os.fstat(self._file.fileno()).st_size
        self._lost = 0
        self._reader, self.writer = os.pipe()
        """end of the pipe for the process; whoever starts it closes its own"""

    def run(self) -> None:
        """Reads and writes."""
        while words := os.read(self._reader, BLOCK_BYTES):
            try:
                self._keep(words)
            except OSError:  # full, or broken: the process goes on, and so does its keeper
                self._lost += len(words)
        os.close(self._reader)
        self._file.close()

    def _keep(self, words: bytes) -> None:
        if self._size + len(words) > LOG_BYTES:
            self._begin_another()
        if self._lost:
            self._file.write(f'\n[{self._lost} bytes could not be written here]\n'.encode())
            self._lost = 0
        written = self._file.write(words) or 0
        self._size += written
        self._lost = len(words) - written

    def _begin_another(self) -> None:
        # Somebody may have removed it, or the disk have had no room for another the last time.
        with contextlib.suppress(FileNotFoundError):
            os.replace(self._log, self._log.with_name(f'{self._log.name}.1'))
        another = self._log.open('ab', buffering=0)
        self._file.close()
        self._file, self._size = another, 0
