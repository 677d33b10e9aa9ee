"""The driver of a square: where it turns, where it walks, and when it is home."""

from __future__ import annotations

import math

import pytest

from quad_learner.task.workspace import Place
from square import ASTRAY_RAD, NEAR_M, SIDE_M, Driver, square_from


def test_the_corners_lie_to_the_left_and_the_last_is_where_it_begins() -> None:
    begins = Place(1.0, -0.5, 0.5 * math.pi)
    expected = [
        (1.0, SIDE_M - 0.5),
        (1.0 - SIDE_M, SIDE_M - 0.5),
        (1.0 - SIDE_M, -0.5),
        begins[:2],
    ]
    for corner, there in zip(square_from(begins), expected, strict=True):
        assert corner == pytest.approx(there)


@pytest.mark.parametrize(
    ('yaw', 'command'),
    [(0.0, (1.0, 0.0)), (-1.0, (0.0, 1.0)), (1.0, (0.0, -1.0)), (math.pi - 0.1, (0.0, -1.0))],
)
def test_it_turns_the_short_way_to_the_corner_and_then_walks(
    yaw: float, command: tuple[float, float]
) -> None:
    assert Driver([(2.0, 0.0)]).command(Place(0.0, 0.0, yaw)) == command


def test_who_walks_turns_again_only_when_well_astray() -> None:
    driver = Driver([(2.0, 0.0)], turns=False)
    assert driver.command(Place(0.0, 0.0, ASTRAY_RAD - 0.01)) == (1.0, 0.0)
    assert driver.command(Place(0.0, 0.0, ASTRAY_RAD + 0.01)) == (0.0, -1.0)


def test_a_corner_that_is_near_is_done_and_the_last_one_is_home() -> None:
    driver = Driver([(0.0, NEAR_M - 0.01), (2.0, 0.0)])
    assert driver.command(Place(0.0, 0.0, 0.0)) == (1.0, 0.0)
    assert driver.command(Place(2.0, 0.0, 0.0)) is None
