from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from quad_learner.configuration import ConfigurationError
from quad_learner.drive.config import DriveConfig
from quad_learner.drive.steering import Steering

SECOND = 1_000_000_000
LARGEST = np.array([0.6, 0.3, 1.0])
STAND = [0.0, 0.0, 0.0]


@pytest.fixture
def steering(drive_config: Callable[..., DriveConfig]) -> Steering:
    config = drive_config(command_age_max_s=0.5, joy_axes=[1, 0, 3], joy_enable=2)
    return Steering(config, LARGEST)


@pytest.mark.parametrize('axes', [[], [1], [1, 0], [1, 0, 3, 4]])
def test_each_number_of_a_command_needs_an_axis(
    drive_config: Callable[..., DriveConfig], axes: list[int]
) -> None:
    with pytest.raises(ConfigurationError, match='must be three axes: ahead, to the left, turn'):
        drive_config(joy_axes=axes)


def test_it_stands_until_somebody_commands(steering: Steering) -> None:
    np.testing.assert_array_equal(steering.wanted(5 * SECOND), STAND)


def test_a_velocity_counts_until_it_is_too_old(steering: Steering) -> None:
    assert steering.twist(0.3, -0.1, 0.5, 10 * SECOND)
    np.testing.assert_array_equal(steering.wanted(10 * SECOND + SECOND // 2), [0.3, -0.1, 0.5])
    np.testing.assert_array_equal(steering.wanted(10 * SECOND + SECOND // 2 + 1), STAND)


def test_no_more_is_wanted_than_a_full_command(steering: Steering) -> None:
    steering.twist(9.0, -9.0, -9.0, 0)
    np.testing.assert_array_equal(steering.wanted(0), [0.6, -0.3, -1.0])


@pytest.mark.parametrize('wrong', [math.nan, math.inf])
def test_a_number_that_is_none_is_not_followed(steering: Steering, wrong: float) -> None:
    steering.twist(0.3, 0.0, 0.0, 0)
    assert not steering.twist(0.0, 0.0, wrong, 1)
    np.testing.assert_array_equal(steering.wanted(1), [0.3, 0.0, 0.0])


def test_a_stick_is_a_share_of_the_full_command(steering: Steering) -> None:
    #                        left  ahead      turn
    assert steering.joy([-1.0, 0.5, 0.0, 0.25], [0, 0, 1], 0)
    np.testing.assert_allclose(steering.wanted(0), [0.3, -0.3, 0.25])


def test_letting_the_button_go_means_stand_at_once(steering: Steering) -> None:
    steering.joy([0.0, 1.0, 0.0, 0.0], [0, 0, 1], 0)
    assert steering.joy([0.0, 1.0, 0.0, 0.0], [0, 0, 0], 1)
    np.testing.assert_array_equal(steering.wanted(1), STAND)


def test_a_stick_with_its_button_held_goes_before_a_planner(steering: Steering) -> None:
    steering.joy([0.0, 1.0, 0.0, 0.0], [0, 0, 1], 0)
    assert not steering.twist(-0.5, 0.0, 0.0, 1)
    np.testing.assert_allclose(steering.wanted(1), [0.6, 0.0, 0.0])
    # One that has fallen silent is no longer in the way.
    assert steering.twist(-0.5, 0.0, 0.0, 2 * SECOND)
    np.testing.assert_allclose(steering.wanted(2 * SECOND), [-0.5, 0.0, 0.0])


def test_a_controller_that_lies_about_does_not_stop_a_planner(steering: Steering) -> None:
    steering.twist(0.4, 0.0, 0.0, 0)
    assert not steering.joy([0.0, 0.0, 0.0, 0.0], [0, 0, 0], 1)
    np.testing.assert_allclose(steering.wanted(1), [0.4, 0.0, 0.0])


def test_a_controller_without_these_axes_or_buttons_is_not_followed(steering: Steering) -> None:
    assert not steering.joy([0.0, 1.0], [0, 0, 1], 0)
    assert not steering.joy([0.0, 1.0, 0.0, 0.0], [1], 0)
    np.testing.assert_array_equal(steering.wanted(0), STAND)


@pytest.fixture
def buttonless(drive_config: Callable[..., DriveConfig]) -> Steering:
    config = drive_config(joy_axes=[1, 0, 3], joy_enable=-1, dead_share=0.1)
    return Steering(config, LARGEST)


def test_a_controller_without_button_that_lies_about_is_in_nobodys_way(
    buttonless: Steering,
) -> None:
    for twentieth in range(40):  # it tells its middle again and again
        now = twentieth * SECOND // 20
        assert not buttonless.joy([0.0, 0.05, 0.0, 0.0], [], now)
        assert buttonless.twist(0.3, 0.0, 0.0, now)
    np.testing.assert_allclose(buttonless.wanted(now), [0.3, 0.0, 0.0])


def test_a_stick_without_button_goes_before_a_planner_until_it_is_let_go(
    buttonless: Steering,
) -> None:
    assert buttonless.joy([0.0, 1.0, 0.0, 0.0], [], 0)
    assert not buttonless.twist(-0.5, 0.0, 0.0, 1)
    np.testing.assert_allclose(buttonless.wanted(1), [0.6, 0.0, 0.0])
    assert buttonless.joy([0.0, 0.0, 0.0, 0.0], [], 2)
    np.testing.assert_array_equal(buttonless.wanted(2), STAND)
    assert buttonless.twist(-0.5, 0.0, 0.0, 3)
