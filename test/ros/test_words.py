"""Who controls a robot is not held up by whoever should read what it says."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from rclpy.logging import get_logger

from quad_learner.ros import words
from quad_learner.ros.words import Unread

LINES, LONG = 400, 'longer than any pipe, ' * 20
"""so many of such lines are a good deal more than a pipe holds"""
PATIENCE_S = 20


class Reader:
    """The other end of a pipe; who speaks is held up for PATIENCE_S, then all is thrown away.

    By another process: rclpy lets no other thread run while it writes.
    """

    def __init__(self, end: int) -> None:
        self._end = end
        late = f'sleep {PATIENCE_S}; cat > /dev/null'
        self._process = subprocess.Popen(['sh', '-c', late], stdin=end)

    def read(self) -> str:
        """Returns what nobody has read."""
        self._process.kill()
        self._process.wait()
        os.set_blocking(self._end, False)
        found = b''
        with contextlib.suppress(BlockingIOError):
            while block := os.read(self._end, 1 << 16):
                found += block
        return found.decode()


@contextlib.contextmanager
def nobody_reads() -> Iterator[Reader]:
    """Makes this process's standard output and error a pipe that nobody reads."""
    # Not by a fixture: between that and the test pytest puts its own files in their place.
    said, kept = (sys.stdout, sys.stderr), [os.dup(stream) for stream in (1, 2)]
    end, writer = os.pipe()
    for stream in (1, 2):
        os.dup2(writer, stream)
    reader = Reader(end)
    try:
        yield reader
    finally:
        for stream, before in zip((1, 2), kept, strict=True):
            os.dup2(before, stream)
            os.close(before)
        sys.stdout, sys.stderr = said
        os.close(writer)
        reader.read()
        os.close(end)


def test_a_flood_of_words_that_nobody_reads_holds_up_nobody() -> None:
    with nobody_reads() as reader:
        words.wait_for_no_reader()
        logger = get_logger('dog')
        for number in range(LINES):
            logger.error(f'word {number} of a flood that is {LONG}')
        said = reader.read()
    assert 'word 0 of a flood' in said.partition('\n')[0], 'what there was room for'


def test_python_itself_neither_waits_nor_raises() -> None:
    with nobody_reads() as reader:
        words.wait_for_no_reader()
        for number in range(LINES):
            print(f'word {number} of a flood that is {LONG}')
            sys.stderr.write('and so on\n')
        said = reader.read()
    assert said.startswith(f'word 0 of a flood that is {LONG}\nand so on\nword 1')


def test_others_who_have_the_same_pipe_wait_as_before() -> None:
    with nobody_reads():
        other = os.dup(2)
        words.wait_for_no_reader()
        waits = os.get_blocking(other), os.get_blocking(2)
        os.close(other)
    assert waits == (True, False)


def test_a_file_keeps_what_it_held(tmp_path: Path) -> None:
    file = tmp_path / 'log'
    file.write_text('before\n')
    code = 'from quad_learner.ros import words; words.wait_for_no_reader(); print("after")'
    with file.open('r+b') as log:
        log.seek(0, os.SEEK_END)
        subprocess.run([sys.executable, '-c', code], stdout=log, stderr=log, check=True)
    assert file.read_text() == 'before\nafter\n'


def test_how_long_nobody_read_is_told_once_when_somebody_does() -> None:
    with nobody_reads() as reader:
        words.wait_for_no_reader()
        looks = Unread()
        said = [looks.look()]
        for _ in range(LINES):
            sys.stderr.write(f'a flood that is {LONG}\n')
        said += [looks.look() for _ in range(3)]
        reader.read()
        said += [looks.look() for _ in range(2)]
    told = 'for some 3 s nobody read what was said here: words are lost'
    assert said == ['', '', '', '', told, '']
    assert looks.seconds == 3
