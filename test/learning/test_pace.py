"""How many updates are owed."""

from __future__ import annotations

from quad_learner.learning.pace import Pace


def _step(pace: Pace, count: int) -> None:
    for _ in range(count):
        pace.step()


def test_nothing_is_owed_before_warm_up_ends() -> None:
    pace = Pace(warmup_steps=10, updates_per_step=2.0, backlog_max=100)
    _step(pace, 10)
    assert pace.due == 0
    _step(pace, 1)
    assert pace.due == 2


def test_a_fraction_is_owed_over_several_steps() -> None:
    pace = Pace(warmup_steps=0, updates_per_step=0.25, backlog_max=100)
    done = 0
    for _ in range(100):
        pace.step()
        while pace.due:
            pace.done()
            done += 1
    assert done == 25


def test_the_debt_is_bounded() -> None:
    pace = Pace(warmup_steps=0, updates_per_step=1.0, backlog_max=7)
    _step(pace, 1000)
    assert pace.due == 7


def test_a_forgiven_debt_is_gone_and_new_steps_owe_as_before() -> None:
    pace = Pace(warmup_steps=0, updates_per_step=1.0, backlog_max=100)
    _step(pace, 50)
    pace.forgive()
    assert pace.due == 0
    _step(pace, 3)
    assert pace.due == 3


def test_an_update_that_was_not_owed_is_no_credit() -> None:
    pace = Pace(warmup_steps=0, updates_per_step=1.0, backlog_max=100)
    pace.done()
    _step(pace, 1)
    assert pace.due == 1


def test_the_first_steps_of_a_run_owe_more() -> None:
    pace = Pace(
        warmup_steps=2, updates_per_step=1.0, backlog_max=100, eager_steps=5, eager_updates=2.0
    )
    owed = []
    for _ in range(7):
        before = pace.owed
        pace.step()
        owed.append(pace.owed - before)
    assert owed == [0.0, 0.0, 3.0, 3.0, 3.0, 1.0, 1.0]
