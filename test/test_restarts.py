"""What the end of one process means for the run."""

from __future__ import annotations

import pytest

from quad_learner.bringup import NodeSpec
from quad_learner.restarts import Meaning, Restarts

BODY = NodeSpec('robot', 'robot_sim', (), ends_run=True)
HELPER = NodeSpec('policy', 'policy', (), respawn=True)
LEARNER = NodeSpec('learner', 'learner', (), respawn=True, ends_run=True)


@pytest.mark.parametrize(
    'spec, code, meaning',
    [
        (LEARNER, 0, Meaning.RUN_OVER),
        (BODY, 0, Meaning.RUN_OVER),
        (HELPER, 0, Meaning.AGAIN),
        (LEARNER, -9, Meaning.AGAIN),
        (HELPER, 1, Meaning.AGAIN),
        (BODY, -9, Meaning.BROKEN),
        (BODY, 1, Meaning.BROKEN),
        (LEARNER, 2, Meaning.BROKEN),
        (HELPER, 2, Meaning.BROKEN),
    ],
)
def test_the_end_of_a_process_means(spec: NodeSpec, code: int, meaning: Meaning) -> None:
    assert Restarts().judge(spec, code, 0.0) is meaning


def test_a_process_that_keeps_dying_breaks_the_run() -> None:
    restarts = Restarts()
    verdicts = [restarts.judge(HELPER, -11, second) for second in (0.0, 10.0, 20.0, 30.0, 40.0)]
    assert verdicts == [Meaning.AGAIN] * 5
    assert restarts.judge(HELPER, -11, 59.0) is Meaning.BROKEN


def test_deaths_of_long_ago_are_forgotten() -> None:
    restarts = Restarts()
    for second in (0.0, 1.0, 2.0, 3.0, 4.0):
        restarts.judge(HELPER, -11, second)
    assert restarts.judge(HELPER, -11, 65.0) is Meaning.AGAIN


def test_each_process_has_its_own_count() -> None:
    restarts = Restarts()
    for second in range(5):
        restarts.judge(HELPER, -11, float(second))
    assert restarts.judge(LEARNER, -11, 5.0) is Meaning.AGAIN
