from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from quad_learner.configuration import ConfigurationError
from quad_learner.exclusive import Lifeline, claim, claim_run


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))


def test_a_second_claim_names_who_holds_the_first_and_the_way_out() -> None:
    with claim('safety', '7', '/spot'), pytest.raises(ConfigurationError) as caught:
        claim('safety', '7', '/spot')
    for words in ('ROS_DOMAIN_ID=7', '/spot', 'safety', str(os.getpid()), 'another ROS_DOMAIN_ID'):
        assert words in str(caught.value)


@pytest.mark.parametrize('answer', [errno.ENOLCK, errno.EIO])
def test_a_folder_that_keeps_no_locks_is_not_taken_for_another_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: int
) -> None:
    def fails(*_: object) -> None:
        raise OSError(answer, os.strerror(answer))

    monkeypatch.setattr(fcntl, 'fcntl', fails)
    with pytest.raises(ConfigurationError) as caught:
        claim('safety', '7', '')
    for words in (str(tmp_path), os.strerror(answer), 'TMPDIR'):
        assert words in str(caught.value)
    assert 'runs already' not in str(caught.value)


def test_a_folder_for_locks_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path / 'gone'))
    with pytest.raises(ConfigurationError, match=r'gone.*cannot be locked.*TMPDIR'):
        claim('safety', '7', '')


@pytest.mark.parametrize('other', [('reset', '7', ''), ('safety', '8', ''), ('safety', '7', '/b')])
def test_another_node_domain_or_namespace_is_free(other: tuple[str, str, str]) -> None:
    with claim('safety', '7', ''), claim(*other):
        pass


def test_the_claim_ends_with_the_lock() -> None:
    claim('safety', '7', '').close()
    claim('safety', '7', '').close()


def test_the_claim_of_a_process_that_died_is_gone(tmp_path: Path) -> None:
    dies = (
        'import os; from quad_learner.exclusive import claim; c = claim("a", "7", ""); os._exit(9)'
    )
    code = subprocess.run(
        [sys.executable, '-c', dies], env={**os.environ, 'TMPDIR': str(tmp_path)}
    ).returncode
    assert code == 9
    claim('a', '7', '').close()


def test_root_and_a_nested_namespace_have_locks_of_their_own(tmp_path: Path) -> None:
    with claim('safety', '7', '/'), claim('safety', '7', '/lab/one/'):
        assert len(list(tmp_path.glob('*.lock'))) == 2


@pytest.mark.parametrize('domain', ['', 'lab', '-1', '233', '1.5'])
def test_what_is_no_domain_is_refused(domain: str) -> None:
    with pytest.raises(ConfigurationError, match='must be a whole number from 0 to 232'):
        claim('safety', domain, '')


def test_a_run_is_learned_in_by_one_at_a_time_in_whatever_domain(
    tmp_path: Path, mark: Path
) -> None:
    taken = pytest.raises(ConfigurationError, match='is being learned in by another process')
    with claim_run(tmp_path, mark), taken:
        claim_run(tmp_path, mark)
    claim_run(tmp_path, mark).close()
    assert [path.name for path in tmp_path.iterdir()] == ['versions.json']


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """Returns the file of a run that says that it is one."""
    path = tmp_path / 'versions.json'
    path.write_text('{}')
    return path


def flock_of_a_file_system(answer: int) -> Callable[[IO[bytes], int], None]:
    """Returns what stands in for `flock` where each call is answered with that error."""

    def flock(file: IO[bytes], operation: int) -> None:
        raise OSError(answer, os.strerror(answer))

    return flock


