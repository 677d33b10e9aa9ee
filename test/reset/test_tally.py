from __future__ import annotations

import pytest

from quad_learner.reset.state import State
from quad_learner.reset.tally import Tally

RESTING = (State.LIE_DOWN, State.REST)
ACTIVE = [
    state for state in State if state not in (State.WAIT, State.READY, State.GIVE_UP, *RESTING)
]
SECOND = 1_000_000_000


def told(*states: tuple[State, int], handed_over: bool = False) -> Tally:
    """Returns the tally of states that began at so many seconds."""
    tally = Tally()
    for state, seconds in states:
        tally.update(state, seconds * SECOND, handed_over)
        # It is told at each decision, not once.
        tally.update(state, seconds * SECOND + 1, handed_over)
    return tally


def test_a_reset_counts_when_the_robot_stands_and_lasts_from_its_first_move() -> None:
    tally = told((State.WAIT, 0), (ACTIVE[0], 2), (ACTIVE[-1], 4), (State.READY, 7))
    assert (tally.finished, tally.failed) == (1, 0)
    assert tally.duration_s == pytest.approx(5.0)


def test_giving_up_is_a_failure_that_lasted_too() -> None:
    tally = told((ACTIVE[0], 1), (State.GIVE_UP, 31))
    assert (tally.finished, tally.failed) == (0, 1)
    assert tally.duration_s == pytest.approx(30.0)


def test_lying_down_to_give_up_is_part_of_the_failure() -> None:
    tally = told((ACTIVE[0], 1), (State.LIE_DOWN, 30), (State.GIVE_UP, 31))
    assert (tally.finished, tally.failed) == (0, 1)
    assert tally.duration_s == pytest.approx(30.0)


def test_a_reset_that_was_broken_off_is_neither() -> None:
    tally = told((ACTIVE[0], 1), (State.WAIT, 3), (State.READY, 4))
    assert (tally.finished, tally.failed) == (0, 0)


def test_a_robot_that_was_handed_over_stood() -> None:
    tally = told((ACTIVE[0], 1), (State.WAIT, 3), handed_over=True)
    assert (tally.finished, tally.failed) == (1, 0)
    assert tally.duration_s == pytest.approx(2.0)


def test_standing_on_is_not_another_reset() -> None:
    tally = told((ACTIVE[0], 1), (State.READY, 3), (State.WAIT, 9), (State.READY, 10))
    assert tally.finished == 1


def test_each_reset_counts() -> None:
    tally = told(
        (ACTIVE[0], 1), (State.GIVE_UP, 11), (ACTIVE[0], 20), (State.READY, 22), (State.WAIT, 30)
    )
    assert (tally.finished, tally.failed) == (1, 1)
    assert tally.duration_s == pytest.approx(2.0)


def test_a_rest_is_no_part_of_a_reset() -> None:
    tally = told((ACTIVE[0], 1), *zip(RESTING, (2, 3), strict=True))
    assert (tally.finished, tally.failed) == (0, 0)
    tally = told((State.REST, 1), (ACTIVE[0], 100), (State.READY, 102))
    assert tally.finished == 1
    assert tally.duration_s == pytest.approx(2.0)
