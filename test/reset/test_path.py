import numpy as np
import pytest

from quad_learner.reset.path import JointPath


def test_it_stands_still_where_it_begins() -> None:
    path = JointPath(np.array([1.0, 2.0]))
    path.advance(5.0)
    assert path.done
    np.testing.assert_array_equal(path.position, [1.0, 2.0])


# From 0 to (2, -4) in 2 s, worked by hand.
@pytest.mark.parametrize(
    'time, position, done',
    [
        (0.0, [0.0, 0.0], False),
        (0.5, [0.5, -1.0], False),
        (1.99, [1.99, -3.98], False),
        (2.0, [2.0, -4.0], True),
        (9.0, [2.0, -4.0], True),
    ],
)
def test_it_goes_at_constant_speed_and_stops_at_the_goal(
    time: float, position: list[float], done: bool
) -> None:
    path = JointPath(np.zeros(2))
    path.go(np.array([2.0, -4.0]), 2.0)
    path.advance(time)
    np.testing.assert_allclose(path.position, position)
    assert path.done is done
    assert path.seconds == 2.0


def test_a_new_goal_is_headed_for_from_where_it_is() -> None:
    path = JointPath(np.zeros(1))
    path.go(np.array([4.0]), 2.0)
    path.advance(1.0)
    path.go(np.array([0.0]), 1.0)
    np.testing.assert_allclose(path.position, [2.0])
    path.advance(0.5)
    np.testing.assert_allclose(path.position, [1.0])


def test_a_goal_in_no_time_is_reached_at_once() -> None:
    path = JointPath(np.zeros(1))
    path.go(np.array([1.0]), 0.0)
    assert path.done
    np.testing.assert_array_equal(path.position, [1.0])


def test_joints_that_follow_begin_the_next_way_from_where_they_are() -> None:
    path = JointPath(np.zeros(2))
    path.go(np.array([2.0, 2.0]), 2.0)
    path.follow(np.array([False, True]), np.array([9.0, 5.0]))
    path.advance(1.0)
    np.testing.assert_array_equal(path.position, [1.0, 5.0])
    path.go(np.array([1.0, 1.0]), 1.0)
    path.advance(0.5)
    np.testing.assert_array_equal(path.position, [1.0, 3.0])
