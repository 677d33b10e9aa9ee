from __future__ import annotations

from quad_learner.experience.told_count import ToldCount


def test_what_is_said_again_is_counted_once() -> None:
    count = ToldCount(0)
    assert [count.rise(told) for told in (0, 2, 2, 5)] == [0, 2, 0, 3]


def test_a_process_that_starts_again_begins_at_zero() -> None:
    count = ToldCount(0)
    assert [count.rise(told) for told in (3, 1, 1, 2)] == [3, 1, 0, 1]


def test_a_listener_that_starts_again_goes_on_from_what_was_counted() -> None:
    assert [ToldCount(4).rise(told) for told in (4, 6)] == [0, 2]


def test_a_listener_that_starts_again_takes_less_than_was_counted_as_counted() -> None:
    count = ToldCount(4)
    assert [count.rise(told) for told in (1, 3, 2)] == [0, 2, 2]
