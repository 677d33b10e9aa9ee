from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import Float32MultiArray, Float64MultiArray

from quad_learner.experience.steps import Steps
from quad_learner.robot.model import RobotModel, load
from quad_learner.robot.signals import Health
from quad_learner.ros.messages import MessageError
from quad_learner.ros.packed import COMBINATIONS, Progress, Records, progress_from, progress_to
from quad_learner.safety.modes import Authority, Mode, Reason

Make = Callable[..., Any]
EVERY_REASON = Reason(sum(Reason))
LATE_NS = 1_700_000_000_123_456_789 - 1_700_000_000_000_000_000 + 9_000_000_000_000


def over_the_wire(message: Any) -> Any:
    return deserialize_message(serialize_message(message), type(message))


def opened(data: bytes, kind: type[Any] = Float64MultiArray) -> Any:
    return deserialize_message(data, kind)


def assert_same(one: Any, other: Any) -> None:
    for field in dataclasses.fields(one):
        left, right = getattr(one, field.name), getattr(other, field.name)
        np.testing.assert_array_equal(left, right, err_msg=field.name)
        assert isinstance(right, type(left)) or np.isscalar(left), field.name


@pytest.fixture(scope='module')
def records(robot: RobotModel) -> Records:
    return Records(robot, observations=5)


@pytest.fixture(scope='module')
def strangers(robot: RobotModel) -> Records:
    """Returns the records of a robot with the same number of joints in another order."""
    return Records(replace(robot, joints=robot.joints[::-1]), observations=5)


def test_a_target_comes_back_to_the_bit(records: Records, target_of: Make) -> None:
    target = target_of(time_ns=LATE_NS, source=Authority.RESET, request=12345)
    assert_same(target, records.target_from(records.target_to(target)))


def test_a_command_comes_back_to_the_bit(records: Records, command_of: Make) -> None:
    command = command_of(
        time_ns=LATE_NS,
        epoch=2**32 - 1,
        sequence=2**40,
        mode=Mode.LATCHED_STOP,
        authority=Authority.NOBODY,
        reasons=EVERY_REASON,
        effort=np.linspace(-33.5, 33.5, 12),
    )
    assert_same(command, records.command_from(records.command_to(command)))


@given(
    sequence=st.one_of(st.integers(1, 2**24 + 1), st.integers(1, 2**32 - 1)),
    time_ns=st.integers(0, 2**24 * 10**9 - 1),
    version=st.integers(0, 2**24),
    reasons=st.sampled_from([Reason.NONE, EVERY_REASON, *Reason]),
    terminated=st.booleans(),
    truncated=st.booleans(),
)
def test_a_step_comes_back_with_every_whole_number_exact(
    sequence: int, time_ns: int, version: int, reasons: Reason, terminated: bool, truncated: bool
) -> None:
    from quad_learner.experience.transition import Transition

    records = Records(load('a1'), observations=5)
    step = Transition(
        sequence=sequence,
        episode=version // 2,
        task=4,
        step=399,
        time_ns=time_ns,
        policy_version=version,
        observation=np.linspace(-10, 10, 5, dtype=np.float32),
        asked=np.linspace(-1, 1, 12, dtype=np.float32),
        action=np.linspace(-0.9, 0.9, 12, dtype=np.float32),
        reward=0.625,
        constraint=-0.25,
        next_observation=np.zeros(5, np.float32),
        terminated=terminated,
        truncated=truncated,
        reasons=reasons,
    )
    told = replace(step, reasons=reasons & ~Reason.FENCE)  # the 25th bit does not fit
    assert_same(told, records.transition_from(records.transition_to(step)))


def test_an_episode_comes_back(records: Records, end_of: Make) -> None:
    end = end_of(fell=True, complete=False, reasons=Reason.TILT | Reason.OPERATOR)
    assert_same(end, records.episode_from(over_the_wire(records.episode_to(end))))


def test_progress_comes_back() -> None:
    progress = Progress(sequence=24_000, episode=61, updates=47_200, version=1200)
    assert progress_from(over_the_wire(progress_to(progress))) == progress


