"""Claims about what the sensors make of the truth."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import SensorSample
from quad_learner.simulation.config import SimulationConfig
from quad_learner.simulation.sensors import Reading, Sensors

Row = list[SensorSample]
Samples = Callable[..., Row]
Errors = dict[str, float]

TURN = Rotation.from_euler('zyx', (40.0, 10.0, -20.0), degrees=True)


def truth(time_ns: int = 0) -> Reading:
    x, y, z, w = TURN.as_quat()
    return Reading(
        time_ns=time_ns,
        joint_position=np.linspace(-1.0, 1.0, 12),
        joint_velocity=np.linspace(-5.0, 5.0, 12),
        joint_effort=np.linspace(-9.0, 9.0, 12),
        orientation=(x, y, z, w),
        angular_velocity=np.array((0.1, -0.2, 0.3)),
        specific_force=np.array((1.0, 2.0, 9.0)),
        foot_force=np.array((0.0, 50.0, 100.0, 150.0)),
    )


@pytest.fixture
def samples(configure: Callable[..., SimulationConfig]) -> Samples:
    """Gives `samples(robot, count, seed, **overrides)`: readings of one unchanging truth."""

    def make(robot: RobotModel, count: int, seed: int = 0, **overrides: object) -> Row:
        sensors = Sensors(robot, configure(**overrides), np.random.default_rng(seed))
        return [sensors.read(truth(i)) for i in range(count)]

    return make


def test_sensors_without_error_read_the_truth(
    a1: RobotModel, samples: Samples, exact: Errors
) -> None:
    sample = samples(a1, 3, **exact)[-1]
    for field in dataclasses.fields(Reading):
        np.testing.assert_allclose(
            getattr(sample, field.name), getattr(truth(2), field.name), atol=1e-12
        )


@pytest.mark.parametrize(
    'field, parameter, size',
    [
        ('joint_position', 'encoder_noise_rad', 0.02),
        ('joint_velocity', 'velocity_noise_rad_s', 0.3),
        ('joint_effort', 'effort_noise_nm', 0.7),
        ('angular_velocity', 'gyro_noise_rad_s', 0.05),
        ('specific_force', 'accelerometer_noise_m_s2', 0.4),
    ],
)
def test_noise_has_the_size_asked_for(
    a1: RobotModel, samples: Samples, exact: Errors, field: str, parameter: str, size: float
) -> None:
    read = np.array([getattr(s, field) for s in samples(a1, 1000, **(exact | {parameter: size}))])
    error = read - getattr(truth(), field)
    assert np.std(error) == pytest.approx(size, rel=0.05)
    assert abs(np.mean(error)) < 4.0 * size / np.sqrt(error.size)


def test_noise_of_one_sensor_leaves_the_others_alone(
    a1: RobotModel, samples: Samples, exact: Errors
) -> None:
    sample = samples(a1, 1, **(exact | {'gyro_noise_rad_s': 0.1}))[0]
    np.testing.assert_array_equal(sample.joint_position, truth().joint_position)
    np.testing.assert_array_equal(sample.specific_force, truth().specific_force)


def test_angles_come_in_steps(a1: RobotModel, samples: Samples, exact: Errors) -> None:
    position = samples(a1, 1, **(exact | {'encoder_resolution_rad': 0.01}))[0].joint_position
    np.testing.assert_allclose(position * 100.0, np.round(position * 100.0), atol=1e-9)
    np.testing.assert_allclose(position, truth().joint_position, atol=0.0051)


def test_offsets_last_a_run_and_differ_between_runs(
    a1: RobotModel, samples: Samples, exact: Errors
) -> None:
    only_bias = exact | {'gyro_bias_rad_s': 0.01, 'accelerometer_bias_m_s2': 0.2}
    first, again = samples(a1, 2, 1, **only_bias)
    other = samples(a1, 1, 2, **only_bias)[0]
    np.testing.assert_array_equal(first.angular_velocity, again.angular_velocity)
    np.testing.assert_array_equal(first.specific_force, again.specific_force)
    assert not np.allclose(first.angular_velocity, other.angular_velocity)
    assert not np.allclose(first.specific_force, other.specific_force)


def test_an_offset_walks_with_the_root_of_time(
    a1: RobotModel, samples: Samples, exact: Errors
) -> None:
    walks = []
    for seed in range(60):
        read = samples(a1, 31, seed, **(exact | {'gyro_bias_walk': 0.01}))
        walks.append(read[-1].angular_velocity - read[0].angular_velocity)
    # 0.01 rad/s/√s over 30 samples at 120 Hz, 180 draws:
    # half of 0.01 within four deviations of a measured deviation.
    assert np.std(walks) == pytest.approx(0.005, rel=4.0 / np.sqrt(2.0 * 180))


def test_roll_and_pitch_err_as_much_late_as_early(
    a1: RobotModel, samples: Samples, exact: Errors
) -> None:
    early, late = [], []
    slow = exact | {'tilt_error_rad': 0.02, 'tilt_error_time_s': 0.1}
    for seed in range(80):
        read = samples(a1, 50, seed, **slow)
        for kept, sample in ((early, read[0]), (late, read[-1])):
            kept.append((TURN.inv() * Rotation.from_quat(sample.orientation)).as_rotvec())
    for kept in (early, late):
        assert np.std(np.array(kept)[:, :2]) == pytest.approx(0.02, rel=0.25)
        np.testing.assert_allclose(np.array(kept)[:, 2], 0.0, atol=1e-9)


def test_heading_drifts_and_gravity_does_not(
    a1: RobotModel, samples: Samples, exact: Errors
) -> None:
    read = samples(a1, 600, **(exact | {'yaw_drift': 0.1}))[-1]
    error = (Rotation.from_quat(read.orientation) * TURN.inv()).as_rotvec()
    np.testing.assert_allclose(error[:2], 0.0, atol=1e-9)
    assert abs(error[2]) > 1e-3


def test_orientation_is_of_unit_length(a1: RobotModel, samples: Samples) -> None:
    for sample in samples(a1, 50, orientation_noise_rad=0.1):
        assert np.linalg.norm(sample.orientation) == pytest.approx(1.0, abs=1e-12)


def test_no_foot_pulls_at_the_ground(a1: RobotModel, samples: Samples) -> None:
    forces = np.array([s.foot_force for s in samples(a1, 200, foot_force_noise_n=20.0)])
    assert forces.min() == 0.0
    assert forces[:, 3].mean() == pytest.approx(150.0, rel=0.05)


def test_a_robot_without_soles_reads_no_force(a1: RobotModel, samples: Samples) -> None:
    bare = dataclasses.replace(a1, has_foot_force=False)
    np.testing.assert_array_equal(samples(bare, 1)[0].foot_force, np.zeros(4))
