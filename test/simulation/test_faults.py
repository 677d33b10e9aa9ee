"""Claims about injected sensor faults."""

from __future__ import annotations

import numpy as np
import pytest

from quad_learner.configuration import ConfigurationError
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import NANOSECONDS, SensorSample
from quad_learner.simulation.faults import KINDS, FaultInjector, parse


def sample(second: float) -> SensorSample:
    """Returns a sample whose every number tells its time."""
    return SensorSample(
        time_ns=round(second * NANOSECONDS),
        joint_position=np.full(12, 1.0 + second),
        joint_velocity=np.full(12, 2.0 + second),
        joint_effort=np.full(12, 3.0 + second),
        orientation=np.array((0.0, 0.0, 0.0, 1.0 + second)),
        angular_velocity=np.full(3, 4.0 + second),
        specific_force=np.full(3, 5.0 + second),
        foot_force=np.full(4, 6.0 + second),
    )


def through(robot: RobotModel, *faults: str) -> list[SensorSample]:
    """Returns what becomes of samples at 0, 1, 2, 3 and 4 s."""
    injector = FaultInjector(robot, faults)
    return [injector.apply(sample(float(second))) for second in range(5)]


def test_without_faults_samples_pass_untouched(a1: RobotModel) -> None:
    injector, given = FaultInjector(a1, ('none',)), sample(1.0)
    assert injector.apply(given) is given


def test_a_fault_is_there_in_its_time_only(a1: RobotModel) -> None:
    out = through(a1, 'nan_joint:FR_upper_joint@1+2')
    assert [bool(np.isnan(s.joint_position[1])) for s in out] == [False, True, True, False, False]
    assert not any(np.isnan(np.delete(s.joint_position, 1)).any() for s in out)


def test_a_frozen_imu_repeats_its_last_word_and_the_rest_goes_on(a1: RobotModel) -> None:
    out = through(a1, 'frozen_imu@2+1')[2]
    assert out.angular_velocity[0] == 5.0
    assert out.specific_force[0] == 6.0
    assert out.joint_position[0] == 3.0
    assert out.time_ns == 2 * NANOSECONDS


def test_a_dropped_sample_comes_again_with_its_old_stamp(a1: RobotModel) -> None:
    assert [s.time_ns // NANOSECONDS for s in through(a1, 'dropped_sample@2+2')] == [0, 1, 1, 1, 4]


def test_a_stuck_joint_stands_still(a1: RobotModel) -> None:
    out = through(a1, 'stuck_joint:RL_lower_joint@1+3')[3]
    assert (out.joint_position[11], out.joint_velocity[11]) == (1.0, 0.0)
    assert out.joint_position[10] == 4.0


def test_a_flipped_joint_reads_the_other_sign(a1: RobotModel) -> None:
    out = through(a1, 'flipped_joint:FR_hip_joint@1+1')[1]
    assert (out.joint_position[0], out.joint_velocity[0]) == (-2.0, -3.0)


def test_lost_sensors_read_zero(a1: RobotModel) -> None:
    out = through(a1, 'zero_imu@1+1', 'no_foot_force@1+1')[1]
    for read in (out.orientation, out.angular_velocity, out.specific_force, out.foot_force):
        np.testing.assert_array_equal(read, 0.0)


@pytest.mark.parametrize('kind', sorted(KINDS))
def test_a_fault_leaves_the_sample_it_was_given_alone(a1: RobotModel, kind: str) -> None:
    joint = ':FR_hip_joint' if kind.endswith('_joint') else ''
    injector = FaultInjector(a1, (f'{kind}{joint}@0+9',))
    injector.apply(sample(0.0))
    given, untouched = sample(1.0), sample(1.0)
    injector.apply(given)
    np.testing.assert_array_equal(given.joint_position, untouched.joint_position)
    np.testing.assert_array_equal(given.orientation, untouched.orientation)


def test_times_are_read_to_the_millisecond(a1: RobotModel) -> None:
    fault = parse('frozen_imu@0.25+0.005', a1)
    assert (fault.start_ns, fault.end_ns) == (250_000_000, 255_000_000)


@pytest.mark.parametrize(
    'text, complaint',
    [
        ('frozen_imu', 'must read kind@start'),
        ('frozen_imu@-1+2', 'must read kind@start'),
        ('melted_imu@1+2', 'choose a kind of'),
        ('frozen_imu:FR_hip_joint@1+2', 'take a joint'),
        ('nan_joint@1+2', 'take a joint'),
        ('nan_joint:elbow@1+2', 'choose a joint of'),
    ],
)
def test_a_wrong_declaration_is_refused_with_the_way_out(
    a1: RobotModel, text: str, complaint: str
) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        parse(text, a1)
