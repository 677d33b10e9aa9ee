"""Tests marked `apart` are run once, elsewhere, and count as if they had been run here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import apart
import pytest

CONFTEST = """
import pytest
from apart import ApartPlugin

def pytest_configure(config):
    config.addinivalue_line('markers', 'apart: elsewhere')
    config.pluginmanager.register(ApartPlugin())
"""
TESTS = """
import os
from pathlib import Path
import pytest

def note(name):
    with open('ran', 'a') as file:
        file.write(f'{name} {os.getpid()}\\n')

@pytest.mark.apart
def test_far():
    note('far')
    print('steps: executed 7, expected 7')

@pytest.mark.apart
@pytest.mark.parametrize('text', ['a b', 'c'])
def test_far_too(text):
    note('far')
    assert text != BAD

def test_near():
    note('near')
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / 'conftest.py').write_text(CONFTEST)
    return tmp_path


def run(project: Path, bad: str, *words: str) -> tuple[int, str, list[list[str]]]:
    """Returns exit code and output of pytest, and which test ran in which process."""
    (project / 'test_it.py').write_text(TESTS.replace('BAD', repr(bad)))
    environment = os.environ | {'PYTHONPATH': str(Path(apart.__file__).parent)}
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-p', 'no:junitxml', '-p', 'no:cacheprovider', *words],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    noted = (project / 'ran').read_text().splitlines()
    return done.returncode, done.stdout, sorted(line.split() for line in noted)


def test_each_test_runs_once_in_its_own_process(project: Path) -> None:
    code, output, ran = run(project, bad='none')
    assert code == 0, output
    assert [name for name, _ in ran] == ['far', 'far', 'far', 'near']
    assert len({process for name, process in ran if name == 'far'}) == 1
    assert len({process for _, process in ran}) == 2
    assert '4 passed' in output
    assert output.count('steps: executed 7, expected 7') == 1


def test_one_that_fails_there_fails_here_and_says_why(project: Path) -> None:
    code, output, _ = run(project, bad='a b')
    assert code == 1
    assert '1 failed, 3 passed' in output
    assert "assert 'a b' != 'a b'" in output


def test_asked_for_alone_they_run_as_any_others(project: Path) -> None:
    code, output, ran = run(project, 'none', '-k', 'far')
    assert code == 0, output
    assert '3 passed' in output
    assert len({process for _, process in ran}) == 1
