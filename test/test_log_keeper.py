from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from quad_learner import log_keeper as module
from quad_learner.log_keeper import LogKeeper

PATIENCE_S = 20.0


def kept(log: Path, *said: bytes) -> None:
    """Lets a process say something and end."""
    keeper = LogKeeper(log)
    keeper.start()
    for words in said:
        os.write(keeper.writer, words)
    os.close(keeper.writer)
    keeper.join(PATIENCE_S)
    assert not keeper.is_alive()


def test_all_that_is_said_is_kept_to_the_last_word_after_what_was_there(tmp_path: Path) -> None:
    log = tmp_path / 'dog.log'
    log.write_text('before\n')
    kept(log, b'here\n', b'goodbye')
    assert log.read_text() == 'before\nhere\ngoodbye'


def test_a_flood_leaves_two_files_of_bounded_size_with_the_newest_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, 'LOG_BYTES', 1000)
    monkeypatch.setattr(module, 'BLOCK_BYTES', 64)
    log = tmp_path / 'dog.log'
    kept(log, *(f'line {number:03}\n'.encode() for number in range(1000)))
    assert {path.name for path in tmp_path.iterdir()} == {'dog.log', 'dog.log.1'}
    assert all(path.stat().st_size <= 1000 for path in tmp_path.iterdir())
    both = (tmp_path / 'dog.log.1').read_text() + log.read_text()
    assert both.endswith('line 998\nline 999\n')
    whole = both.splitlines()[1:]  # the first may be cut
    assert whole == [f'line {number:03}' for number in range(1000 - len(whole), 1000)]
    assert len(both) > 1000


def test_where_the_disk_is_full_words_are_lost_and_nobody_is_held_up() -> None:
    # The kernel's own full disk; 16 MiB are far more than a pipe holds.
    kept(Path('/dev/full'), *[b'x' * 65536] * 256)


def test_what_was_lost_is_told_when_the_disk_takes_words_again(tmp_path: Path) -> None:
    log = tmp_path / 'dog.log'
    log.symlink_to('/dev/full')
    keeper = LogKeeper(log)
    keeper.start()
    os.write(keeper.writer, b'lost')
    deadline = time.monotonic() + PATIENCE_S
    while not keeper._lost and time.monotonic() < deadline:
        time.sleep(0.01)
    keeper._begin_another()  # a plain file
    os.write(keeper.writer, b'here\n')
    os.close(keeper.writer)
    keeper.join(PATIENCE_S)
    assert log.read_text() == '\n[4 bytes could not be written here]\nhere\n'


def test_a_log_that_somebody_removes_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, 'LOG_BYTES', 10)
    log = tmp_path / 'dog.log'
    keeper = LogKeeper(log)
    log.unlink()
    keeper._keep(b'twelve bytes')
    keeper._keep(b'here')
    os.close(keeper.writer)
    keeper.run()
    assert log.read_text() == 'here'
