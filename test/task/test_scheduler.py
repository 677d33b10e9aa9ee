from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quad_learner.task.kinds import BACKWARD, FORWARD, LEFT, RIGHT, VELOCITY, Kind
from quad_learner.task.scheduler import Scheduler, faces, lead
from quad_learner.task.workspace import Leash, Place, Workspace

ROOM = Workspace(half_x=2.0, half_y=1.5, margin=0.4)
NO_BOUNDS = Workspace(math.inf, math.inf, 0.4)
FOUR = (FORWARD, BACKWARD, LEFT, RIGHT)
degrees = math.pi / 180.0


def seeing_the_centre_at(bearing: float, distance: float = 1.0) -> Place:
    """Returns a place on the x axis from which the centre lies at `bearing` [rad] to the left."""
    # From (d, 0) the centre lies in the direction π; the body faces π − bearing.
    return Place(distance, 0.0, math.pi - bearing)


@pytest.mark.parametrize(
    'bearing, expected',
    [
        (0, FORWARD),
        (40, FORWARD),
        (-40, FORWARD),
        (50, LEFT),
        (130, LEFT),
        (-50, RIGHT),
        (-130, RIGHT),
        (140, BACKWARD),
        (-140, BACKWARD),
        (180, BACKWARD),
    ],
)
def test_each_task_has_the_quadrant_that_it_leads_into(bearing: float, expected: Kind) -> None:
    scheduler = Scheduler(FOUR, ROOM, patience=100)
    assert scheduler.next(seeing_the_centre_at(bearing * degrees)) is expected


@pytest.mark.parametrize('bearing', [45, -45, 135, -135])
def test_on_the_line_between_two_the_one_that_waited_longer_is_taken(bearing: float) -> None:
    scheduler = Scheduler(FOUR, ROOM, patience=100)
    place, taken = seeing_the_centre_at(bearing * degrees), []
    for _ in range(4):
        taken.append(scheduler.next(place))
        scheduler.begun(taken[-1])
    assert taken[0] is taken[2]
    assert taken[1] is taken[3]
    assert taken[0] is not taken[1]


@pytest.mark.parametrize(
    'space, place', [(ROOM, Place(0.1, 0.1, 2.0)), (NO_BOUNDS, Place(9, 9, 0))]
)
def test_in_the_centre_and_without_bounds_tasks_take_turns(space: Workspace, place: Place) -> None:
    scheduler = Scheduler(FOUR, space, patience=100)
    taken = []
    for _ in range(8):
        taken.append(scheduler.next(place))
        scheduler.begun(taken[-1])
    assert taken == [*FOUR, *FOUR]


def test_asking_again_changes_nothing() -> None:
    scheduler = Scheduler(FOUR, ROOM, patience=3)
    place = Place(0.0, 0.0, 0.0)
    assert [scheduler.next(place) for _ in range(5)] == [FORWARD] * 5


@given(st.lists(st.floats(-math.pi, math.pi), min_size=60, max_size=60))
def test_well_inside_no_task_waits_much_longer_than_it_may(bearings: list[float]) -> None:
    # Even if the robot always sees the centre where one task would do: 5 episodes may pass, and
    # then up to three others that starve as well.
    scheduler = Scheduler(FOUR, ROOM, patience=5)
    waited = dict.fromkeys(FOUR, 0)
    for bearing in bearings:
        chosen = scheduler.next(seeing_the_centre_at(0.2 * bearing, distance=0.6))
        scheduler.begun(chosen)
        waited = {kind: 0 if kind is chosen else n + 1 for kind, n in waited.items()}
        assert max(waited.values()) <= 5 + 1 + len(FOUR)


def test_near_the_edge_a_task_that_starves_waits_for_room() -> None:
    both = (FORWARD, BACKWARD)
    scheduler = Scheduler(both, ROOM, patience=2)
    for _ in range(10):
        scheduler.begun(FORWARD)
    # Facing the centre: backward leads away from it.
    assert scheduler.next(Place(1.5, 0.0, math.pi)) is FORWARD
    assert scheduler.next(Place(1.1, 0.0, math.pi)) is BACKWARD


