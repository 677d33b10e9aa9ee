from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quad_learner.task.place_keeper import KEPT_NS, PlaceKeeper
from quad_learner.task.workspace import Place

SECOND = 1_000_000_000
numbers = st.floats(-5.0, 5.0)
near = st.builds(Place, *[st.floats(-0.3, 0.3)] * 3)
places = st.builds(Place, numbers, numbers, st.floats(-math.pi, math.pi))


def test_without_a_pose_it_is_where_the_estimate_says() -> None:
    keeper = PlaceKeeper()
    assert keeper.place == Place(0.0, 0.0, 0.0)
    keeper.see(SECOND, Place(1.0, 2.0, 0.5))
    assert keeper.place == Place(1.0, 2.0, 0.5)


def walked(keeper: PlaceKeeper, *places: Place, since: int = 0) -> int:
    """Walks along `places`, a second each, forty estimates a second; returns when it arrives."""
    time_ns, last = since * SECOND, keeper._seen[-1].place if keeper._seen else places[0]
    for place in places:
        for share in np.linspace(0.0, 1.0, 41)[1:]:
            time_ns += SECOND // 40
            step = (np.array(place) - last) * share
            keeper.see(time_ns, Place(*(np.array(last) + step).tolist()))
        last = place
    return time_ns


def told(keeper: PlaceKeeper, *given: tuple[float, float, float]) -> list[bool]:
    """Returns which poses counted, one a second, of a robot whose estimate stands at 0."""
    counted = []
    for pose in given:
        now = keeper._seen[-1].time_ns if keeper._seen else 0
        for tick in range(1, 41):
            keeper.see(now + tick * SECOND // 40, Place(0.0, 0.0, 0.0))
        counted.append(keeper.correct(now + SECOND, Place(*pose)) == '')
    return counted


def test_a_pose_turns_and_moves_the_way_made_since() -> None:
    # The robot believes it went from the origin 0.4 m ahead; in truth it stood at (0.3, 0) and
    # faced 0.5 rad to the left.
    keeper = PlaceKeeper()
    keeper.see(1 * SECOND, Place(0.0, 0.0, 0.0))
    keeper.see(2 * SECOND, Place(0.4, 0.0, 0.0))
    assert keeper.correct(1 * SECOND, Place(0.3, 0.0, 0.5)) == ''
    there = 0.3 + 0.4 * math.cos(0.5), 0.4 * math.sin(0.5), 0.5
    assert keeper.place == pytest.approx(there)
    assert keeper.corrected_m == pytest.approx(0.3)


@given(places, near)
def test_at_the_instant_of_a_pose_it_is_there(start: Place, off: Place) -> None:
    keeper = PlaceKeeper()
    keeper.see(SECOND, start)
    true = Place(start.x + off.x, start.y + off.y, start.yaw + off.yaw)
    assert keeper.correct(SECOND, true) == ''
    assert keeper.place == pytest.approx(true, abs=1e-9)


def test_what_cannot_be_used_changes_nothing() -> None:
    keeper = PlaceKeeper()
    assert 'no estimate' in keeper.correct(0, Place(0.1, 0.1, 0.0)), 'nothing was seen yet'
    keeper.see(SECOND, Place(0.0, 0.0, 0.0))
    assert 'finite' in keeper.correct(SECOND, Place(math.nan, 0.0, 0.0))
    assert 'no estimate' in keeper.correct(SECOND // 2, Place(0.1, 0.0, 0.0)), 'before all'
    keeper.see(SECOND + KEPT_NS + 1, Place(0.0, 0.0, 0.0))
    assert 'no estimate' in keeper.correct(SECOND, Place(0.1, 0.0, 0.0)), 'too long ago'
    assert keeper.place == Place(0.0, 0.0, 0.0)


@pytest.mark.parametrize('wrong', [(50.0, 0.0, 0.0), (0.0, 0.6, 0.0), (0.1, 0.0, 3.1)])
def test_one_pose_far_from_all_others_is_not_believed(wrong: tuple[float, float, float]) -> None:
    keeper = PlaceKeeper()
    right = (0.1, 0.0, 0.0), (0.11, 0.0, 0.0), (0.1, 0.01, 0.0)
    assert told(keeper, right[0], wrong, right[1], wrong, right[2]) == [
        True, False, True, False, True
    ]  # fmt: skip
    assert keeper.place == pytest.approx(right[2])
    assert 'm from where the robot is taken to be' in keeper.correct(5 * SECOND, Place(*wrong))


def test_a_leap_that_three_poses_agree_on_is_believed() -> None:
    """Somebody has carried the robot."""
    keeper = PlaceKeeper()
    assert told(keeper, (3.0, 1.0, 2.0), (3.02, 1.0, 2.0), (3.01, 1.0, 2.0)) == [
        False, False, True
    ]  # fmt: skip
    assert keeper.place == pytest.approx((3.01, 1.0, 2.0))


def test_poses_that_leap_to_and_fro_are_not_believed() -> None:
    poses = [(3.0 * (number % 2), 2.0 * (number % 3), 2.0) for number in range(1, 30)]
    keeper = PlaceKeeper()
    assert not any(told(keeper, *poses))
    assert keeper.place == Place(0.0, 0.0, 0.0)


def test_a_fast_camera_must_say_so_for_a_second() -> None:
    keeper = PlaceKeeper()
    keeper.see(0, Place(0.0, 0.0, 0.0))
    counted = []
    for hundredth in range(1, 110):
        keeper.see(hundredth * SECOND // 100, Place(0.0, 0.0, 0.0))
        true = Place(2.0 + 1e-6 * hundredth, 0.0, 0.0)
        counted.append(keeper.correct(hundredth * SECOND // 100, true) == '')
    assert counted.index(True) == 100


def test_a_source_that_hangs_is_not_believed_while_the_robot_walks() -> None:
    keeper = PlaceKeeper()
    now = walked(keeper, Place(0.0, 0.0, 0.0))
    stuck = Place(0.01, 0.02, 0.0)
    assert keeper.correct(now, stuck) == ''
    assert keeper.correct(now, stuck) == '', 'it stands, and may well be there to the last digit'
    for second in range(1, 100):
        now = walked(keeper, Place(0.2 * second, 0.0, 0.0), since=second)
        assert 'the same as before' in keeper.correct(now, stuck)
    assert keeper.place.x == pytest.approx(19.81)
    assert keeper.correct(now, Place(19.8, 0.0, 0.0)) == '', 'it has woken up'


@pytest.mark.parametrize('yaw', [0.0, 0.4])
def test_an_estimate_that_is_suddenly_elsewhere_began_anew(yaw: float) -> None:
    keeper = PlaceKeeper()
    now = walked(keeper, Place(0.0, 0.0, 0.0))
    keeper.correct(now, Place(0.0, 0.0, yaw))
    walked(keeper, Place(1.0, 0.0, 0.0), Place(2.0, 0.0, 0.0), since=1)
    before = keeper.place
    keeper.see(6 * SECOND, Place(0.0, 0.0, 0.1))
    assert keeper.place == pytest.approx((before.x, before.y, yaw + 0.1))
    assert 'no estimate' in keeper.correct(3 * SECOND, before), 'another origin was meant'
    keeper.see(6 * SECOND + SECOND // 40, Place(0.1, 0.0, 0.1))
    ahead = before.x + 0.1 * math.cos(yaw), before.y + 0.1 * math.sin(yaw), yaw + 0.1
    assert keeper.place == pytest.approx(ahead)


def test_near_its_origin_a_new_estimate_gives_itself_away_by_being_sure() -> None:
    keeper = PlaceKeeper()
    for tick in range(1, 41):
        keeper.see(tick * SECOND // 40, Place(0.005 * tick, 0.0, 0.0), 1e-4 * tick)
    keeper.see(SECOND + SECOND // 40, Place(0.0, 0.0, 0.0), 1e-6)
    assert keeper.place == pytest.approx((0.2, 0.0, 0.0))


def test_an_estimate_without_numbers_is_passed_over() -> None:
    keeper = PlaceKeeper()
    keeper.see(SECOND, Place(1.0, 0.0, 0.0))
    keeper.see(2 * SECOND, Place(math.nan, 0.0, 0.0))
    assert keeper.place == Place(1.0, 0.0, 0.0)
