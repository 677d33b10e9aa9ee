from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from quad_learner.drive.config import DriveConfig
from quad_learner.drive.selector import Selector
from quad_learner.task.kinds import BACKWARD, FORWARD, LEFT, RIGHT, VELOCITY, Kind

FOUR = (FORWARD, BACKWARD, LEFT, RIGHT)
Make = Callable[..., Selector]


@pytest.fixture
def selector(drive_config: Callable[..., DriveConfig]) -> Make:
    config = drive_config(dead_share=0.1, switch_share=0.2)
    return lambda kinds=FOUR: Selector(kinds, config, np.array([0.5, 0.25, 1.0]))


@pytest.mark.parametrize(
    'wanted, expected',
    [
        ((0.0, 0.0, 0.0), None),
        ((0.049, 0.25, -0.09), None),  # below a tenth; nobody has learned to go sideways
        ((0.3, 0.0, 0.4), FORWARD),
        ((-0.3, 0.0, 0.4), BACKWARD),
        ((0.2, 0.0, 0.5), LEFT),
        ((-0.2, 0.0, -0.5), RIGHT),
    ],
)
def test_the_largest_part_of_the_command_decides(
    selector: Make, wanted: tuple[float, ...], expected: Kind | None
) -> None:
    assert selector().choose(np.array(wanted), None) is expected


def test_it_keeps_what_it_does_until_another_is_clearly_better(selector: Make) -> None:
    four = selector()
    close = np.array([0.3, 0.0, 0.7])  # 0.6 against 0.7
    assert four.choose(close, None) is LEFT
    assert four.choose(close, FORWARD) is FORWARD
    assert four.choose(np.array([0.3, 0.0, 0.85]), FORWARD) is LEFT
    # What nobody wants any more is not kept, however little the other is.
    assert four.choose(np.array([0.02, 0.0, 0.15]), FORWARD) is LEFT
    assert four.choose(np.array([0.04, 0.0, 0.0]), FORWARD) is None


def test_one_that_follows_velocities_follows_them_all(selector: Make) -> None:
    follows = selector((FORWARD, VELOCITY))
    for wanted in ([0.3, 0.0, 0.0], [0.0, -0.1, 0.0], [0.0, 0.0, -0.2]):
        assert follows.choose(np.array(wanted), None) is VELOCITY
    assert follows.choose(np.array([0.04, 0.02, 0.09]), VELOCITY) is None


def test_what_was_not_learned_is_not_done(selector: Make) -> None:
    ahead = selector((FORWARD,))
    assert ahead.choose(np.array([-0.5, 0.0, 1.0]), None) is None
    assert ahead.choose(np.array([0.2, 0.0, 1.0]), None) is FORWARD


def test_without_the_one_that_follows_velocities_the_others_do_what_they_can(
    selector: Make,
) -> None:
    both, given_up = selector((FORWARD, VELOCITY)), {VELOCITY: 'fell'}
    assert both.choose(np.array([0.3, 0.0, 0.0]), None, given_up) is FORWARD
    assert both.choose(np.array([0.0, -0.2, 0.0]), None, given_up) is None
    assert selector((VELOCITY,)).choose(np.array([0.3, 0.0, 0.0]), None, given_up) is None


def test_nobody_steps_in_for_a_task_that_was_given_up(selector: Make) -> None:
    wanted = np.array([0.5, 0.0, 0.3])
    assert selector().choose(wanted, None, {FORWARD: 'fell'}) is None
    assert selector().choose(wanted, None, {BACKWARD: 'fell'}) is FORWARD
