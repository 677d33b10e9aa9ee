"""Who may drive and when: each mode against each event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Bench = Any
"""The bench of conftest.py."""
Event = Callable[[Bench], None]
MODES = 'ISHPRTL'


def nothing(bench: Bench) -> None:
    bench.tick()


def stop(bench: Bench) -> None:
    bench.stop = True
    bench.tick()


def resume(bench: Bench) -> None:
    bench.resume = True
    bench.tick()


def stop_and_resume(bench: Bench) -> None:
    bench.stop = bench.resume = True
    bench.tick()


def asks(name: str) -> Event:
    def event(bench: Bench) -> None:
        bench.ask(name)
        # Requests begin at 1 and never fall: also where an earlier one was given back.
        bench.wish[name]['request'] += 1
        bench.tick()

    return event


def both_ask(bench: Bench) -> None:
    for name in ('policy', 'reset'):
        bench.wish[name]['request'] += 2
    bench.tick()


def gives_back(name: str) -> Event:
    def event(bench: Bench) -> None:
        bench.wish[name]['request'] = 0
        bench.tick()

    return event


def silent(name: str) -> Event:
    def event(bench: Bench) -> None:
        bench.silent.add(name)
        bench.tick(201 if name in ('battery', 'warmth') else 9)

    return event


def nonsense(name: str) -> Event:
    def event(bench: Bench) -> None:
        bench.wish[name]['position'] = np.array([0.0, np.nan])
        bench.tick()

    return event


def falls(bench: Bench) -> None:
    bench.lean(roll=1.5)
    bench.tick(2)


def bad_samples(bench: Bench) -> None:
    bench.sample['joint_position'] = np.array([np.inf, 0.0])
    bench.tick(2)


def too_fast(bench: Bench) -> None:
    bench.sample['joint_velocity'] = np.array([0.0, -31.0])
    bench.tick(2)


def unhealthy(bench: Bench) -> None:
    bench.estimate['healthy'] = False
    bench.tick()


def hot(bench: Bench) -> None:
    bench.health['motor_temperature'] = np.array([40.0, 101.0])
    bench.tick()


def empty(bench: Bench) -> None:
    bench.health['battery_charge'] = 0.19
    bench.tick()


def late(bench: Bench) -> None:
    bench.tick(dt_ns=101_000_000)


def time_runs_backwards(bench: Bench) -> None:
    bench.tick(dt_ns=-1)


def broken(bench: Bench) -> None:
    bench.state = bench.state._replace(watch=None)  # type: ignore[arg-type]
    bench.may_fail = True
    bench.tick()


# One letter a mode, in the order of MODES: what the event makes of it. Worked out on paper.
TABLE = [
    (nothing, 'ISHPRTL'),
    (stop, 'LLLLLLL'),
    (resume, 'ISHPRTS'),
    (stop_and_resume, 'LLLLLLL'),
    (asks('policy'), 'IPPHPPL'),
    (asks('reset'), 'IRRPHRL'),
    (both_ask, 'IRRHHRL'),
    (gives_back('policy'), 'ISHHRTL'),
    (gives_back('reset'), 'ISHPHTL'),
    (silent('sample'), 'ITTTTTL'),
    (silent('estimate'), 'ISHTRTL'),
    (silent('policy'), 'ISHTRTL'),
    (silent('reset'), 'ISHPTTL'),
    (silent('battery'), 'ITTTTTL'),
    (silent('warmth'), 'ITTTTTL'),
    (nonsense('policy'), 'ISHTRTL'),
    (nonsense('reset'), 'ISHPTTL'),
    (falls, 'ISTTRTL'),
    (bad_samples, 'ITTTTTL'),
    (too_fast, 'ITTTTTL'),
    (unhealthy, 'ISHTRTL'),
    (hot, 'ITTTTTL'),
    (empty, 'ITTTTTL'),
    (late, 'ITTTTTL'),
    (time_runs_backwards, 'ITTTTTL'),
    (broken, 'LLLLLLL'),
]


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize(
    ('event', 'row'), TABLE, ids=[f'{i}-{event.__name__}' for i, (event, _) in enumerate(TABLE)]
)
def test_each_event_in_each_mode_leads_where_the_table_says(
    make_bench: Any, mode: str, event: Event, row: str
) -> None:
    bench = make_bench(mode)
    event(bench)
    assert bench.code == row[MODES.index(mode)]
