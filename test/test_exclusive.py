from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from quad_learner.configuration import ConfigurationError
from quad_learner.exclusive import claim


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))


def test_a_second_claim_names_who_holds_the_first_and_the_way_out() -> None:
    with claim('safety', '7', '/spot'), pytest.raises(ConfigurationError) as caught:
        claim('safety', '7', '/spot')
    for words in ('ROS_DOMAIN_ID=7', '/spot', 'safety', str(os.getpid()), 'another ROS_DOMAIN_ID'):
        assert words in str(caught.value)


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
