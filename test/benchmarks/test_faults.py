"""What is concluded from a robot's record, from many trials, and from what processes take."""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
from argparse import Namespace
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import fault_graph
import process_growth
import soak
import soak_plan
from fault_graph import Chronicle, Entry, pack, unpack
from fault_report import Findings, heard, table, verdict
from fault_verdict import Fault, State, complaints, is_safe, safe_after_ns
from lateness import ticks_late_ms
from quad_learner.process_size import Size
from quad_learner.safety.modes import Authority, Mode

MS = 1_000_000
P, R, N = Authority.POLICY, Authority.RESET, Authority.NOBODY


def entry(ms: float, mode: Mode | None, driver: Authority = N, **changed: Any) -> Entry:
    values = {'sequence': 1, 'epoch': 9, 'request': 5, 'is_command': False, 'unsafe': 0} | changed
    return Entry(round(ms * MS), mode=mode, authority=driver, **values)


def fault(process: str, before: Entry) -> Fault:
    return Fault(process, 10 * MS, before)


WALKS = entry(9, Mode.ACTIVE, P)


@pytest.mark.parametrize(
    ('process', 'driver', 'mode', 'safe'),
    [
        ('policy', P, Mode.ACTIVE, False),
        ('estimator', P, Mode.ACTIVE, False),
        ('policy', R, Mode.ACTIVE, True),
        ('policy', N, Mode.SOFT_STOP, True),
        ('policy', N, None, True),
        ('safety', R, Mode.ACTIVE, False),
        ('safety', N, Mode.STANDBY, False),
        ('safety', N, Mode.LATCHED_STOP, False),
        ('safety', N, None, True),
    ],
)
def test_what_is_safe_without_a_process(
    process: str, driver: Authority, mode: Mode | None, safe: bool
) -> None:
    assert is_safe(entry(11, mode, driver), process) is safe


def test_the_time_is_from_the_signal_to_the_first_safe_moment_after_it() -> None:
    story = [
        entry(5, Mode.SOFT_STOP),
        WALKS,
        entry(30, Mode.ACTIVE, P),
        entry(47.5, Mode.SOFT_STOP),
        entry(60, None),
    ]
    assert safe_after_ns(story, fault('policy', WALKS)) == 37_500_000
    assert safe_after_ns(story, fault('safety', WALKS)) == 50_000_000
    assert safe_after_ns(story[:3], fault('policy', WALKS)) is None


def test_a_slow_trial_tells_what_was_heard_and_the_silence() -> None:
    active, stop = Mode.ACTIVE, Mode.SOFT_STOP
    commands = [(t * MS, m) for t, m in [(10, active), (60, active), (75, active), (140, active)]]
    commands += [(152 * MS, stop), (164 * MS, stop)]
    assert heard(commands, 100 * MS) == (
        'ACTIVE -40.0 to -25.0, ACTIVE +40.0 to +40.0, SOFT_STOP +52.0 to +64.0'
    )
    assert heard(commands[:1], 100 * MS) == 'nothing'


@pytest.mark.parametrize(
    ('after', 'words'),
    [
        # Stopped, got up by reset, and a fresh request of the policy.
        ([(20, Mode.SOFT_STOP, N, 0), (30, Mode.ACTIVE, R, 1), (40, Mode.ACTIVE, P, 6)], []),
        ([(20, Mode.ACTIVE, P, 5), (30, Mode.ACTIVE, P, 5)], []),
        (
            [(20, Mode.SOFT_STOP, N, 0), (30, Mode.ACTIVE, P, 5)],
            ['POLICY drove on with request 5 after a stop'],
        ),
        (
            [(20, None, N, 0), (30, Mode.STANDBY, N, 0), (40, Mode.ACTIVE, P, 4)],
            ['POLICY drove on with request 4 after a stop'],
        ),
        (
            [(20, None, N, 0), (30, Mode.ACTIVE, R, 3)],
            ['it began to move right after damping'],
        ),
    ],
)
def test_what_may_not_be_done_after_a_fault(after: list[Any], words: list[str]) -> None:
    story = [entry(ms, mode, driver, request=number) for ms, mode, driver, number in after]
    assert complaints(story, fault('policy', WALKS)) == words


