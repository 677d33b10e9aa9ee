from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quad_learner.task.place_keeper import KEPT_NS, PlaceKeeper
from quad_learner.task.workspace import Place

SECOND = 1_000_000_000
numbers = st.floats(-5.0, 5.0)
places = st.builds(Place, numbers, numbers, st.floats(-math.pi, math.pi))


def test_without_a_pose_it_is_where_the_estimate_says() -> None:
    keeper = PlaceKeeper()
    assert keeper.place == Place(0.0, 0.0, 0.0)
    keeper.see(SECOND, Place(1.0, 2.0, 0.5))
    assert keeper.place == Place(1.0, 2.0, 0.5)


def test_a_pose_turns_and_moves_the_way_made_since() -> None:
    # The robot believes it went from the origin 1 m ahead; in truth it stood at (2, 0) and faced
    # left, so that the metre led to (2, 1).
    keeper = PlaceKeeper()
    keeper.see(1 * SECOND, Place(0.0, 0.0, 0.0))
    keeper.see(2 * SECOND, Place(1.0, 0.0, 0.0))
    assert keeper.correct(1 * SECOND, Place(2.0, 0.0, math.pi / 2))
    assert keeper.place == pytest.approx((2.0, 1.0, math.pi / 2))


@given(places, places)
def test_at_the_instant_of_a_pose_it_is_there(estimated: Place, given_place: Place) -> None:
    keeper = PlaceKeeper()
    keeper.see(SECOND, Place(3.0, -1.0, 2.0))
    keeper.correct(SECOND, Place(0.0, 1.0, 1.0))
    keeper.see(2 * SECOND, estimated)
    keeper.correct(2 * SECOND, given_place)
    assert keeper.place == pytest.approx(given_place, abs=1e-9)


def test_what_cannot_be_used_changes_nothing() -> None:
    keeper = PlaceKeeper()
    assert not keeper.correct(0, Place(1.0, 1.0, 0.0)), 'nothing was seen yet'
    keeper.see(SECOND, Place(0.0, 0.0, 0.0))
    assert not keeper.correct(SECOND, Place(math.nan, 0.0, 0.0))
    assert not keeper.correct(SECOND // 2, Place(1.0, 0.0, 0.0)), 'before all that was seen'
    keeper.see(SECOND + KEPT_NS + 1, Place(0.0, 0.0, 0.0))
    assert not keeper.correct(SECOND, Place(1.0, 0.0, 0.0)), 'too long ago'
    assert keeper.place == Place(0.0, 0.0, 0.0)
