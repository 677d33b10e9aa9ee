import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from quad_learner.reset.config import ResetConfig
from quad_learner.reset.standing import Standing, is_standing, what_is_missing
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import SensorSample

Build = Callable[..., SensorSample]


@pytest.fixture
def limits(config: ResetConfig) -> ResetConfig:
    """Round numbers, so that each boundary below can be read."""
    return replace(
        config,
        standing_tilt=0.2,
        standing_joint_error=0.3,
        standing_joint_speed=1.0,
        standing_body_rate=0.5,
        standing_feet_fraction=0.75,
    )


def one(value: float, size: int = 12) -> np.ndarray:
    vector = np.zeros(size)
    vector[1] = value
    return vector


def test_a_robot_at_rest_in_its_stance_stands(
    robot: RobotModel, limits: ResetConfig, make_sample: Build
) -> None:
    assert is_standing(make_sample(), robot, limits)


@pytest.mark.parametrize('sign', [-1.0, 1.0])
@pytest.mark.parametrize(
    'what, inside, outside',
    [('roll', 0.19, 0.21), ('pitch', 0.19, 0.21)],
)
def test_a_slanted_robot_does_not_stand(
    what: str,
    inside: float,
    outside: float,
    sign: float,
    robot: RobotModel,
    limits: ResetConfig,
    make_sample: Build,
) -> None:
    assert is_standing(make_sample(**{what: sign * inside}), robot, limits)
    assert not is_standing(make_sample(**{what: sign * outside}), robot, limits)


@pytest.mark.parametrize('sign', [-1.0, 1.0])
@pytest.mark.parametrize(
    'what, size, inside, outside',
    [
        ('joint_position', 12, 0.29, 0.31),
        ('joint_velocity', 12, 0.99, 1.01),
        ('angular_velocity', 3, 0.49, 0.51),
    ],
)
def test_one_value_beyond_its_bound_is_not_standing(
    what: str,
    size: int,
    inside: float,
    outside: float,
    sign: float,
    robot: RobotModel,
    limits: ResetConfig,
    make_sample: Build,
) -> None:
    rest = getattr(make_sample(), what)
    near = make_sample(**{what: rest + one(sign * inside, size)})
    far = make_sample(**{what: rest + one(sign * outside, size)})
    assert is_standing(near, robot, limits)
    assert not is_standing(far, robot, limits)


@pytest.mark.parametrize('loaded, stands', [(4, True), (3, True), (2, False), (0, False)])
def test_a_robot_that_feels_its_feet_stands_on_three_of_four(
    loaded: int, stands: bool, robot: RobotModel, limits: ResetConfig, make_sample: Build
) -> None:
    force = np.array([16.0] * loaded + [14.0] * (4 - loaded))  # the A1's threshold is 15 N
    assert is_standing(make_sample(foot_force=force), robot, limits) is stands


def test_a_robot_without_foot_sensors_is_not_asked_for_them(
    robot: RobotModel, limits: ResetConfig, make_sample: Build
) -> None:
    numb = replace(robot, has_foot_force=False)
    assert is_standing(make_sample(foot_force=np.zeros(4)), numb, limits)


@pytest.mark.parametrize(
    'what', ['joint_position', 'joint_velocity', 'orientation', 'angular_velocity', 'foot_force']
)
def test_a_broken_sensor_never_stands(
    what: str, robot: RobotModel, limits: ResetConfig, make_sample: Build
) -> None:
    broken = np.full_like(getattr(make_sample(), what), math.nan)
    assert not is_standing(make_sample(**{what: broken}), robot, limits)


@pytest.fixture
def standing(robot: RobotModel, limits: ResetConfig) -> Standing:
    return Standing(robot, replace(limits, standing_hold=0.3, tick_max=0.1))


TENTH = 100_000_000


def test_it_has_stood_when_it_stood_all_the_time(standing: Standing, make_sample: Build) -> None:
    looks = [standing.has_stood(make_sample(time_ns=tenth * TENTH)) for tenth in range(5)]
    assert looks == [False, False, False, True, True]


def test_a_body_that_rocks_has_not_stood_where_it_turns_back(
    standing: Standing, make_sample: Build
) -> None:
    for tenth in range(20):
        rate = 0.9 if tenth % 3 == 2 else 0.0  # slow for two looks, quick for one
        sample = make_sample(time_ns=tenth * TENTH, angular_velocity=np.array([0.0, rate, 0.0]))
        assert not standing.has_stood(sample)


@pytest.mark.parametrize('later', [1_000_000_000, -100_000_000])
def test_what_nobody_looked_at_counts_for_nothing(
    standing: Standing, make_sample: Build, later: int
) -> None:
    for tenth in range(10, 14):
        standing.has_stood(make_sample(time_ns=tenth * TENTH))
    assert not standing.has_stood(make_sample(time_ns=13 * TENTH + later))


@pytest.mark.parametrize(
    'changes, missing',
    [
        ({'foot_force': np.array([30.0, 0.0, 30.0, 0.0])}, '2 of 4 feet on the ground'),
        ({'roll': 0.3}, 'tilted by 0.30 rad'),
        ({'joint_velocity': one(1.5)}, 'FR_upper_joint still moves'),
        ({'angular_velocity': one(0.6, 3)}, 'the body still turns'),
        ({}, ''),
    ],
)
def test_what_keeps_it_from_standing_is_named(
    changes: dict[str, object],
    missing: str,
    robot: RobotModel,
    limits: ResetConfig,
    make_sample: Build,
) -> None:
    assert what_is_missing(make_sample(**changes), robot, limits) == missing


def test_the_joint_farthest_from_its_stance_is_named(
    robot: RobotModel, limits: ResetConfig, make_sample: Build
) -> None:
    astray = make_sample(joint_position=robot.stance + one(0.5))
    said = what_is_missing(astray, robot, limits)
    assert said == 'FR_upper_joint 0.50 rad from its stance'
