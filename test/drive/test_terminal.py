from __future__ import annotations

import os
import pty
import termios
from collections.abc import Iterator

import pytest

from quad_learner.drive.terminal import keys_at_once, waiting

LOCAL_FLAGS = 3
"""place in what termios tells"""


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Returns the two ends of a terminal: the person's and the program's."""
    person, program = pty.openpty()
    yield person, program
    os.close(person)
    os.close(program)


def test_a_key_is_there_at_once_and_is_not_printed(terminal: tuple[int, int]) -> None:
    person, program = terminal
    with keys_at_once(program):
        os.write(person, b'w')
        assert waiting(program) == 'w'
        assert waiting(person) == '', 'it is not echoed'


def test_a_terminal_as_it_is_waits_for_the_end_of_the_line(terminal: tuple[int, int]) -> None:
    person, program = terminal
    os.write(person, b'w')
    assert waiting(program) == ''


def test_the_terminal_is_given_back_as_it_was_even_after_an_error(
    terminal: tuple[int, int],
) -> None:
    before = termios.tcgetattr(terminal[1])
    with pytest.raises(RuntimeError), keys_at_once(terminal[1]):
        assert termios.tcgetattr(terminal[1])[LOCAL_FLAGS] != before[LOCAL_FLAGS]
        raise RuntimeError
    assert termios.tcgetattr(terminal[1]) == before


def test_a_pipe_hands_over_what_comes_and_tells_its_end() -> None:
    reader, writer = os.pipe()
    with keys_at_once(reader):
        assert waiting(reader) == ''
        os.write(writer, b'ww ')
        assert waiting(reader) == 'ww '
        os.close(writer)
        assert waiting(reader) is None
    os.close(reader)
