"""Claims about the sets of falls that motions are tried on; simulation is stood in for."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, repeat

import numpy as np
import pytest

from quad_learner.get_up_search import lying
from quad_learner.get_up_search.falls import Fall, World
from quad_learner.get_up_search.lying import BACK, SIDE, Lying
from quad_learner.robot.model import load

ON_SIDE, ON_BACK, UPRIGHT = np.pi / 2, np.pi, 0.0
"""[rad] tilt"""


def a_fall(friction: float) -> Fall:
    return Fall(np.zeros(3), np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(12), friction, 0)


DROPPED, LAID = a_fall(0.5), a_fall(1.0)


@pytest.fixture
def drawn(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Lying]]:
    """Gives `drawn(dropped, laid)`: the sets of a robot that comes to lie at these tilts [rad]."""

    def sets(dropped: list[float], laid: float) -> dict[str, Lying]:
        tilts = {0.5: chain(dropped, repeat(ON_BACK)), 1.0: repeat(laid)}
        monkeypatch.setattr(lying, 'drop', lambda *_: DROPPED)
        monkeypatch.setattr(lying, 'lay', lambda *_: LAID)
        monkeypatch.setattr(lying, 'tuck', lambda _, __, fall: (fall, next(tilts[fall.friction])))
        return lying.sets(world, load('a1'), np.random.default_rng(0), lambda: False)

    return sets


def test_who_hardly_ever_falls_onto_a_side_is_laid_on_it(
    drawn: Callable[..., dict[str, Lying]],
) -> None:
    on_side = drawn([ON_SIDE, UPRIGHT, ON_SIDE], laid=ON_SIDE)[SIDE]
    assert list(on_side.falls) == [DROPPED] * 2 + [LAID] * 10
    assert (on_side.often, on_side.drops, on_side.laid) == (2, 30, 10)


def test_who_does_not_stay_on_a_side_is_not_laid_on_it_for_ever(
    drawn: Callable[..., dict[str, Lying]],
) -> None:
    on_side = drawn([ON_SIDE], laid=ON_BACK)[SIDE]
    assert (list(on_side.falls), on_side.laid) == ([DROPPED], 0)


def test_the_motion_that_is_wanted_more_often_comes_first_however_full_the_sets_are(
    drawn: Callable[..., dict[str, Lying]],
) -> None:
    assert [*drawn([ON_SIDE], laid=ON_SIDE)] == [BACK, SIDE]
    often = drawn([ON_SIDE] * 15 + [ON_BACK] * 12, laid=ON_SIDE)
    assert [*often] == [SIDE, BACK]
    assert (often[SIDE].often, often[SIDE].drops) == (15, 27)
    assert len(often[SIDE].falls) == len(often[BACK].falls) == 12
