"""Which stops count as false, and when the machine is to blame."""

from __future__ import annotations

import os
import signal
import time

import pytest

import false_trips
from false_trips import Findings, tell, verdict
from pauses import Pause, Sleepers, near, told

SECOND = 1_000_000_000
SOUND = Findings(lasted_s=60.0, steps=900, judged=4000)


def test_a_fall_a_rest_and_a_person_are_no_false_trips() -> None:
    stopped = [(n, why) for n, why in enumerate(('TILT|BOXED', 'LOW_BATTERY', 'OPERATOR'))]
    assert false_trips.false_trips(stopped) == []
    late = (3, 'SENSORS_STALE|STEP_LATE')
    assert false_trips.false_trips([*stopped, late]) == [late]


def test_a_pause_counts_for_a_stop_that_it_reaches() -> None:
    pauses = [Pause(0, 10 * SECOND, 300.0), Pause(1, 12 * SECOND, 8.0)]
    assert near(pauses, round(10.7 * SECOND), 0.5, 0.1) == pauses[:1]  # it ended 0.4 s before
    assert near(pauses, round(10.9 * SECOND), 0.5, 0.1) == []
    assert near(pauses, round(11.95 * SECOND), 0.5, 0.1) == pauses[1:]


def test_only_a_pause_as_long_as_an_age_allows_none_excuses_a_stop_and_none_in_lockstep() -> None:
    pauses = [Pause(0, SECOND, 19.9), Pause(1, SECOND, 20.1)]
    assert false_trips.excuses(pauses, lockstep=False) == pauses[1:]
    assert false_trips.excuses(pauses, lockstep=True) == []


def test_only_a_false_trip_while_the_machine_ran_is_held_against_safety(
    capsys: pytest.CaptureFixture[str],
) -> None:
    story = [(10 * SECOND, 'STEP_LATE'), (20 * SECOND, 'STEP_LATE'), (30 * SECOND, 'TILT')]
    found = Findings(60.0, 900, 4000, 0, story)
    assert tell(found, [Pause(1, 10 * SECOND - 60_000_000, 55.0)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0] == 'stopped for STEP_LATE: the machine stood still for 55 ms (processors [1])'
    assert said[1] == 'stopped for STEP_LATE: the machine ran all the time'
    assert said[2] == 'stopped for TILT: called for'
    assert '3 stops, 2 false, 1 of these' in said[3]


@pytest.mark.parametrize(
    ('found', 'unexplained', 'words'),
    [
        (SOUND, 0, None),
        (SOUND, 2, '2 false trips'),
        (Findings(60.0, 900, 4000, 1), 0, '1 unsafe of 4000'),
        (Findings(60.0, 900, 0), 0, '0 unsafe of 0'),
        (Findings(60.0, 900, 4000, over='the policy node ended'), 0, 'the policy node ended'),
    ],
)
def test_what_is_wrong(found: Findings, unexplained: int, words: str | None) -> None:
    wrong = verdict(found, unexplained)
    assert not wrong if words is None else len(wrong) == 1 and words in wrong[0]


def test_a_sleeper_that_was_held_up_tells_when_and_for_how_long() -> None:
    held_s, mine = 0.1, min(os.sched_getaffinity(0))
    deadline = time.monotonic() + 30.0
    with Sleepers() as sleepers:
        process = sleepers._processes[0]
        found: list[Pause] = []
        while not found:  # a signal may come before it sleeps for the first time
            assert time.monotonic() < deadline, sleepers.noticed()
            before_ns = time.monotonic_ns()
            process.send_signal(signal.SIGSTOP)
            time.sleep(held_s)
            process.send_signal(signal.SIGCONT)
            until = time.monotonic() + 1.0
            while not found and time.monotonic() < until:
                pauses = near(sleepers.noticed(), before_ns, 0.0, held_s)
                found = [p for p in pauses if p.processor == mine and p.lasted_ms > 0.9e3 * held_s]
    assert set(found) <= set(sleepers.pauses)
    assert told(found).startswith('the machine stood still for')
