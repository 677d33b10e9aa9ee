"""Claims about the estimator as a whole: standing, moving, and every way its input can fail."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from enum import Enum

import numpy as np
import pytest

from quad_learner import configuration
from quad_learner.estimation.config import EstimatorConfig
from quad_learner.estimation.estimator import Estimator
from quad_learner.resources import config_directory
from quad_learner.robot.kinematics import LegKinematics
from quad_learner.robot.model import RobotModel
from quad_learner.robot.rotations import quaternion_from_rpy, roll_pitch_yaw, rotate_back
from quad_learner.robot.signals import JointCommand, SensorSample
from quad_learner.simulation.config import SimulationConfig
from quad_learner.simulation.robot import SimulatedRobot

DT = 1.0 / 120.0
Build = Callable[..., SensorSample]


class Fault(Enum):
    """One sample spoilt in one way: the field and what it reads."""

    JOINT_NOT_FINITE = ('joint_position', (np.nan,) * 12)
    SPEED_NOT_FINITE = ('joint_velocity', (np.inf,) * 12)
    EFFORT_NOT_FINITE = ('joint_effort', (np.nan,) * 12)
    GYRO_NOT_FINITE = ('angular_velocity', (0.0, -np.inf, 0.0))
    FORCE_NOT_FINITE = ('specific_force', (np.nan, 0.0, 9.81))
    FOOT_NOT_FINITE = ('foot_force', (np.nan, 30.0, 30.0, 30.0))
    ORIENTATION_NOT_FINITE = ('orientation', (np.nan,) * 4)
    ORIENTATION_WITHOUT_LENGTH = ('orientation', (0.0,) * 4)
    ORIENTATION_JUMPED = ('orientation', (0.6, 0.0, 0.0, 0.8))
    IMPOSSIBLY_LARGE = ('angular_velocity', (1e300, 0.0, 0.0))
    JOINT_MISSING = ('joint_effort', (0.0,) * 11)
    FOOT_TOO_MANY = ('foot_force', (30.0,) * 5)

    def spoil(self, sample: SensorSample) -> SensorSample:
        name, reading = self.value
        return dataclasses.replace(sample, **{name: np.array(reading)})


def _stand(estimator: Estimator, standing: Build, first: int, count: int) -> int:
    for tick in range(first, first + count):
        estimator.update(standing(tick))
    return first + count


def test_a_standing_robot_stands_still_and_level(estimator: Estimator, standing: Build) -> None:
    _stand(estimator, standing, 0, 240)
    estimate = estimator.update(standing(240))
    assert estimate.healthy
    assert estimate.contact.all()
    np.testing.assert_allclose(estimate.velocity_body, 0.0, atol=1e-3)
    np.testing.assert_allclose(estimate.position[:2], 0.0, atol=1e-3)
    np.testing.assert_allclose(roll_pitch_yaw(estimate.orientation), 0.0, atol=1e-9)


def test_height_is_that_of_the_bent_legs(
    estimator: Estimator, standing: Build, a1: RobotModel
) -> None:
    _stand(estimator, standing, 0, 600)
    height = float(estimator.update(standing(600)).position[2])
    # Upper and lower leg are 0.2 m, bent 0.9 rad either way; the foot's sphere has 0.02 m.
    assert height == pytest.approx(2 * 0.2 * np.cos(0.9) + 0.02, abs=2e-3)


@pytest.mark.parametrize('direction', [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (-0.6, 0.3, 0.0)])
def test_a_body_carried_over_standing_feet_has_the_speed_of_the_legs(
    a1: RobotModel,
    estimator_config: EstimatorConfig,
    standing: Build,
    direction: tuple[float, float, float],
) -> None:
    point_feet = dataclasses.replace(a1, foot_radius=0.0)
    estimator, kinematics = Estimator(point_feet, estimator_config), LegKinematics(a1)
    tick = _stand(estimator, standing, 0, 60)
    wanted = 0.3 * np.array(direction)
    angles, speed = a1.stance.copy(), np.zeros(3)
    for step in range(24):
        change = np.clip((step + 1) / 12, 0.0, 1.0) * wanted - speed
        speed = speed + change
        rows = kinematics.solve(angles, np.zeros(12)).jacobian.reshape(12, 12)
        rates = np.linalg.solve(rows, np.tile(-speed, 4))
        angles = angles + DT * rates
        sample = standing(
            tick + step,
            joint_position=angles,
            joint_velocity=rates,
            specific_force=np.array((0.0, 0.0, 9.81)) + change / DT,
        )
        estimate = estimator.update(sample)
    np.testing.assert_allclose(estimate.velocity_body, wanted, atol=0.02)
    assert estimate.healthy


def test_a_round_foot_rolls_the_body_on(
    a1: RobotModel, estimator: Estimator, standing: Build
) -> None:
    # The legs sweep back at 0.3 m/s. Each lower link turns by the sum of its upper and lower joint
    # speeds, w, and its foot of radius r rolls: the body moves by w r more than 0.3 m/s.
    kinematics, radius = LegKinematics(a1), 0.02
    tick = _stand(estimator, standing, 0, 60)
    angles, speed = a1.stance.copy(), 0.0
    for step in range(24):
        sweep = np.tile((-0.3 * min(1.0, (step + 1) / 12), 0.0, 0.0), 4)
        rates = np.linalg.solve(
            kinematics.solve(angles, np.zeros(12)).jacobian.reshape(12, 12), sweep
        )
        angles = angles + DT * rates
        rolling = radius * float(np.mean(rates[1::3] + rates[2::3]))
        before, speed = speed, -sweep[0] + rolling
        sample = standing(
            tick + step,
            joint_position=angles,
            joint_velocity=rates,
            specific_force=np.array(((speed - before) / DT, 0.0, 9.81)),
        )
        estimate = estimator.update(sample)
    assert abs(rolling) > 0.02
    assert estimate.velocity_body[0] == pytest.approx(speed, abs=0.008)


def test_the_velocity_is_that_of_the_root_link_not_of_the_sensor(
    a1: RobotModel, estimator_config: EstimatorConfig, standing: Build
) -> None:
    # A robot that pivots in place about its root link, on feet that follow: the sensor 0.2 m ahead
    # moves sideways at 0.2 m/s for 1 rad/s, the root link does not.
    offset = np.array((0.2, 0.0, 0.0))
    ahead = dataclasses.replace(a1, imu_offset=offset, foot_radius=0.0)
    estimator, kinematics = Estimator(ahead, estimator_config), LegKinematics(a1)
    tick = _stand(estimator, standing, 0, 60)
    angles, turn = a1.stance.copy(), np.array((0.0, 0.0, 1.0))
    for step in range(24):
        legs = kinematics.solve(angles, np.zeros(12))
        rates = np.linalg.solve(
            legs.jacobian.reshape(12, 12), -np.cross(turn, legs.position).ravel()
        )
        angles = angles + DT * rates
        start = np.array((0.0, 0.2 / DT, 0.0)) if step == 0 else np.zeros(3)
        sample = standing(
            tick + step,
            joint_position=angles,
            joint_velocity=rates,
            orientation=quaternion_from_rpy(0.0, 0.0, (step + 1) * DT),
            angular_velocity=turn,
            specific_force=np.array((-0.2, 0.0, 9.81)) + start,
        )
        estimate = estimator.update(sample)
    np.testing.assert_allclose(estimate.velocity_body, 0.0, atol=0.02)


@pytest.mark.parametrize('fault', list(Fault), ids=lambda fault: fault.name)
def test_a_spoilt_sample_is_told_and_survived(
    estimator: Estimator, standing: Build, fault: Fault
) -> None:
    tick = _stand(estimator, standing, 0, 60)
    spoilt = estimator.update(fault.spoil(standing(tick)))
    assert not spoilt.healthy
    assert spoilt.time_ns == standing(tick).time_ns
    for number in (spoilt.position, spoilt.orientation, spoilt.velocity_body):
        assert np.isfinite(number).all()
    tick = _stand(estimator, standing, tick + 1, 30)
    after = estimator.update(standing(tick))
    assert after.healthy
    np.testing.assert_allclose(after.velocity_body, 0.0, atol=5e-3)


@pytest.mark.parametrize('fault', [f for f in Fault if f is not Fault.ORIENTATION_JUMPED])
def test_a_spoilt_first_sample_is_unhealthy_and_the_next_starts_anew(
    estimator: Estimator, standing: Build, fault: Fault
) -> None:
    assert not estimator.update(fault.spoil(standing(0))).healthy
    assert estimator.update(standing(1)).healthy


@pytest.mark.parametrize(
    'numbers', [np.zeros(12, np.float32), np.zeros((12, 2))[:, 0]], ids=['single', 'strided']
)
def test_numbers_that_compiled_code_cannot_take_are_told_and_survived(
    estimator: Estimator, standing: Build, numbers: np.ndarray
) -> None:
    tick = _stand(estimator, standing, 0, 60)
    assert not estimator.update(standing(tick, joint_velocity=numbers)).healthy
    tick = _stand(estimator, standing, tick + 1, 30)
    assert estimator.update(standing(tick)).healthy


def test_an_older_or_repeated_stamp_changes_nothing(estimator: Estimator, standing: Build) -> None:
    tick = _stand(estimator, standing, 0, 60)
    last = estimator.update(standing(tick))
    moved = np.array((5.0, 0.0, 9.81))
    assert estimator.update(standing(tick, specific_force=moved)) is last
    assert estimator.update(standing(tick - 5, specific_force=moved)) is last


def test_a_missed_sample_is_bridged(estimator: Estimator, standing: Build) -> None:
    tick = _stand(estimator, standing, 0, 60)
    assert estimator.update(standing(tick + 1)).healthy


def test_after_a_gap_it_is_unhealthy_until_recovered(
    estimator: Estimator, standing: Build, estimator_config: EstimatorConfig
) -> None:
    tick = _stand(estimator, standing, 0, 60) + round(estimator_config.gap_max_s / DT) + 3
    recovery = round(estimator_config.recovery_s / DT)
    healths = [estimator.update(standing(tick + step)).healthy for step in range(recovery + 2)]
    assert not any(healths[: recovery - 1])
    assert healths[-1]


def test_a_gap_keeps_the_position(estimator: Estimator, standing: Build) -> None:
    _stand(estimator, standing, 0, 240)
    before = estimator.update(standing(240)).position
    after = estimator.update(standing(1000)).position
    np.testing.assert_allclose(after, before, atol=1e-3)


def test_a_velocity_that_ran_away_is_caught(estimator: Estimator, standing: Build) -> None:
    tick = _stand(estimator, standing, 0, 60)
    air = {'foot_force': np.zeros(4), 'specific_force': np.array((90.0, 0.0, 9.81))}
    healths = []
    for step in range(30):
        estimate = estimator.update(standing(tick + step, **air))
        healths.append(estimate.healthy)
        assert np.abs(estimate.velocity_body).max() < 6.0
    assert not all(healths)


def test_a_robot_on_its_back_stays_where_it_is(estimator: Estimator, standing: Build) -> None:
    back = {
        'orientation': quaternion_from_rpy(np.pi, 0.0, 0.0),
        'specific_force': np.array((0.08, -0.05, -9.78)),
        'foot_force': np.zeros(4),
        'joint_effort': np.zeros(12),
    }
    for tick in range(120 * 30):
        estimate = estimator.update(standing(tick, **back))
    assert estimate.healthy
    assert np.abs(estimate.velocity_body).max() < 0.3
    assert not estimate.contact.any()


def test_feet_that_vibrate_in_the_air_make_no_speed(estimator: Estimator, standing: Build) -> None:
    tick = _stand(estimator, standing, 0, 60)
    generator = np.random.default_rng(2)
    for step in range(240):
        shaken = standing(
            tick + step,
            joint_velocity=3.0 + generator.standard_normal(12),
            foot_force=np.full(4, 2.0),
        )
        estimate = estimator.update(shaken)
    assert np.abs(estimate.velocity_body).max() < 0.05


def test_a_foot_that_slides_under_a_standing_robot_makes_no_speed(
    estimator: Estimator, standing: Build
) -> None:
    tick = _stand(estimator, standing, 0, 60)
    sliding = np.zeros(12)
    sliding[1] = 2.0
    for step in range(120):
        estimate = estimator.update(standing(tick + step, joint_velocity=sliding))
    assert np.abs(estimate.velocity_body).max() < 0.02


@pytest.mark.parametrize('seed', [0, 1])
def test_walking_is_measured_to_a_tenth_of_a_metre_a_second(
    a1: RobotModel, estimator: Estimator, command_of: Callable[..., JointCommand], seed: int
) -> None:
    simulated = SimulatedRobot(
        a1,
        configuration.read(SimulationConfig, config_directory() / 'simulation.yaml'),
        np.random.default_rng(seed),
    )
    simulated.connect()
    estimator.update(simulated.sense())
    errors, tilts, speeds = [], [], []
    for tick in range(3 * a1.command_hz):
        # A trot by hand: upper legs swing fore and aft, lower legs fold while they swing forward.
        phase = 2.0 * np.pi * 2.0 * tick * DT + np.pi * np.array((0, 1, 1, 0))
        target = a1.stance.copy()
        target[1::3] += 0.25 * np.maximum(0.0, np.sin(phase)) + 0.3 * np.cos(phase)
        target[2::3] -= 0.5 * np.maximum(0.0, np.sin(phase))
        stamp = simulated.time_ns
        simulated.step(command_of(time_ns=stamp, sequence=tick + 1, position=target))
        estimate, truth = estimator.update(simulated.sense()), simulated.truth()
        velocity = rotate_back(truth.orientation, truth.velocity_world)
        angles = np.subtract(
            roll_pitch_yaw(estimate.orientation), roll_pitch_yaw(truth.orientation)
        )
        if tick > a1.command_hz:
            errors.append(estimate.velocity_body - velocity)
            tilts.append(angles[:2])
            speeds.append(velocity[0])
    simulated.close()
    assert np.mean(speeds) > 0.2
    assert np.sqrt(np.mean(np.square(errors), axis=0))[:2].max() < 0.10
    assert np.degrees(np.sqrt(np.mean(np.square(tilts), axis=0))).max() < 2.0


def test_equal_samples_give_equal_estimates(
    a1: RobotModel, estimator_config: EstimatorConfig, standing: Build
) -> None:
    one, other = Estimator(a1, estimator_config), Estimator(a1, estimator_config)
    generator = np.random.default_rng(3)
    for tick in range(100):
        sample = standing(
            tick,
            joint_velocity=generator.standard_normal(12),
            specific_force=np.array((0.0, 0.0, 9.81)) + generator.standard_normal(3),
        )
        first, second = one.update(sample), other.update(sample)
    np.testing.assert_array_equal(first.velocity_body, second.velocity_body)
    np.testing.assert_array_equal(first.position, second.position)


def test_reset_is_as_good_as_new(
    estimator: Estimator, a1: RobotModel, estimator_config: EstimatorConfig, standing: Build
) -> None:
    for tick in range(100):
        estimator.update(standing(tick, specific_force=np.array((1.0, 2.0, 9.0))))
    estimator.reset()
    fresh = Estimator(a1, estimator_config)
    for tick in range(40):
        again, new = estimator.update(standing(tick)), fresh.update(standing(tick))
    np.testing.assert_array_equal(again.velocity_body, new.velocity_body)
    np.testing.assert_array_equal(again.position, new.position)


def test_an_estimate_is_not_changed_by_the_next(estimator: Estimator, standing: Build) -> None:
    tick = _stand(estimator, standing, 0, 20)
    kept = estimator.update(standing(tick))
    copy = {
        name: np.copy(getattr(kept, name)) for name in ('position', 'velocity_body', 'contact')
    }
    moving = np.array((3.0, 0.0, 9.81))
    for step in range(1, 10):
        estimator.update(standing(tick + step, specific_force=moving, foot_force=np.zeros(4)))
    for name, value in copy.items():
        np.testing.assert_array_equal(getattr(kept, name), value)
