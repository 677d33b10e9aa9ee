"""Pictures are taken as often as was said, while filming alone, and a strip shows all of it."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import film


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Returns the numbers of the pictures that are taken; each is of its own colour."""
    numbers: list[int] = []

    def render(sim: Any, width: int, height: int) -> film.Picture:
        numbers.append(len(numbers))
        return np.full((height, width, 3), numbers[-1], np.uint8)

    monkeypatch.setattr(film, 'render', render)
    return numbers


def new(every: int) -> film.Film:
    return film.Film(SimpleNamespace(), every, (4, 2))  # type: ignore[arg-type]


def test_every_so_many_ticks_a_picture_is_taken(taken: list[int]) -> None:
    roll = new(every=3)
    roll.begin()
    for _ in range(7):
        roll.look()
    assert [picture[0, 0, 0] for picture in roll.pictures] == [0, 1, 2]
    assert roll.pictures[0].shape == (2, 4, 3)


def test_nothing_is_filmed_before_the_beginning_nor_after_the_end(taken: list[int]) -> None:
    roll = new(every=1)
    roll.look()
    assert not taken
    roll.begin()
    roll.look()
    roll.end()
    roll.look()
    assert taken == [0]


def test_a_film_that_begins_again_forgets_what_was_before(taken: list[int]) -> None:
    roll = new(every=1)
    roll.begin()
    roll.look()
    roll.begin()
    roll.look()
    assert [picture[0, 0, 0] for picture in roll.pictures] == [1]


def test_a_strip_goes_evenly_from_the_first_to_the_last_in_rows() -> None:
    pictures = [np.full((2, 3, 3), number, np.uint8) for number in range(11)]
    whole = film.strip(pictures, 6, rows=2)
    assert whole.shape == (4, 9, 3)
    assert whole[0, ::3, 0].tolist() == [0, 2, 4]
    assert whole[2, ::3, 0].tolist() == [6, 8, 10]


def test_a_strip_of_nothing_and_rows_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match='nothing to show'):
        film.strip([], 4, 1)
    with pytest.raises(ValueError, match='5 pictures do not fill 2 rows'):
        film.strip([np.zeros((1, 1, 3), np.uint8)], 5, 2)