def test_warmth_comes_back_for_these_joints_alone(records: Records, strangers: Records) -> None:
    health = Health(5, 24.0, 0.8, np.linspace(20.0, 60.0, 12))
    message = records.temperature_to(health)
    told = records.temperature_from(message)
    assert told.time_ns == 5
    assert np.isnan((told.battery_voltage, told.battery_charge)).all()
    np.testing.assert_array_equal(told.motor_temperature, health.motor_temperature)
    with pytest.raises(MessageError, match='not for the joints of a1'):
        strangers.temperature_from(message)


def test_a_target_for_other_joints_is_refused(
    records: Records, strangers: Records, target_of: Make
) -> None:
    with pytest.raises(MessageError, match='not for the joints of a1'):
        records.target_from(strangers.target_to(target_of()))


def test_a_command_for_other_joints_says_so_in_its_hash(
    records: Records, command_of: Make
) -> None:
    # Judging it is the sink's: it counts what it refuses.
    assert records.command_from(records.command_to(command_of(joints_hash=9))).joints_hash == 9


@pytest.mark.parametrize('place', [0, 2, 3])
@pytest.mark.parametrize('number', [float('nan'), float('inf')])
def test_a_target_with_a_broken_head_is_refused(
    records: Records, target_of: Make, place: int, number: float
) -> None:
    message = opened(records.target_to(target_of()))
    message.data[place] = number
    with pytest.raises(MessageError, match='makes no sense'):
        records.target_from(message)


@pytest.mark.parametrize('place, number', [(5, 99.0), (6, 9.0), (3, float('nan'))])
def test_a_command_of_no_known_mode_or_driver_is_refused(
    records: Records, command_of: Make, place: int, number: float
) -> None:
    message = opened(records.command_to(command_of()))
    message.data[place] = number
    message.data[-1] = zlib.crc32(message.data[:-1])
    with pytest.raises(MessageError, match='makes no sense'):
        records.command_from(message)


def test_a_bit_that_is_turned_within_the_limits_of_a_joint_is_found(
    robot: RobotModel, records: Records, command_of: Make
) -> None:
    """A knee at -1.8 rad with one bit turned is at -1.3, which the sink would follow."""
    right = records.command_to(command_of(position=np.full(12, -1.8)))
    place = right.index(np.float64(-1.8).tobytes())
    turned = bytearray(right)
    turned[place + 6] ^= 1 << 3
    assert np.frombuffer(bytes(turned[place : place + 8]))[0] == pytest.approx(-1.3)
    assert robot.position_min[2] < -1.8 < -1.3 < robot.position_max[2]
    with pytest.raises(MessageError, match='changed on its way'):
        records.command_from(bytes(turned))


@pytest.mark.parametrize('number', [2.0**40 + 5.0, 2.0**62, -1.0, 5.0, float(EVERY_REASON)])
def test_reasons_that_nobody_knows_are_left_out(
    records: Records, end_of: Make, number: float
) -> None:
    message = records.episode_to(end_of())
    message.data[-1] = number
    expected = sum(reason for reason in Reason if int(number) & reason)
    assert int(records.episode_from(message).reasons) == expected


def test_made_up_reasons_do_not_fill_the_memory(robot: RobotModel, end_of: Make) -> None:
    """Python keeps each combination of a flag that it ever made: 561 bytes of it."""
    records = Records(robot)
    message = records.episode_to(end_of())
    tilt, known = int(Reason.TILT), len(Reason._value2member_map_)
    message.data[-1] = float(tilt)
    assert records.episode_from(message).reasons is Reason.TILT
    for number in range(20_000):
        message.data[-1] = float(number)
        records.episode_from(message)
    assert len(Reason._value2member_map_) <= known + COMBINATIONS
    assert records.episode_from(message).reasons is Reason.INTERNAL
    message.data[-1] = float(tilt)
    assert records.episode_from(message).reasons is Reason.TILT, 'what was known stays known'


