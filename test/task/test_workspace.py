from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quad_learner.task.workspace import Leash, Place, Workspace

numbers = st.floats(-5.0, 5.0)
places = st.builds(Place, numbers, numbers, numbers)


def matrix(place: Place) -> np.ndarray:
    """Returns the place as a homogeneous transformation."""
    cos, sin = math.cos(place.yaw), math.sin(place.yaw)
    return np.array([[cos, -sin, place.x], [sin, cos, place.y], [0.0, 0.0, 1.0]])


@given(places, places)
def test_places_add_up_as_transformations_do(origin: Place, step: Place) -> None:
    np.testing.assert_allclose(
        matrix(origin.after(step)), matrix(origin) @ matrix(step), atol=1e-9
    )
    seen = np.linalg.inv(matrix(origin)) @ matrix(step)
    np.testing.assert_allclose(matrix(step.seen_from(origin)), seen, atol=1e-9)


@pytest.mark.parametrize(
    'place, ahead, left',
    [
        (Place(2.0, 0.0, 0.0), -1.0, 0.0),
        (Place(2.0, 0.0, math.pi), 1.0, 0.0),
        (Place(2.0, 0.0, math.pi / 2), 0.0, 1.0),  # facing +y, the centre is on the left
        (Place(0.0, -3.0, 0.0), 0.0, 1.0),
        (Place(0.0, 0.0, 1.0), 0.0, 0.0),
    ],
)
def test_the_centre_lies_where_a_drawing_shows_it(place: Place, ahead: float, left: float) -> None:
    np.testing.assert_allclose(place.centre, (ahead, left), atol=1e-12)


def test_the_bounds_are_a_rectangle_and_the_strip_lies_inside_them() -> None:
    space = Workspace(half_x=2.0, half_y=1.5, margin=0.25)
    for x, y, beyond in [(0.0, 0.0, -1.5), (1.5, 0.0, -0.5), (-2.5, 1.0, 0.5), (0.0, -1.75, 0.25)]:
        assert space.beyond(Place(x, y, 0.3)) == pytest.approx(beyond)
        assert space.excursion(Place(x, y, 0.3)) == pytest.approx(beyond + 0.25)


def test_an_episode_that_begins_inside_ends_at_the_edge() -> None:
    leash = Leash()
    leash.begin(-1.0)
    assert [leash.left(out) for out in (-0.5, -0.05, -0.01, 0.01)] == [False, False, False, True]


def test_an_episode_that_begins_outside_may_come_back_and_no_further_out() -> None:
    leash = Leash()
    leash.begin(0.6)
    assert not leash.left(0.65)
    assert not leash.left(0.3)
    assert leash.left(0.41), 'it had been at 0.3'
    leash.begin(0.6)
    assert leash.left(0.75)


def test_without_bounds_nobody_leaves() -> None:
    space = Workspace(math.inf, math.inf, margin=0.4)
    leash = Leash()
    leash.begin(space.excursion(Place(0.0, 0.0, 0.0)))
    assert not leash.left(space.excursion(Place(1e6, -1e6, 0.0)))
