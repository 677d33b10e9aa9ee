"""Who gets a processor first."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from quad_learner import precedence


def test_asking_changes_nothing() -> None:
    before = os.sched_getscheduler(0), os.sched_getparam(0).sched_priority
    precedence.may_run_first(30)
    assert (os.sched_getscheduler(0), os.sched_getparam(0).sched_priority) == before


@pytest.mark.parametrize('priority', [0, 100])
def test_there_is_no_such_priority(priority: int) -> None:
    assert not precedence.may_run_first(priority)


def test_where_it_is_not_allowed_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = []

    def refused(number: int, policy: int, parameter: os.sched_param) -> None:
        changed.append(number)
        raise PermissionError

    monkeypatch.setattr(os, 'sched_setscheduler', refused)
    assert not precedence.run_first([1, 2, 3], 30)
    assert changed == [0], 'only asked whether it may'


@pytest.mark.skipif(not precedence.may_run_first(30), reason='not allowed on this machine')
def test_threads_run_first_and_so_do_those_that_they_start() -> None:
    program = """
import os, threading
from quad_learner.precedence import run_first, threads
held = threading.Event()
other = threading.Thread(target=held.wait, daemon=True)
other.start()
mine = threads()
assert mine[0] == os.getpid() and other.native_id in mine
assert run_first(mine[1:], 30)
print(os.sched_getscheduler(0), os.sched_getscheduler(other.native_id))
assert run_first(mine, 30)
seen = []
late = threading.Thread(target=lambda: seen.append(os.sched_getscheduler(0)))
late.start(); late.join()
print(os.sched_getscheduler(0), seen[0])
"""
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first = os.SCHED_FIFO
    assert done.stdout.split() == [str(n) for n in (os.SCHED_OTHER, first, first, first)]


def test_the_first_thread_is_the_first_even_if_a_later_one_has_a_lower_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (7, os.getpid(), os.getpid() + 1):
        (tmp_path / str(number)).mkdir()
    monkeypatch.setattr(precedence, '_THREADS', tmp_path)
    assert precedence.threads()[0] == os.getpid()
    assert sorted(precedence.threads()) == [7, os.getpid(), os.getpid() + 1]


def test_a_thread_that_waits_for_idle_processors_is_alone_in_that() -> None:
    seen: list[int] = []

    def work() -> None:
        precedence.run_only_when_idle()
        seen.append(os.sched_getscheduler(0))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [os.SCHED_IDLE]
    assert os.sched_getscheduler(0) != os.SCHED_IDLE