@pytest.mark.parametrize('place', [0, 6, 20, 45])
def test_a_step_that_is_not_finite_is_refused(
    records: Records, transition_of: Make, place: int
) -> None:
    message = opened(records.transition_to(transition_of()), Float32MultiArray)
    message.data[place] = float('nan')
    with pytest.raises(MessageError, match='not finite'):
        records.transition_from(message)


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('sequence', -1.0),
        ('sequence', 2.0**24),
        ('sequence_high', 256.0),
        ('time_s', -1.0),
        ('time_s', 3e38),
        ('time_ns', 1000.0),
        ('policy_version', 3e38),
        ('reasons', -1.0),
    ],
)
def test_a_step_with_a_number_out_of_range_is_refused_by_name(
    records: Records, transition_of: Make, name: str, value: float
) -> None:
    """The log has 32 bits for the number and 64 for the stamp; no step must end who keeps it."""
    message = opened(records.transition_to(transition_of()), Float32MultiArray)
    labels = [dim.label for dim in message.layout.dim]
    message.data[labels.index(name)] = value
    with pytest.raises(MessageError, match=f'{name} out of range'):
        records.transition_from(message)
    with pytest.raises(MessageError, match=f'{name} out of range'):
        records.transitions_from([serialize_message(message)])


def test_a_number_that_the_log_has_no_room_for_is_refused(
    records: Records, transition_of: Make
) -> None:
    last = records.transition_to(transition_of(sequence=2**32 - 1))
    assert records.transition_from(last).sequence == 2**32 - 1
    with pytest.raises(MessageError, match='sequence_high out of range'):
        records.transition_from(records.transition_to(transition_of(sequence=2**32)))


def test_episode_and_progress_that_are_not_finite_are_refused(
    records: Records, end_of: Make
) -> None:
    episode = records.episode_to(end_of())
    episode.data[1] = float('inf')
    with pytest.raises(MessageError):
        records.episode_from(episode)
    progress = progress_to(Progress(1, 2, 3, 4))
    progress.data[0] = float('nan')
    with pytest.raises(MessageError):
        progress_from(progress)


def test_a_step_of_another_task_is_refused(
    robot: RobotModel, records: Records, transition_of: Make
) -> None:
    with pytest.raises(MessageError, match='numbers in'):
        Records(robot, observations=6).transition_from(records.transition_to(transition_of()))


def test_records_of_one_kind_are_not_taken_for_another(
    records: Records, target_of: Make, command_of: Make, end_of: Make
) -> None:
    with pytest.raises(MessageError):
        records.command_from(records.target_to(target_of()))
    with pytest.raises(MessageError):
        records.target_from(records.command_to(command_of()))
    with pytest.raises(MessageError):
        progress_from(records.episode_to(end_of()))


def test_many_steps_are_read_as_one_by_one(robot: RobotModel, transition_of: Any) -> None:
    records = Records(robot, 5)
    steps = [
        transition_of(
            sequence=n << 21, episode=n // 3, task=n % 2, terminated=n == 4, reward=0.1 * n
        )
        for n in range(1, 9)
    ]
    messages = [records.transition_to(step) for step in steps]
    # One that came the long way, laid out otherwise in its padding, is read as well.
    for heard in (messages, [*messages[:3], bytes((0, 1, 9, 9)) + messages[3][4:], *messages[4:]]):
        many = records.transitions_from(heard)
        one_by_one = Steps.of([records.transition_from(data) for data in messages])
        for name, column in vars(one_by_one).items():
            np.testing.assert_array_equal(getattr(many, name), column)
            assert getattr(many, name).dtype == column.dtype


def test_of_many_steps_one_that_is_not_finite_or_foreign_is_refused(
    robot: RobotModel, transition_of: Any
) -> None:
    records, good = Records(robot, 5), transition_of()
    bad = records.transition_to(dataclasses.replace(good, reward=float('nan')))
    with pytest.raises(MessageError, match='not finite'):
        records.transitions_from([records.transition_to(good), bad])
    foreign = Records(robot, 6).transition_to(
        dataclasses.replace(good, observation=np.zeros(6), next_observation=np.zeros(6))
    )
    with pytest.raises(MessageError, match='numbers in'):
        records.transitions_from([records.transition_to(good), foreign])