def test_unsafe_commands_since_the_fault_are_told_and_earlier_ones_are_not() -> None:
    before = entry(9, Mode.ACTIVE, P, unsafe=2)
    story = [entry(5, Mode.ACTIVE, P, unsafe=7), entry(12, Mode.ACTIVE, P, unsafe=2)]
    assert complaints(story, fault('policy', before)) == []
    story.append(entry(14, Mode.ACTIVE, P, unsafe=3))
    assert complaints(story, fault('policy', before)) == ['1 unsafe commands']


def test_ticks_are_late_by_what_lies_beyond_a_period_between_two() -> None:
    command = entry(31, Mode.ACTIVE, P, is_command=True)
    story = [entry(10, None), entry(20, None), command, entry(34, None), entry(40, None)]
    assert ticks_late_ms(story, 10.0 * MS) == pytest.approx([0.0, 4.0, 0.0])


ASKED = Namespace(
    signals=['SIGKILL'], processes=['policy'], states=['standing', 'walking'], trials=2, orders=1
)


def findings(walking_ms: tuple[float, ...], orders: int = 24) -> Findings:
    found = Findings(recovered={'SIGKILL': orders})
    found.latencies['SIGKILL', 'policy', State.STANDING] = [10.0, 20.0]
    found.latencies['SIGKILL', 'policy', State.WALKING] = list(walking_ms)
    return found


def test_each_state_has_its_row_and_all_of_them_together_one() -> None:
    standing, walking, every = table(findings((30.0, 70.0)), ASKED)
    assert (standing['p50_ms'], standing['max_ms'], standing['n']) == (20.0, 20.0, 2)
    assert (walking['p99_ms'], walking['expected']) == (70.0, 2)
    assert (every['state'], every['n'], every['expected'], every['max_ms']) == ('all', 4, 4, 70.0)


@pytest.mark.parametrize(
    ('found', 'words'),
    [
        (findings((30.0, 80.0)), []),
        (findings((30.0, 81.0)), ['SIGKILL policy all: 99 % within 81.0 ms, not 80']),
        (findings((30.0, math.inf)), ['SIGKILL policy all: 99 % within inf ms, not 80']),
        (
            findings((30.0,)),
            [
                'SIGKILL policy walking: 1 of 2 executed',
                'SIGKILL policy all: 3 of 4 executed',
            ],
        ),
        (findings((30.0, 30.0), orders=23), ['SIGKILL in every order: 23 of 24']),
    ],
)
def test_a_broken_bound_and_too_few_trials_are_wrong(found: Findings, words: list[str]) -> None:
    assert verdict(found, table(found, ASKED), ASKED) == words


def test_what_was_complained_of_is_wrong_however_soon_it_was_safe() -> None:
    found = findings((30.0, 30.0))
    found.complaints += ['a session went on'] * 3
    assert verdict(found, table(found, ASKED), ASKED) == ['a session went on (3 times)']


def test_a_record_comes_back_as_it_was_written_however_it_is_cut(tmp_path: Path) -> None:
    written = [entry(1, None), entry(2, Mode.INIT), entry(3, Mode.ACTIVE, R, unsafe=300)]
    data = b''.join(pack(each) for each in written)
    read = unpack(data)
    assert read[:2] == written[:2]
    assert read[2] == written[2]._replace(unsafe=255)
    path = tmp_path / 'followed'
    chronicle = Chronicle(path)
    for first, last in itertools.pairwise((0, 7, 40, len(data))):
        with path.open('ab') as file:
            file.write(data[first:last])
        chronicle.read()
    assert chronicle.entries == read
    assert chronicle.since(2 * MS) == read[1:]
    chronicle.close()


def test_every_process_of_the_graph_is_known_to_it() -> None:
    assert {'robot', *fault_graph.KINDS} == set(fault_graph.NAMES)


def sizes(resident_mib: Any, files: Any = 10, threads: Any = 8) -> list[Size]:
    many = np.broadcast_to
    each = zip(*(many(v, 400).tolist() for v in (resident_mib, files, threads)), strict=True)
    return [
        Size(n * 10.0, round(mib * 2**20), open_files, running)
        for n, (mib, open_files, running) in enumerate(each)
    ]


