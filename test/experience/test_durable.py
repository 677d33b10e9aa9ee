from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from quad_learner.experience.durable import write_atomically


def test_the_new_content_replaces_the_old(tmp_path: Path) -> None:
    path = tmp_path / 'summary.json'
    path.write_text('old and longer')
    write_atomically(path, 'λ')
    assert path.read_bytes() == b'\xce\xbb'
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_content_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / 'summary.json'
    path.write_text('old')

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, 'fsync', fail)
    with pytest.raises(OSError, match='No space left'):
        write_atomically(path, 'new')
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]