def test_beside_a_wall_a_direction_towards_the_centre_may_lead_out() -> None:
    # In the corner (1.5, −1.15) of the room: walking ahead at −131° is 87° off the centre, inward
    # by the compass, but out through the wall at y = −1.5.
    both = (FORWARD, RIGHT)
    place = Place(1.5, -1.15, -131.0 * degrees)
    assert 0.0 < lead(FORWARD, place) < 0.1
    scheduler = Scheduler(both, ROOM, patience=2)
    for _ in range(10):
        scheduler.begun(RIGHT)
    assert scheduler.next(place) is RIGHT


def test_a_turn_that_starves_needs_no_room_but_not_out_of_bounds() -> None:
    scheduler = Scheduler((FORWARD, LEFT), ROOM, patience=2)
    for _ in range(10):
        scheduler.begun(FORWARD)
    assert scheduler.next(Place(1.7, 0.0, math.pi)) is LEFT
    assert scheduler.next(Place(1.9, 0.0, math.pi)) is FORWARD


@pytest.mark.parametrize(
    'bearing, expected',
    [(15, FORWARD), (-170, BACKWARD), (40, LEFT), (-40, RIGHT), (150, LEFT), (-150, RIGHT)],
)
def test_out_of_bounds_it_turns_to_the_centre_before_it_walks(
    bearing: float, expected: Kind
) -> None:
    scheduler = Scheduler(FOUR, ROOM, patience=100)
    assert scheduler.next(seeing_the_centre_at(bearing * degrees, distance=2.1)) is expected


def test_out_of_bounds_a_turn_that_leads_nowhere_is_followed_by_a_walk() -> None:
    scheduler = Scheduler(FOUR, ROOM, patience=100)
    place, taken = seeing_the_centre_at(60 * degrees, distance=2.1), []
    for _ in range(4):
        taken.append(scheduler.next(place))
        scheduler.begun(taken[-1])
    assert taken == [LEFT, FORWARD, LEFT, FORWARD]
    assert lead(FORWARD, place) > 0.0


def test_with_two_tasks_the_one_that_leads_less_away_is_taken() -> None:
    scheduler = Scheduler((FORWARD, BACKWARD), ROOM, patience=100)
    assert scheduler.next(seeing_the_centre_at(80 * degrees)) is FORWARD
    assert scheduler.next(seeing_the_centre_at(100 * degrees)) is BACKWARD


def test_one_that_goes_where_it_is_told_takes_turns_with_the_one_that_leads_back() -> None:
    scheduler = Scheduler((FORWARD, BACKWARD, VELOCITY), ROOM, patience=100)
    taken = []
    for _ in range(4):
        taken.append(scheduler.next(seeing_the_centre_at(0.0)))
        scheduler.begun(taken[-1])
    assert taken == [FORWARD, VELOCITY, FORWARD, VELOCITY]


@pytest.mark.parametrize('bearing, does', [(0, True), (20, True), (30, False), (165, True)])
def test_it_faces_the_centre_or_turns_its_back_on_it(bearing: float, does: bool) -> None:
    assert faces(seeing_the_centre_at(bearing * degrees)) is does


def test_a_robot_that_can_do_all_it_is_told_stays_inside() -> None:
    """A point that walks 0.6 m/s or turns 1 rad/s, each a little wrong, in a room of 4 m x 3 m."""
    chance = np.random.default_rng(0)
    scheduler, leash = Scheduler(FOUR, ROOM, patience=8), Leash()
    place, tried, outside = Place(0.0, 0.0, 0.0), dict.fromkeys(FOUR, 0), 0
    for _ in range(400):
        kind = scheduler.next(place)
        scheduler.begun(kind)
        tried[kind] += 1
        leash.begin(ROOM.excursion(place))
        homing = ROOM.excursion(place) > 0.0
        for error in chance.normal(0.0, 0.01, (100, 3)).tolist():  # 10 s in tenths
            x, y, yaw = error
            place = place.after(Place(0.06 * kind.along + x, y, 0.1 * kind.turn + yaw))
            outside += ROOM.beyond(place) > 0.0
            if leash.left(ROOM.excursion(place)) or (homing and kind.turn and faces(place)):
                break
    assert outside == 0
    assert min(tried.values()) > 35, 'a tenth each, and a turn lasts longer than a walk'
