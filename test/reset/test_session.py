from collections.abc import Callable

import pytest

from quad_learner.reset.session import Session, Turn
from quad_learner.robot.signals import JointCommand
from quad_learner.safety.modes import Authority, Mode

Build = Callable[..., JointCommand]
TICK = 0.025


def fresh(first: int = 1, grace: float = 0.1) -> Session:
    return Session(first, grace)


def test_it_asks_for_nothing_before_safety_has_spoken() -> None:
    assert fresh().turn(None, True, TICK) == Turn(False, 0)


@pytest.mark.parametrize(
    'mode, request_sent',
    [
        (Mode.INIT, 0),
        (Mode.STANDBY, 7),
        (Mode.SOFT_STOP, 7),
        (Mode.LATCHED_STOP, 0),
    ],
)
def test_it_asks_only_where_safety_grants(
    mode: Mode, request_sent: int, make_command: Build
) -> None:
    assert fresh(7).turn(make_command(mode=mode), True, TICK) == Turn(False, request_sent)


def test_it_is_silent_while_the_policy_drives(make_command: Build) -> None:
    assert fresh().turn(make_command(Authority.POLICY, 3), True, TICK) == Turn(False, 0)


def test_it_is_silent_while_reset_would_rather_rest(make_command: Build) -> None:
    assert fresh().turn(make_command(), False, TICK) == Turn(False, 0)


def test_it_drives_under_the_number_that_was_granted(make_command: Build) -> None:
    session = fresh(4)
    session.turn(make_command(), True, TICK)
    assert session.turn(make_command(Authority.RESET, 4), True, TICK) == Turn(True, 4)


def test_giving_up_returns_the_session(make_command: Build) -> None:
    session = fresh(4)
    session.turn(make_command(), True, TICK)
    assert session.turn(make_command(Authority.RESET, 4), False, TICK) == Turn(False, 0)


@pytest.mark.parametrize('after', [Authority.NOBODY, Authority.POLICY])
def test_a_dropped_session_is_asked_for_anew_with_a_higher_number(
    after: Authority, make_command: Build
) -> None:
    session = fresh()
    session.turn(make_command(), True, TICK)
    session.turn(make_command(Authority.RESET, 1), True, TICK)
    session.turn(make_command(after, 9 if after else 0), True, TICK)
    assert session.turn(make_command(), True, TICK).request == 2


def test_an_unanswered_request_is_renewed_after_the_grace_time_and_not_before(
    make_command: Build,
) -> None:
    session = fresh(grace=0.11)
    sent = [session.turn(make_command(), True, TICK).request for _ in range(9)]
    # asked for 25, 50, 75, 100 ms; at 125 ms a new number, whose time starts at 0
    assert sent == [1, 1, 1, 1, 2, 2, 2, 2, 2]


def test_the_grace_time_starts_afresh_when_safety_stops_listening(make_command: Build) -> None:
    session = fresh(grace=0.11)
    for mode in (Mode.STANDBY, Mode.LATCHED_STOP) * 6:
        assert session.turn(make_command(mode=mode), True, TICK).request in (0, 1)


def test_a_session_of_an_earlier_process_is_outbid(make_command: Build) -> None:
    session = fresh(1)
    assert session.turn(make_command(Authority.RESET, 50), True, TICK) == Turn(False, 51)
    assert session.turn(make_command(Authority.RESET, 51), True, TICK) == Turn(True, 51)


def test_a_session_with_a_lower_number_is_not_taken_for_its_own(make_command: Build) -> None:
    assert fresh(8).turn(make_command(Authority.RESET, 7), True, TICK) == Turn(False, 8)


@pytest.mark.parametrize('first', [0, -1])
def test_the_first_number_must_be_above_zero(first: int) -> None:
    with pytest.raises(ValueError, match=f'first_request = {first} must be above 0'):
        Session(first, 1.0)
