from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from quad_learner.task.commander import Commander
from quad_learner.task.config import TaskConfig
from quad_learner.task.workspace import Place, Workspace

SECOND = 1_000_000_000
ROOM = Workspace(2.0, 1.5, 0.4)
Make = Callable[..., Commander]


@pytest.fixture
def commander(task_config: Callable[..., TaskConfig]) -> Make:
    def make(seed: int = 0, room: Workspace = ROOM) -> Commander:
        config = task_config(tasks=['velocity'], command_max=[0.6, 0.3, 1.0], command_s=3.0)
        return Commander(config, room, np.random.default_rng(seed))

    return make


def test_a_command_lasts_and_then_another_comes(commander: Make) -> None:
    one = commander()
    centre = Place(0.0, 0.0, 0.0)
    first = one.wanted(10 * SECOND, centre)
    assert one.wanted(10 * SECOND + 3 * SECOND - 1, centre) is first
    assert one.wanted(13 * SECOND, centre) is not first


def test_an_episode_begins_with_a_new_command(commander: Make) -> None:
    one = commander()
    first = one.wanted(10 * SECOND, Place(0.0, 0.0, 0.0))
    one.begin()
    assert one.wanted(10 * SECOND + 1, Place(0.0, 0.0, 0.0)) is not first


def test_commands_are_within_their_limits_of_every_sign_and_sometimes_rest(
    commander: Make,
) -> None:
    one = commander(room=Workspace(math.inf, math.inf, 0.0))
    drawn = np.array([one.wanted(4 * n * SECOND, Place(0.0, 0.0, 0.0)) for n in range(500)])
    assert (np.abs(drawn) <= [0.6, 0.3, 1.0]).all()
    assert (drawn.max(0) > [0.5, 0.25, 0.9]).all()
    assert (drawn.min(0) < [-0.5, -0.25, -0.9]).all()
    resting = (drawn == 0.0).all(1).mean()
    assert 0.05 < resting < 0.15


def test_at_the_edge_commands_lead_inside(commander: Make) -> None:
    # Facing outward 0.3 m from the edge: at full speed ahead 3 s would lead 1.5 m beyond it.
    ahead = [commander(seed).wanted(0, Place(1.3, 0.0, 0.0))[0] for seed in range(100)]
    assert np.mean(ahead) < -0.1
    assert max(ahead) < 0.35


def test_out_of_bounds_it_never_rests(commander: Make) -> None:
    for seed in range(50):
        command = commander(seed).wanted(0, Place(2.5, 0.0, 0.0))
        assert command[0] < 0.2
        assert command.any()


def test_the_same_seed_draws_the_same(commander: Make) -> None:
    one, two = commander(3), commander(3)
    for n in range(20):
        place = Place(0.1 * n, 0.0, 0.0)
        np.testing.assert_array_equal(
            one.wanted(4 * n * SECOND, place), two.wanted(4 * n * SECOND, place)
        )
