"""Keys that come as several characters, as xterm, the Linux console and rxvt send them."""

from __future__ import annotations

import pytest

from quad_learner.drive.escapes import Escapes

UP, DOWN, RIGHT, LEFT = 'w', 's', 'd', 'a'


def heard(*reads: str, apart_ns: int = 50_000_000) -> str:
    """Returns the keys that are left of what was read, a look of 50 ms between the reads."""
    escapes = Escapes()
    return ''.join(
        key for number, read in enumerate(reads) for key in escapes.keys(read, number * apart_ns)
    )


@pytest.mark.parametrize(
    'sent, key',
    [
        ('\x1b[A', UP),
        ('\x1b[B', DOWN),
        ('\x1b[C', RIGHT),
        ('\x1b[D', LEFT),
        ('\x1bOA', UP),
        ('\x1bOD', LEFT),
    ],
)
def test_an_arrow_is_the_key_of_its_direction(sent: str, key: str) -> None:
    assert heard(sent) == key
    assert heard(*sent) == key, 'read letter by letter'
    assert heard(sent * 3) == key * 3


@pytest.mark.parametrize(
    'sent',
    [
        '\x1bOP',  # F1
        '\x1bOQ',
        '\x1bOS',
        '\x1b[15~',  # F5
        '\x1b[[A',  # F1 of the Linux console
        '\x1b[[D',
        '\x1b[Z',  # shift and tab
        '\x1b[3~',  # delete
        '\x1b[1;5A',  # control and up
        '\x1b[1;2D',
        '\x1bw',  # alt and w
        '\x1b',
    ],
)
def test_other_sequences_are_no_keys_and_what_follows_is_one(sent: str) -> None:
    assert heard(sent) == ''
    assert heard('q' + sent) == 'q'
    assert heard(*sent, apart_ns=1_000_000) == ''
    if sent != '\x1b':
        assert heard(sent + 'e') == 'e'


def test_letters_are_keys() -> None:
    assert heard('wasd', ' +-', 'O[') == 'wasd +-O['


def test_a_key_long_after_escape_is_a_key_of_its_own() -> None:
    assert heard('\x1b', 'w', apart_ns=1_000_000_000) == 'w'
    assert heard('\x1b\x1b[A') == UP
