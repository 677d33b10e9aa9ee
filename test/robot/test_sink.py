"""The robot's own watchdog: what it trusts, and that it damps for everything else."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from examples import check
from hypothesis import strategies as st

from quad_learner.robot.model import load
from quad_learner.robot.signals import JointCommand, SensorSample
from quad_learner.robot.sink import CommandSink, Verdict
from quad_learner.safety.modes import Authority, Mode, Reason

LIFE_NS = 50_000_000
SECOND_NS = 1_000_000_000
ROBOT = load('a1')
NOT_ACTIVE = [mode for mode in Mode if mode is not Mode.ACTIVE]


def command(
    sequence: int, mode: Mode = Mode.ACTIVE, epoch: int = 1, **changes: Any
) -> JointCommand:
    """A command that nothing is wrong with, changed."""
    values: dict[str, Any] = {
        'time_ns': 0,
        'epoch': epoch,
        'sequence': sequence,
        'lifetime_ns': LIFE_NS,
        'joints_hash': ROBOT.joints_hash,
        'mode': mode,
        'authority': Authority.NOBODY,
        'request': 0,
        'reasons': Reason.NONE,
        'position': ROBOT.stance,
        'kp': ROBOT.kp,
        'kd': ROBOT.kd,
        'effort': np.zeros(len(ROBOT.joints)),
    }
    return JointCommand(**{**values, **changes})


def with_one(values: Any, number: float) -> Any:
    """The array with its last number replaced."""
    return np.append(np.asarray(values)[:-1], number)


@pytest.fixture
def sink() -> CommandSink:
    """A sink that trusts a writer of epoch 1 since time 0."""
    sink = CommandSink(ROBOT)
    assert sink.accept(command(1, Mode.STANDBY), 0) is Verdict.ACCEPTED
    return sink


def test_without_any_command_the_joints_are_damped() -> None:
    assert CommandSink(ROBOT).current(0) is None


def test_a_trusted_command_is_followed_to_the_end_of_its_life(sink: CommandSink) -> None:
    newest = command(2)
    assert sink.accept(newest, 10) is Verdict.ACCEPTED
    assert sink.current(10) is newest
    assert sink.current(10 + LIFE_NS) is newest
    assert sink.current(10 + LIFE_NS + 1) is None
    assert sink.refusals == {'EXPIRED': 1}


def test_a_clock_before_the_receipt_is_not_trusted(sink: CommandSink) -> None:
    sink.accept(command(2), 10)
    assert sink.current(9) is None


@pytest.mark.parametrize('mode', NOT_ACTIVE)
def test_after_an_interruption_only_a_command_that_is_not_active_is_trusted(
    sink: CommandSink, mode: Mode
) -> None:
    late = SECOND_NS
    assert sink.accept(command(2), late) is Verdict.ACTIVE_FIRST
    assert sink.accept(command(3), late) is Verdict.ACTIVE_FIRST
    assert sink.current(late) is None
    assert sink.accept(command(4, mode), late) is Verdict.ACCEPTED
    assert sink.accept(command(5), late) is Verdict.ACCEPTED
    assert sink.current(late) is not None


def test_the_first_writer_must_not_begin_by_moving() -> None:
    sink = CommandSink(ROBOT)
    assert sink.accept(command(1), 0) is Verdict.ACTIVE_FIRST
    assert sink.current(0) is None


def test_old_and_doubled_commands_are_ignored_and_the_newest_stays(sink: CommandSink) -> None:
    newest = command(9)
    sink.accept(newest, 0)
    for old in (9, 8, -1):
        assert sink.accept(command(old, Mode.STANDBY), 1) is Verdict.NOT_NEWER
        assert sink.current(1) is newest
    assert sink.refusals == {'NOT_NEWER': 3}


def test_an_old_command_does_not_lengthen_a_life(sink: CommandSink) -> None:
    sink.accept(command(9), 0)
    sink.accept(command(9), LIFE_NS)
    assert sink.current(LIFE_NS + 1) is None


KP, KD, BOX = ROBOT.kp[-1], max(ROBOT.kd[-1], ROBOT.kd_damping[-1]), ROBOT.position_max[-1]
WRONG = [
    ({'joints_hash': ROBOT.joints_hash + 1}, Verdict.WRONG_JOINTS),
    ({'position': ROBOT.stance[:-1]}, Verdict.MALFORMED),
    ({'kp': np.zeros(0)}, Verdict.MALFORMED),
    ({'effort': np.zeros(1_000)}, Verdict.MALFORMED),
    ({'kd': None}, Verdict.MALFORMED),
    ({'mode': 9}, Verdict.MALFORMED),
    ({'position': with_one(ROBOT.stance, np.nan)}, Verdict.NOT_FINITE),
    ({'kp': with_one(ROBOT.kp, np.inf)}, Verdict.NOT_FINITE),
    ({'kd': with_one(ROBOT.kd, -np.inf)}, Verdict.NOT_FINITE),
    ({'effort': with_one(ROBOT.kd, np.nan)}, Verdict.NOT_FINITE),
    ({'lifetime_ns': 0}, Verdict.LIFETIME),
    ({'lifetime_ns': 200_000_001}, Verdict.LIFETIME),
    ({'position': with_one(ROBOT.stance, BOX + 1e-5)}, Verdict.OUTSIDE_BOX),
    ({'position': with_one(ROBOT.stance, ROBOT.position_min[-1] - 1e-5)}, Verdict.OUTSIDE_BOX),
    ({'kp': with_one(ROBOT.kp, -0.1)}, Verdict.GAIN),
    ({'kp': with_one(ROBOT.kp, 3.01 * KP)}, Verdict.GAIN),
    ({'kd': with_one(ROBOT.kd, 0.0)}, Verdict.GAIN),
    ({'kd': with_one(ROBOT.kd, 5.01 * KD)}, Verdict.GAIN),
    ({'effort': with_one(0.0 * ROBOT.kd, 1.01 * ROBOT.torque_max[-1])}, Verdict.EFFORT),
    ({'effort': with_one(0.0 * ROBOT.kd, -1.01 * ROBOT.torque_max[-1])}, Verdict.EFFORT),
]


@pytest.mark.parametrize('mode', [Mode.ACTIVE, Mode.STANDBY])
@pytest.mark.parametrize(('changes', 'verdict'), WRONG)
def test_a_wrong_command_is_refused_counted_and_damped(
    sink: CommandSink, mode: Mode, changes: Any, verdict: Verdict
) -> None:
    assert sink.accept(command(2, **{'mode': mode, **changes}), 0) is verdict
    assert sink.current(0) is None
    assert sink.refusals == {verdict.name: 1}


@pytest.mark.parametrize(
    'changes',
    [
        {'lifetime_ns': 200_000_000},
        {'position': with_one(ROBOT.stance, BOX)},
        {'kp': with_one(ROBOT.kp, 2.99 * KP)},
        {'kp': 0.0 * ROBOT.kp},
        {'kd': with_one(ROBOT.kd, 4.99 * KD)},
        {'effort': with_one(0.0 * ROBOT.kd, 0.99 * ROBOT.torque_max[-1])},
    ],
)
def test_a_command_just_within_the_bounds_is_trusted(sink: CommandSink, changes: Any) -> None:
    assert sink.accept(command(2, **changes), 0) is Verdict.ACCEPTED


def measured(angle_error: float, speed: float) -> SensorSample:
    """A sample whose last joint is off the stance and moves."""
    return SensorSample(
        0,
        with_one(ROBOT.stance, ROBOT.stance[-1] - angle_error),
        with_one(0.0 * ROBOT.stance, speed),
        0.0 * ROBOT.stance,
        np.array([0.0, 0.0, 0.0, 1.0]),
        np.zeros(3),
        np.zeros(3),
        np.zeros(4),
    )


# The last motor has 33.5 N·m, so 67 are refused: kp 60 needs 1.1167 rad, or less against motion.
@pytest.mark.parametrize(
    ('angle_error', 'speed', 'verdict'),
    [
        (1.116, 0.0, Verdict.ACCEPTED),
        (1.118, 0.0, Verdict.TORQUE),
        (-1.118, 0.0, Verdict.TORQUE),
        (1.0, -3.0, Verdict.ACCEPTED),
        (1.0, -4.0, Verdict.TORQUE),
    ],
)
def test_a_stiff_command_far_from_the_joint_is_refused(
    sink: CommandSink, angle_error: float, speed: float, verdict: Verdict
) -> None:
    assert sink.accept(command(2), 0, measured(angle_error, speed)) is verdict


def test_a_thrown_robot_is_damped_and_driven_on_when_it_has_calmed(sink: CommandSink) -> None:
    sink.accept(command(2), 0, measured(0.0, 0.0))
    sink.accept(command(3), 10, measured(2.0, 0.0))
    limp = sink.current(10)
    assert limp is not None
    np.testing.assert_array_equal(limp.kp, 0.0)
    np.testing.assert_array_equal(limp.kd, ROBOT.kd_damping)
    calm = command(4)
    assert sink.accept(calm, 20, measured(0.0, 0.0)) is Verdict.ACCEPTED
    assert sink.current(20) is calm


def test_a_joint_that_cannot_be_measured_is_damped(sink: CommandSink) -> None:
    assert sink.accept(command(2), 0, measured(np.nan, 0.0)) is Verdict.TORQUE


def test_damping_a_joint_that_flies_is_never_refused(sink: CommandSink) -> None:
    limp = command(2, Mode.SOFT_STOP, kp=0.0 * ROBOT.kp, kd=ROBOT.kd_damping)
    assert sink.accept(limp, 0, measured(0.0, 40.0)) is Verdict.ACCEPTED


def test_a_restarted_safety_layer_is_trusted_once_it_does_not_move(sink: CommandSink) -> None:
    sink.accept(command(900), 0)
    late = SECOND_NS
    assert sink.accept(command(1, epoch=2), late) is Verdict.ACTIVE_FIRST
    assert sink.accept(command(2, Mode.STANDBY, epoch=2), late) is Verdict.ACCEPTED
    assert sink.accept(command(3, epoch=2), late) is Verdict.ACCEPTED
    assert sink.refusals == {'EXPIRED': 1, 'ACTIVE_FIRST': 1}


@pytest.mark.parametrize('mode', list(Mode))
def test_a_stranger_who_speaks_while_another_writes_stops_the_robot_for_a_second(
    sink: CommandSink, mode: Mode
) -> None:
    sink.accept(command(2), 0)
    assert sink.accept(command(1, mode, epoch=2), 1) is Verdict.TWO_WRITERS
    assert sink.current(1) is None
    assert sink.accept(command(3, Mode.STANDBY), 2) is Verdict.ACCEPTED
    assert sink.current(2) is None
    quiet = 1 + SECOND_NS
    assert sink.accept(command(4, Mode.STANDBY), quiet - 1) is Verdict.ACCEPTED
    assert sink.current(quiet - 1) is None
    assert sink.current(quiet) is not None
    assert sink.accept(command(5), quiet) is Verdict.ACCEPTED
    assert sink.refusals == {'TWO_WRITERS': 1}


def test_two_writers_that_alternate_keep_the_robot_damped(sink: CommandSink) -> None:
    verdicts = []
    for i in range(2, 40):
        epoch = 1 + i % 2
        verdicts.append(sink.accept(command(i, Mode.STANDBY, epoch), i * 1_000_000))
        trusted = sink.current(i * 1_000_000)
    assert trusted is None
    assert Verdict.TWO_WRITERS in verdicts


@pytest.mark.parametrize(('count', 'trusted'), [(0, True), (1, True), (2, False)])
def test_a_second_publisher_stops_the_robot(sink: CommandSink, count: int, trusted: bool) -> None:
    sink.count_writers(count, 1)
    assert (sink.current(2) is not None) is trusted


def test_nothing_that_arrives_raises(sink: CommandSink) -> None:
    for junk in (None, 'go', 3.0, dataclasses.replace(command(2), sequence='x')):  # type: ignore[arg-type]
        assert sink.accept(junk, 0) is Verdict.MALFORMED  # type: ignore[arg-type]
        assert sink.current(0) is None


def test_twice_the_torque_of_a_motor_is_the_most(sink: CommandSink) -> None:
    # A hip has 20 N·m: 40 N·m/rad over 1 rad, numbers that a computer holds exactly.
    kp, here = ROBOT.kp.copy(), ROBOT.stance.copy()
    kp[0], here[0] = 40.0, -1.0
    still = dataclasses.replace(measured(0.0, 0.0), joint_position=here)
    assert sink.accept(command(2, kp=kp), 0, still) is Verdict.ACCEPTED
    here[0] = np.nextafter(-1.0, -2.0)
    assert sink.accept(command(3, kp=kp), 0, still) is Verdict.TORQUE


def trusts_only_what_is_harmless(field: str, joint: int, number: float, mode: Mode) -> None:
    sink = CommandSink(ROBOT)
    sink.accept(command(1, Mode.STANDBY), 0)
    values = np.array(vars(command(2))[field])
    values[joint] = number
    verdict = sink.accept(command(2, mode, **{field: values}), 1)
    low, high = {
        'position': (ROBOT.position_min[joint] - 1e-6, ROBOT.position_max[joint] + 1e-6),
        'kp': (0.0, 3.0 * ROBOT.kp[joint]),
        'kd': (5e-324, 5.0 * max(ROBOT.kd[joint], ROBOT.kd_damping[joint])),
        'effort': (-ROBOT.torque_max[joint], ROBOT.torque_max[joint]),
    }[field]
    assert (verdict is Verdict.ACCEPTED) == (low <= number <= high)
    assert (sink.current(1) is None) is (verdict is not Verdict.ACCEPTED)


@pytest.mark.timeout(0)
def test_only_what_is_harmless_is_trusted() -> None:
    check(
        'sink trusts only what is harmless',
        trusts_only_what_is_harmless,
        field=st.sampled_from(['position', 'kp', 'kd', 'effort']),
        joint=st.integers(0, 11),
        number=st.one_of(st.floats(), st.floats(-5.0, 5.0), st.floats(-200.0, 200.0)),
        mode=st.sampled_from(Mode),
    )
