"""Whole, fresh samples on the grid of ticks, whatever the sensors do."""

from __future__ import annotations

import numpy as np
import pytest

from quad_learner.robot.joint_controller import JointReading
from quad_learner.robot.model import RobotModel
from quad_learner.robot.sampler import FEET, IMU, JOINTS, ImuReading, Sampler, TickCounter
from quad_learner.robot.ticks import Ticks

MS = 1_000_000
STAMP = 25_000_000


def joints(value: float = 0.0) -> JointReading:
    """Returns a reading of twelve joints."""
    return JointReading(np.full(12, value), np.full(12, 2.0 * value), np.full(12, 3.0 * value))


def imu(value: float = 0.0) -> ImuReading:
    """Returns a reading of a level IMU."""
    return ImuReading(np.array([0.0, 0.0, 0.0, 1.0]), np.full(3, value), np.full(3, 2.0 * value))


@pytest.fixture
def sampler(robot: RobotModel) -> Sampler:
    """Returns a sampler of the A1 for which 50 ms are too old."""
    return Sampler(robot, 0.05)


def feed(sampler: Sampler, now_ns: int, without: str = '') -> None:
    """Lets every sensor but `without` speak."""
    if without != JOINTS:
        sampler.take_joints(joints(), now_ns)
    if without != IMU:
        sampler.take_imu(imu(), now_ns)
    if without != FEET:
        sampler.take_feet(np.full(4, 30.0), now_ns)


def test_before_anything_spoke_everything_is_missing(sampler: Sampler) -> None:
    assert sampler.missing(0) == (JOINTS, IMU, FEET)
    assert sampler.sample(STAMP, 0) is None
    assert sampler.reading(0) is None


@pytest.mark.parametrize('sensor', [JOINTS, IMU, FEET])
def test_one_sensor_missing_means_no_sample(sampler: Sampler, sensor: str) -> None:
    feed(sampler, 100 * MS, without=sensor)
    assert sampler.missing(100 * MS) == (sensor,)
    assert sampler.sample(STAMP, 100 * MS) is None


@pytest.mark.parametrize('sensor', [JOINTS, IMU, FEET])
@pytest.mark.parametrize('age_ms, whole', [(50, True), (51, False)])
def test_a_sensor_is_silent_once_it_is_too_old(
    sampler: Sampler, sensor: str, age_ms: int, whole: bool
) -> None:
    feed(sampler, 100 * MS)
    now = (100 + age_ms) * MS
    feed(sampler, now, without=sensor)
    assert (sampler.sample(STAMP, now) is not None) == whole


def test_a_sample_bears_the_stamp_and_the_newest_of_joints_and_feet(sampler: Sampler) -> None:
    feed(sampler, 100 * MS)
    sampler.take_joints(joints(0.5), 101 * MS)
    sample = sampler.sample(STAMP, 102 * MS)
    assert sample is not None
    assert sample.time_ns == STAMP
    np.testing.assert_array_equal(sample.joint_position, np.full(12, 0.5))
    np.testing.assert_array_equal(sample.joint_velocity, np.full(12, 1.0))
    np.testing.assert_array_equal(sample.joint_effort, np.full(12, 1.5))
    np.testing.assert_array_equal(sample.foot_force, np.full(4, 30.0))


def test_rates_and_forces_are_the_mean_since_the_last_sample(sampler: Sampler) -> None:
    feed(sampler, 100 * MS)
    sampler.sample(STAMP, 100 * MS)
    sampler.take_imu(imu(1.0), 101 * MS)
    sampler.take_imu(imu(4.0), 102 * MS)
    sample = sampler.sample(STAMP, 103 * MS)
    assert sample is not None
    np.testing.assert_allclose(sample.angular_velocity, 2.5)
    np.testing.assert_allclose(sample.specific_force, 5.0)


def test_a_slow_imu_is_repeated_until_it_is_too_old(sampler: Sampler) -> None:
    feed(sampler, 100 * MS)
    sampler.take_imu(imu(4.0), 101 * MS)
    sampler.sample(STAMP, 101 * MS)
    again = sampler.sample(STAMP, 109 * MS)
    assert again is not None
    np.testing.assert_allclose(again.angular_velocity, 4.0)


def test_what_an_imu_said_before_a_silence_is_not_averaged_in(sampler: Sampler) -> None:
    sampler.take_imu(imu(100.0), 0)
    feed(sampler, 200 * MS)
    sample = sampler.sample(STAMP, 200 * MS)
    assert sample is not None
    np.testing.assert_allclose(sample.angular_velocity, 0.0)


@pytest.mark.parametrize('sensor', [JOINTS, FEET])
def test_what_an_imu_said_while_another_sensor_was_silent_is_neither_kept_nor_averaged_in(
    sampler: Sampler, sensor: str
) -> None:
    for tick in range(100):  # the IMU speaks four times a tick, as one of 480 Hz does
        for quarter in range(4):
            now_ns = tick * 8 * MS + quarter * 2 * MS
            feed(sampler, now_ns, without=sensor)
            sampler.take_imu(imu(100.0), now_ns)
        assert sampler.sample(STAMP, now_ns) is None
        assert len(sampler._imu) == 0
    feed(sampler, now_ns)
    sample = sampler.sample(STAMP, now_ns)
    assert sample is not None
    np.testing.assert_allclose(sample.angular_velocity, 0.0)


# 120 Hz: a period is 8.333 ms. Calls in ms after the first, and the ticks they are for.
@pytest.mark.parametrize(
    'calls, ticks, missed',
    [
        ((0.0, 8.3, 16.7, 25.0), (0, 1, 2, 3), 0),
        ((0.0, 14.0, 17.0, 25.0), (0, 1, 2, 3), 0),
        ((0.0, 4.0, 12.0, 20.0), (0, 1, 2, 3), 0),
        ((0.0, 83.3, 91.7), (0, 10, 11), 9),
        ((0.0, 0.1, 0.2, 8.3, 16.7), (0, 1, None, 2, 3), 0),
    ],
    ids=['on time', 'late', 'early', 'held up', 'in a burst'],
)
def test_ticks_are_numbered_without_gap_unless_time_was_lost(
    robot: RobotModel, calls: tuple[float, ...], ticks: tuple[int | None, ...], missed: int
) -> None:
    counter = TickCounter(Ticks(robot))
    start = 777 * MS
    assert tuple(counter.next(start + round(call * MS)) for call in calls) == ticks
    assert counter.missed == missed


def test_a_robot_without_foot_sensors_waits_for_none(robot: RobotModel) -> None:
    from dataclasses import replace

    sampler = Sampler(replace(robot, has_foot_force=False), 0.05)
    feed(sampler, 0, without=FEET)
    sample = sampler.sample(STAMP, 0)
    assert sample is not None
    np.testing.assert_array_equal(sample.foot_force, np.zeros(4))
