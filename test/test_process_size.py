"""What a process takes is read from the kernel; growing for ever raises an alarm."""

from __future__ import annotations

import os
import subprocess
import sys

from quad_learner.process_size import (
    GROWN_MIB,
    MORE_OPEN,
    WARM_UP_S,
    GrowthAlarm,
    Size,
    size,
)

HOUR_S = 3600.0


def grown(mib: float, files: int = 10, threads: int = 8, start_mib: float = 500.0) -> str:
    """Returns the alarm two hours after a process was warm that grew a lot until then."""
    alarm = GrowthAlarm()
    first = Size(100.0, 1 << 20, 3, 1)
    warm = Size(100.0 + WARM_UP_S, round(start_mib * 2**20), 10, 8)
    assert alarm.look(first) == ''
    assert alarm.look(warm) == ''
    later_s = warm.time_s + 2.0 * HOUR_S
    return alarm.look(Size(later_s, round((start_mib + mib) * 2**20), files, threads))


def test_who_grows_by_more_than_allowed_after_the_warm_up_says_so() -> None:
    assert grown(mib=GROWN_MIB - 0.1) == ''
    assert grown(mib=19.0) == 'has grown by 19 MiB in 2.0 h'
    assert grown(mib=-400.0) == ''


def test_open_files_and_threads_are_counted_too() -> None:
    assert grown(0.0, files=10 + MORE_OPEN, threads=8 + MORE_OPEN) == ''
    assert grown(0.0, files=25) == 'has grown by 15 open files in 2.0 h'
    assert grown(17.0, files=25, threads=17) == (
        'has grown by 17 MiB, 15 open files, 9 threads in 2.0 h'
    )


def test_before_it_is_warm_a_process_may_grow() -> None:
    alarm = GrowthAlarm()
    for second in range(0, int(WARM_UP_S), 60):
        assert alarm.look(Size(float(second), second << 20, second, second)) == ''


def test_this_process_has_a_size_and_one_that_ended_has_none() -> None:
    found = size(os.getpid(), 7.0)
    assert found is not None
    assert found.time_s == 7.0
    assert found.resident_bytes > 10 << 20  # Python with numpy
    assert found.files >= 3
    assert found.threads >= 1
    ended = subprocess.Popen([sys.executable, '-c', ''])
    ended.wait()
    assert size(ended.pid, 7.0) is None