@pytest.mark.parametrize('answer', [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_where_the_file_system_keeps_no_locks_runs_are_learned_all_the_same(
    tmp_path: Path, mark: Path, monkeypatch: pytest.MonkeyPatch, answer: int
) -> None:
    monkeypatch.setattr(fcntl, 'flock', flock_of_a_file_system(answer))
    with claim_run(tmp_path, mark), claim_run(tmp_path, mark):
        pass


@pytest.mark.parametrize('answer', [errno.EIO, errno.EINVAL, errno.ESTALE])
def test_another_trouble_with_the_lock_of_a_run_is_told(
    tmp_path: Path, mark: Path, monkeypatch: pytest.MonkeyPatch, answer: int
) -> None:
    monkeypatch.setattr(fcntl, 'flock', flock_of_a_file_system(answer))
    with pytest.raises(OSError) as caught:
        claim_run(tmp_path, mark)
    assert caught.value.errno == answer


def test_the_mark_of_a_run_is_opened_as_nfs_asks_and_stays_as_it_is(
    tmp_path: Path, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def flock(file: IO[bytes], operation: int) -> None:
        may_write = fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
        if operation & fcntl.LOCK_EX and not may_write:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    monkeypatch.setattr(fcntl, 'flock', flock)
    claim_run(tmp_path, mark).close()
    assert mark.read_text() == '{}'


def test_the_end_of_a_claim_is_told_once() -> None:
    lifeline = Lifeline('safety', '7', '')
    assert not lifeline.is_cut(), 'nobody was ever there'
    lock = claim('safety', '7', '')
    assert [lifeline.is_cut() for _ in range(3)] == [False] * 3
    lock.close()
    assert [lifeline.is_cut() for _ in range(3)] == [True, False, False]
    with claim('safety', '7', ''):
        assert not lifeline.is_cut(), 'another has come, and lives'
    assert lifeline.is_cut(), 'and has gone as well'


def test_what_was_left_by_a_process_long_dead_is_no_death() -> None:
    claim('safety', '7', '').close()
    lifeline = Lifeline('safety', '7', '')
    assert [lifeline.is_cut() for _ in range(3)] == [False] * 3


def test_a_lifeline_takes_nothing_from_who_claims() -> None:
    lifeline = Lifeline('safety', '7', '')
    for _ in range(3):
        with claim('safety', '7', ''):
            lifeline.is_cut()
    lifeline.close()
    claim('safety', '7', '').close()


def test_another_name_domain_or_namespace_is_another_life() -> None:
    lifeline = Lifeline('safety', '7', '/b')
    for other in (('reset', '7', '/b'), ('safety', '8', '/b'), ('safety', '7', '')):
        with claim(*other):
            assert not lifeline.is_cut()
        assert not lifeline.is_cut()


def test_a_lock_file_that_was_swept_away_cuts_no_living_process(tmp_path: Path) -> None:
    lifeline = Lifeline('safety', '7', '')
    with claim('safety', '7', ''):
        lifeline.is_cut()
        next(tmp_path.glob('*.lock')).unlink()
        assert not lifeline.is_cut()
    assert lifeline.is_cut()


def holder(tmp_path: Path, then: str) -> subprocess.Popen[str]:
    """Returns a process that claims `a`, does what `then` says and stays."""
    claims = 'import os, time; from quad_learner.exclusive import claim; c = claim("a", "7", "")'
    lives = f'{claims}; {then}; time.sleep(600.0)'
    return subprocess.Popen(
        [sys.executable, '-c', lives],
        env={**os.environ, 'TMPDIR': str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_killed_process_is_seen_and_a_frozen_one_is_not(tmp_path: Path) -> None:
    lifeline = Lifeline('a', '7', '')
    with holder(tmp_path, 'print("here", flush=True)') as process:
        assert process.stdout is not None
        assert process.stdout.readline() == 'here\n'
        assert not lifeline.is_cut()
        process.send_signal(signal.SIGSTOP)
        assert not lifeline.is_cut()
        process.kill()
        process.wait()
        assert lifeline.is_cut()


def test_who_is_gone_is_seen_before_the_system_lets_go_of_the_claim(tmp_path: Path) -> None:
    # A child that shares the open file holds the lock on, as a slow end of the process does.
    forks = 'child = os.fork(); child and print(child, flush=True)'
    lifeline = Lifeline('a', '7', '')
    with holder(tmp_path, forks) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            assert [lifeline.is_cut() for _ in range(3)] == [False] * 3
            process.kill()
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            with pytest.raises(ConfigurationError, match='runs already'):
                claim('a', '7', '')
            assert [lifeline.is_cut() for _ in range(3)] == [True, False, False]
        finally:
            os.kill(child, signal.SIGKILL)
            process.kill()
    lifeline.close()


def test_a_stranger_of_the_same_number_is_no_holder() -> None:
    lifeline = Lifeline('safety', '7', '')
    with claim('safety', '7', '') as lock, subprocess.Popen(['sleep', '600']) as stranger:
        lock.truncate(0)
        lock.write(str(stranger.pid))
        lock.flush()
        assert not lifeline.is_cut()
        stranger.kill()
        stranger.wait()
        assert not lifeline.is_cut()
    assert lifeline.is_cut()
