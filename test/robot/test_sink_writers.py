"""Whom the sink listens to: one writer for as long as it speaks, and after it another."""

from __future__ import annotations

import numpy as np
import pytest

from quad_learner.robot.model import load
from quad_learner.robot.signals import JointCommand
from quad_learner.robot.sink import CommandSink, Verdict
from quad_learner.safety.modes import Authority, Mode, Reason

LIFE_NS = 50_000_000
SECOND_NS = 1_000_000_000
ROBOT = load('a1')


def command(sequence: int, mode: Mode = Mode.ACTIVE, epoch: int = 1) -> JointCommand:
    """A command that nothing is wrong with."""
    return JointCommand(
        time_ns=0,
        epoch=epoch,
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
        effort=np.zeros(len(ROBOT.joints)),
    )


@pytest.fixture
def sink() -> CommandSink:
    """A sink that trusts a writer of epoch 1 since time 0."""
    sink = CommandSink(ROBOT)
    assert sink.accept(command(1, Mode.STANDBY), 0) is Verdict.ACCEPTED
    return sink


@pytest.mark.parametrize('mode', list(Mode))
def test_one_stray_command_does_not_displace_a_writer_that_goes_on(
    sink: CommandSink, mode: Mode
) -> None:
    """A minute at 80 commands a second; a second it moves, and a second it says STANDBY."""
    followed = 0
    for number in range(2, 4_802):
        now = number * 12_500_000
        stands = (now // SECOND_NS) % 2
        if number == 80:
            sink.accept(command(1, mode, epoch=2), now)
        sink.accept(command(number, Mode.STANDBY if stands else Mode.ACTIVE), now)
        trusted = sink.current(now)
        followed += trusted is not None and trusted.sequence == number
    # Not the second after the stray one, nor the second of ACTIVE that it is in.
    assert followed >= 4_800 - 3 * 80
    assert sink.refusals['TWO_WRITERS'] == 1


def test_in_a_conflict_a_stranger_does_not_displace_a_writer_that_is_not_followed(
    sink: CommandSink,
) -> None:
    """What is refused because it moves is still a sign of life."""
    sink.accept(command(1, Mode.STANDBY, epoch=2), 1)
    step = LIFE_NS // 2
    for number in range(1, 60):
        assert sink.accept(command(1 + number), number * step) is Verdict.ACTIVE_FIRST
        late = number * step + LIFE_NS // 4
        assert sink.accept(command(number, Mode.STANDBY, epoch=2), late) is Verdict.TWO_WRITERS
    quiet = late + SECOND_NS
    sink.accept(command(61, Mode.STANDBY), late + step)
    sink.accept(command(62, Mode.STANDBY), quiet)
    assert sink.current(quiet) is not None


def test_a_stray_command_while_the_writer_was_held_up_is_not_the_end_of_it(
    sink: CommandSink,
) -> None:
    held_up = LIFE_NS + 1
    assert sink.accept(command(1, Mode.STANDBY, epoch=2), held_up) is Verdict.ACCEPTED
    assert sink.accept(command(2), held_up + 1) is Verdict.TWO_WRITERS
    # The stray one dies; who goes on is bound again as soon as it does not move.
    later = held_up + LIFE_NS + 1
    assert sink.accept(command(3), later) is Verdict.ACTIVE_FIRST
    assert sink.accept(command(4, Mode.SOFT_STOP), later) is Verdict.ACCEPTED
    assert sink.current(later) is None
    quiet = held_up + 1 + SECOND_NS
    sink.accept(command(5, Mode.STANDBY), quiet)
    assert sink.accept(command(6), quiet) is Verdict.ACCEPTED
    assert sink.current(quiet) is not None


@pytest.mark.parametrize('mode', list(Mode))
def test_what_was_said_before_it_was_replaced_is_never_followed(
    sink: CommandSink, mode: Mode
) -> None:
    sink.accept(command(9, Mode.STANDBY), 0)
    sink.accept(command(1, Mode.STANDBY, epoch=2), SECOND_NS)
    late = 3 * SECOND_NS
    for sequence in (1, 9):
        assert sink.accept(command(sequence, mode), late) is Verdict.NOT_NEWER
    assert sink.current(late) is None


def test_a_writer_that_starts_again_within_the_life_of_a_command_is_heard_after_it(
    sink: CommandSink,
) -> None:
    """In lockstep time stands while nobody answers, so that a new process is always that quick."""
    sink.accept(command(2), 0)
    for number in range(5):
        now = number * LIFE_NS // 4
        verdict = sink.accept(command(number, Mode.STANDBY, epoch=2), now)
        assert verdict is Verdict.TWO_WRITERS
    now = LIFE_NS + 1
    assert sink.accept(command(5, Mode.STANDBY, epoch=2), now) is Verdict.ACCEPTED
    quiet = LIFE_NS + SECOND_NS
    assert sink.current(now) is None
    assert sink.accept(command(6, Mode.STANDBY, epoch=2), quiet) is Verdict.ACCEPTED
    assert sink.current(quiet) is not None


def test_two_writers_that_alternate_keep_the_robot_damped_until_one_is_silent(
    sink: CommandSink,
) -> None:
    for i in range(2, 400):
        epoch, now = 1 + i % 2, i * 10_000_000
        expected = Verdict.ACCEPTED if epoch == 1 else Verdict.TWO_WRITERS
        assert sink.accept(command(i, Mode.STANDBY, epoch), now) is expected
        assert (sink.current(now) is None) is (i > 2)
    # The first, which was bound, falls silent; the other is heard when its last word has expired.
    for i in range(400, 600):
        now = i * 10_000_000
        sink.accept(command(i, Mode.STANDBY, 2), now)
    assert sink.current(now) is not None


def test_what_is_old_stays_old_however_long_the_next_one_lasts(sink: CommandSink) -> None:
    begin = LIFE_NS + 1
    for sequence in range(1, 2_000):
        sink.accept(command(sequence, Mode.STANDBY, epoch=2), begin + sequence)
    late = 3 * SECOND_NS
    assert sink.accept(command(1, Mode.STANDBY), late) is Verdict.NOT_NEWER
    assert sink.accept(command(9_999), late) is Verdict.ACTIVE_FIRST
    assert sink.accept(command(9_999, Mode.STANDBY), late) is Verdict.ACCEPTED


@pytest.mark.parametrize('mode', list(Mode))
def test_a_writer_that_died_is_left_at_once_and_what_it_left_is_ignored(
    sink: CommandSink, mode: Mode
) -> None:
    sink.accept(command(2), 0)
    sink.abandon()
    assert sink.current(0) is None
    assert sink.accept(command(3, mode), 0) is Verdict.WRITER_DIED
    assert sink.current(0) is None
    assert sink.refusals == {'WRITER_DIED': 2}


def test_after_a_writer_that_died_another_begins_and_is_not_disturbed_by_it(
    sink: CommandSink,
) -> None:
    sink.abandon()
    assert sink.accept(command(1, epoch=2), 0) is Verdict.ACTIVE_FIRST
    assert sink.accept(command(2, Mode.INIT, epoch=2), 0) is Verdict.ACCEPTED
    newest = command(3, epoch=2)
    assert sink.accept(newest, 0) is Verdict.ACCEPTED
    assert sink.accept(command(99), 0) is Verdict.WRITER_DIED
    assert sink.current(0) is newest


def test_of_several_that_died_none_comes_back(sink: CommandSink) -> None:
    sink.abandon()
    for epoch in (2, 3):
        assert sink.accept(command(1, Mode.STANDBY, epoch=epoch), 0) is Verdict.ACCEPTED
        sink.abandon()
    late = SECOND_NS
    assert sink.accept(command(1, Mode.STANDBY, epoch=4), 0) is Verdict.ACCEPTED
    for epoch in (1, 2):
        assert sink.accept(command(99, Mode.STANDBY, epoch), late) is Verdict.NOT_NEWER
    assert sink.accept(command(99, Mode.STANDBY, 3), late) is Verdict.WRITER_DIED
    assert sink.current(late) is None


def test_bytes_that_are_no_command_damp_until_one_comes_that_does_not_move(
    sink: CommandSink,
) -> None:
    sink.accept(command(2), 0)
    sink.malformed()
    assert sink.current(0) is None
    assert sink.accept(command(3), 0) is Verdict.ACTIVE_FIRST
    assert sink.current(0) is None
    assert sink.accept(command(4, Mode.SOFT_STOP), 0) is Verdict.ACCEPTED
    assert sink.accept(command(5), 0) is Verdict.ACCEPTED
    assert sink.refusals == {'MALFORMED': 1, 'ACTIVE_FIRST': 1}


def test_after_bytes_that_are_no_command_a_stranger_is_still_a_stranger(
    sink: CommandSink,
) -> None:
    sink.malformed()
    assert sink.accept(command(1, Mode.STANDBY, epoch=2), 1) is Verdict.TWO_WRITERS


def test_a_death_before_any_command_changes_nothing_for_the_first_writer() -> None:
    sink = CommandSink(ROBOT)
    sink.abandon()
    assert sink.accept(command(1, Mode.STANDBY), 0) is Verdict.ACCEPTED


def test_as_many_replaced_writers_are_remembered_as_a_robot_sees_in_a_day() -> None:
    sink = CommandSink(ROBOT)
    late = LIFE_NS + 1
    for epoch in range(1 + 1 + 1024):  # of these the last drives, and the first is forgotten
        said = sink.accept(command(1, Mode.STANDBY, epoch=epoch), epoch * late)
        assert said is Verdict.ACCEPTED
    now_ns = 2000 * late
    assert sink.accept(command(1, Mode.STANDBY, epoch=1), now_ns) is Verdict.NOT_NEWER
    assert sink.accept(command(1, Mode.STANDBY, epoch=0), now_ns) is Verdict.ACCEPTED


def test_who_comes_back_is_remembered_anew(sink: CommandSink) -> None:
    late = LIFE_NS + 1
    for number, epoch in enumerate((2, 1, 2), 1):
        said = sink.accept(command(number + 1, Mode.STANDBY, epoch=epoch), number * late)
        assert said is Verdict.ACCEPTED
    # Of epoch 1 the third was the last.
    assert sink.accept(command(3, Mode.STANDBY), 4 * late) is Verdict.NOT_NEWER
    assert sink.accept(command(4, Mode.STANDBY), 4 * late) is Verdict.ACCEPTED


@pytest.mark.parametrize(
    ('after_ns', 'verdict'), [(LIFE_NS, Verdict.TWO_WRITERS), (LIFE_NS + 1, Verdict.ACCEPTED)]
)
def test_a_writer_speaks_as_long_as_its_newest_command_lives(
    sink: CommandSink, after_ns: int, verdict: Verdict
) -> None:
    assert sink.accept(command(1, Mode.STANDBY, epoch=2), after_ns) is verdict
