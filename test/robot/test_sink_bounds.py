"""What the sink takes exactly at a bound, and what it counts of writers that it counted itself."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from quad_learner.robot.model import load
from quad_learner.robot.signals import JointCommand, SensorSample
from quad_learner.robot.sink import CONFLICT_NS, CommandSink, Verdict
from quad_learner.safety.modes import Authority, Mode, Reason

LIFE_NS = 50_000_000
ROBOT = load('a1')
ZEROS = np.zeros(12)


def command(sequence: int, mode: Mode = Mode.ACTIVE, **changes: Any) -> JointCommand:
    """A command of epoch 1 that nothing is wrong with, changed."""
    whole = JointCommand(
        time_ns=0,
        epoch=1,
        sequence=sequence,
        lifetime_ns=LIFE_NS,
        joints_hash=ROBOT.joints_hash,
        mode=mode,
        authority=Authority.NOBODY,
        request=0,
        reasons=Reason.NONE,
        position=ROBOT.stance,
        kp=ROBOT.kp,
        kd=ROBOT.kd,
        effort=ZEROS,
    )
    return dataclasses.replace(whole, **changes)


def measured(velocity: float) -> SensorSample:
    """The A1 in its stance, each joint at that velocity [rad/s]."""
    return SensorSample(
        time_ns=0,
        joint_position=ROBOT.stance,
        joint_velocity=np.full(12, velocity),
        joint_effort=ZEROS,
        orientation=np.array([0.0, 0.0, 0.0, 1.0]),
        angular_velocity=np.zeros(3),
        specific_force=np.array([0.0, 0.0, 9.81]),
        foot_force=np.zeros(4),
    )


@pytest.fixture
def sink() -> CommandSink:
    """A sink that trusts a writer of epoch 1 since time 0."""
    sink = CommandSink(ROBOT)
    assert sink.accept(command(1, Mode.STANDBY), 0) is Verdict.ACCEPTED
    return sink


@pytest.mark.parametrize(
    'changes',
    [
        {'position': ROBOT.position_min},
        {'position': ROBOT.position_max},
        {'kp': 3.0 * ROBOT.kp},
        {'kd': 5.0 * ROBOT.kd_damping},  # the larger of the two gains, for this robot
        {'effort': ROBOT.torque_max},
        {'effort': -ROBOT.torque_max},
        {'kp': ZEROS},
        {'lifetime_ns': 1},
        {'lifetime_ns': 200_000_000},
    ],
)
def test_a_number_at_its_bound_is_followed(sink: CommandSink, changes: dict[str, Any]) -> None:
    assert sink.accept(command(2, **changes), 0) is Verdict.ACCEPTED


def test_the_least_damping_is_damping(sink: CommandSink) -> None:
    assert sink.accept(command(2, kd=np.full(12, np.nextafter(0.0, 1.0))), 0) is Verdict.ACCEPTED
    assert sink.accept(command(3, kd=ZEROS), 0) is Verdict.GAIN


@pytest.mark.parametrize(
    ('kp', 'verdict'), [(0.0, Verdict.ACCEPTED), (0.5, Verdict.TORQUE), (60.0, Verdict.TORQUE)]
)
def test_a_joint_is_held_however_softly(sink: CommandSink, kp: float, verdict: Verdict) -> None:
    """The hip's motor has 20 N·m, and 2 N·m·s/rad at 21 rad/s are 42: twice that and more."""
    assert sink.accept(command(2, kp=np.full(12, kp)), 0, measured(21.0)) is verdict


@pytest.mark.parametrize(('effort', 'verdict'), [(3.0, Verdict.TORQUE), (-3.0, Verdict.ACCEPTED)])
def test_what_is_fed_forward_counts_with_its_sign(
    sink: CommandSink, effort: float, verdict: Verdict
) -> None:
    """Damping at -19 rad/s makes 38 N·m; the hip may get twice 20."""
    forward = np.where(np.arange(12) % 3 == 0, effort, 0.0)
    assert sink.accept(command(2, effort=forward), 0, measured(-19.0)) is verdict


def test_a_second_publisher_damps_for_its_time_and_is_counted(sink: CommandSink) -> None:
    sink.accept(command(2), 10)
    sink.count_writers(1, 20)
    assert sink.current(20) is not None
    sink.count_writers(2, 30)
    assert sink.refusals == {'TWO_WRITERS': 1}
    for now_ns, sequence in ((30, 3), (30 + CONFLICT_NS - 1, 4)):
        sink.accept(command(sequence, Mode.STANDBY), now_ns)
        assert sink.current(now_ns) is None
    sink.accept(command(5, Mode.STANDBY), 30 + CONFLICT_NS)
    assert sink.current(30 + CONFLICT_NS) is not None


def test_before_a_second_publisher_was_counted_nothing_was_in_conflict(sink: CommandSink) -> None:
    """A clock that jumped back by more than the conflict lasts does not prolong it."""
    sink.count_writers(2, 10 * CONFLICT_NS)
    sink.accept(command(2, Mode.STANDBY), 5)
    assert sink.current(5) is not None


def test_a_second_publisher_ends_the_command_in_force(sink: CommandSink) -> None:
    sink.accept(command(2, lifetime_ns=200_000_000), 0)
    sink.count_writers(2, 10)
    # After the clock went back to before the conflict the old command would still be alive.
    assert sink.current(5) is None


def test_a_command_that_has_died_is_counted_also_where_what_follows_is_refused(
    sink: CommandSink,
) -> None:
    sink.accept(command(2), 0)
    sink.accept(command(3, lifetime_ns=0), LIFE_NS + 1)
    assert sink.refusals == {'EXPIRED': 1, 'LIFETIME': 1}
