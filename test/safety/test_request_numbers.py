"""One number too high, or a driver that begins anew at lower ones, must not end all driving.

Numbers count decisions of the robot's clock, so that an honest driver's rise, also over a restart
of its process. They fall where the robot's clock begins anew, and one may be a lie.
"""

from __future__ import annotations

from typing import Any

import pytest

from quad_learner.safety.modes import Mode, Reason

Bench = Any
HIGH = 10**15
SECOND = 100
"""ticks"""


def say(bench: Bench, name: str, request: int, ticks: int = 1) -> str:
    """Lets a driver ask with a number for a while; returns the code of the mode."""
    bench.wish[name]['request'] = request
    bench.tick(ticks)
    return str(bench.code)


@pytest.mark.parametrize('name', ['policy', 'reset'])
def test_one_high_number_is_forgotten_when_its_sender_stays_lower(
    make_bench: Any, name: str
) -> None:
    bench = make_bench('T')  # a stop makes void whatever it hears
    bench.stop = True
    say(bench, name, HIGH)
    bench.tick(60)
    bench.resume = True
    assert say(bench, name, 0) == 'S'
    assert say(bench, name, 1, SECOND + 1) == 'S'
    # Now its number is void as the first that is ever heard; the next one asks.
    assert say(bench, name, 1, SECOND) == 'S'
    assert say(bench, name, 2) == name[0].upper()


def test_a_high_number_that_drove_for_a_moment_is_forgotten_too(bench: Bench) -> None:
    assert say(bench, 'policy', HIGH) == 'P'
    assert say(bench, 'policy', 7) == 'H'
    assert say(bench, 'policy', 7, SECOND + 1) == 'H'
    assert say(bench, 'policy', 8) == 'P'


def test_a_driver_that_asks_anew_and_anew_is_heard_in_between_its_pauses(bench: Bench) -> None:
    """The policy asks for 0.2 s, then says 0, then asks with the number of the next decision."""
    assert say(bench, 'policy', HIGH) == 'P'
    say(bench, 'policy', 0)
    asked = []
    for number in range(100, 108):
        asked.append(say(bench, 'policy', number, 20))
        if asked[-1] == 'P':
            break
        say(bench, 'policy', 0, 3)
    # 0.23 s a time: a second is over within the fifth, which is void, and the sixth drives.
    assert len(asked) == 6
    assert asked[-1] == 'P'


def test_each_number_is_forgotten_by_itself(bench: Bench) -> None:
    say(bench, 'policy', 50)
    say(bench, 'policy', 0)
    say(bench, 'policy', 9, SECOND + 2)
    say(bench, 'policy', 3)
    assert bench.state.course.spent[1] == 9
    assert say(bench, 'policy', 4) in 'SH'
    assert say(bench, 'policy', 10) == 'P'


@pytest.mark.parametrize('ticks', [1, SECOND])
def test_a_number_is_not_forgotten_sooner(bench: Bench, ticks: int) -> None:
    say(bench, 'policy', 50)
    say(bench, 'policy', 0)
    say(bench, 'policy', 3, ticks)
    assert say(bench, 'policy', 4) in 'SH'
    assert bench.state.course.spent[1] == 50


def test_a_stuck_sender_is_never_taken_for_one_that_began_anew(make_bench: Any) -> None:
    bench = make_bench('P')
    request = bench.wish['policy']['request']
    bench.estimate['healthy'] = False
    bench.tick()
    bench.estimate['healthy'] = True
    bench.tick(30 * SECOND)
    assert bench.code == 'T'
    assert bench.wish['policy']['request'] == request


def test_a_sender_that_falls_back_now_and_then_is_not_forgotten(bench: Bench) -> None:
    """Two senders on a topic: the one that was voided must not be let in by the other."""
    say(bench, 'policy', 50)
    say(bench, 'policy', 0)
    for _ in range(10):
        say(bench, 'policy', 3, SECOND // 2)
        assert say(bench, 'policy', 50, SECOND // 2) in 'SH'


def test_silence_is_no_number(bench: Bench) -> None:
    """Saying 0 for long, then a higher number: it drives at once, whatever was lower before."""
    say(bench, 'policy', 50)
    say(bench, 'policy', 0)
    say(bench, 'policy', 3)
    say(bench, 'policy', 0, 10 * SECOND)
    assert say(bench, 'policy', 51) == 'P'


def test_each_driver_has_numbers_of_its_own(bench: Bench) -> None:
    say(bench, 'reset', HIGH)
    assert bench.code == 'R'
    say(bench, 'reset', 0)
    assert say(bench, 'policy', 1) == 'P'
    assert bench.state.course.spent[2] == HIGH


def test_what_asks_while_it_is_stopped_for_good_stays_void(make_bench: Any) -> None:
    bench = make_bench('L')
    say(bench, 'policy', HIGH)
    say(bench, 'policy', 5, 2 * SECOND)
    say(bench, 'policy', 6)
    bench.resume = True
    bench.tick()
    assert bench.code == 'S'
    assert say(bench, 'policy', 6, SECOND) == 'S'
    assert bench.command.mode is Mode.STANDBY
    assert bench.command.reasons == Reason.NOT_ARMED
    assert say(bench, 'policy', 7) == 'P'