def test_growth_is_told_by_the_hour_and_the_warm_up_does_not_count() -> None:
    hours = np.arange(400) * 10.0 / 3600.0
    start = np.where(hours < 0.25, 500.0 * hours, 125.0)
    grew = process_growth.growth(sizes(start + 3.0 * hours), 900.0)
    assert grew is not None
    assert grew.mib_per_hour == pytest.approx(3.0, abs=1e-3)
    assert grew.watched_s == pytest.approx(3990.0 - 900.0)
    assert (grew.files, grew.threads) == (0.0, 0.0)
    assert process_growth.growth(sizes(1.0)[:91], 900.0) is None


def test_files_and_threads_that_stay_open_are_counted() -> None:
    later = np.arange(400) > 200
    grew = process_growth.growth(sizes(100.0, 10 + 5 * later, 8 + 2 * later), 0.0)
    assert grew is not None
    assert (grew.files, grew.threads) == (5.0, 2.0)


def test_a_leak_is_found_where_it_was_watched_for_long_enough_and_is_no_work() -> None:
    hours = np.arange(400) * 10.0 / 3600.0
    leaky = sizes(100.0 + 2.0 * hours)
    grown, wrong = process_growth.leaks(
        {('policy', 1): leaky, ('learner', 2): leaky, ('reset', 3): sizes(5)}
    )
    assert set(grown) == {'policy', 'learner', 'reset'}
    assert wrong == ['policy takes 2.0 MiB more an hour']
    _, wrong = process_growth.leaks({('policy', 1): leaky[:150]})
    assert wrong == []


@pytest.mark.parametrize(
    ('mode', 'says', 'recovered'),
    [('ACTIVE', True, True), ('ACTIVE', False, False), ('SOFT_STOP', True, False)],
)
def test_a_robot_that_rests_has_recovered_if_it_says_so_anew(
    mode: str, says: bool, recovered: bool
) -> None:
    story = object.__new__(soak.Soak)
    story.watcher = SimpleNamespace(steps=0, mode=mode, reasons='', stopped=[], rests=True)
    story.reason, story.rested, story.wrong = None, Counter(), []

    def listen(seconds: float) -> None:
        story.watcher.rests = says

    story.listen = listen
    story.go_on('freeze reset', 0, within_s=0.01)
    assert (story.wrong == [], story.rested['freeze reset']) == (recovered, int(recovered))


def test_the_longest_life_is_told_minute_by_minute() -> None:
    looked = sizes(50.0 + np.arange(400) / 6.0)
    assert process_growth.by_minute({('policy', 1): looked[:6], ('policy', 2): looked[:13]}) == {
        'policy': [50.0, 51.0, 52.0]
    }


def test_a_soak_has_a_fault_a_minute_each_kind_before_any_comes_again() -> None:
    planned = soak_plan.plan(120.0, 60.0, seed=3)
    assert len(planned) == 120
    first, second = planned[:60], planned[60:]
    kills = {name for name in soak_plan.NAMES if name.startswith('kill')}
    spared, kinds = set(soak_plan.NAMES) - kills, len(soak_plan.NAMES)
    assert set(first[: len(spared)]) == set(first) == spared
    assert set(second[:kinds]) == set(second[kinds : 2 * kinds]) == set(soak_plan.NAMES)
    assert planned == soak_plan.plan(120.0, 60.0, seed=3)
    assert planned != soak_plan.plan(120.0, 60.0, seed=4)
    assert {name.partition(' ')[0] for name in soak_plan.NAMES} == set(soak.FAULTS)
    assert set(soak_plan.plan(3.0, 60.0, 0, ['kill policy'])) == {'kill policy'}


def test_the_benchmarks_say_how_they_are_used() -> None:
    for name in ('process_faults', 'soak'):
        path = Path(soak.__file__).with_name(f'{name}.py')
        said = subprocess.run(
            [sys.executable, str(path), '--help'], capture_output=True, text=True, check=True
        ).stdout
        assert '--seed' in said, json.dumps(said)
