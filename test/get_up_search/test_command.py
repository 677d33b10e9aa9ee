"""Claims about `quad-learner find-get-up` as a whole; the search itself is tried elsewhere."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from quad_learner import cli
from quad_learner.configuration import ConfigurationError
from quad_learner.get_up_search import command, comparison
from quad_learner.get_up_search.command import Options, Quest
from quad_learner.resources import config_directory
from quad_learner.robot.model import load

A1 = config_directory() / 'robots' / 'a1.yaml'
OPTIONS = Options(robot='a1', minutes=1.0, seed=0, jobs=1, afresh=False, out=None)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a fall of each kind do, and one off the back to compare."""
    for name in ('SET', 'SET_LEAST', 'FRESH'):
        monkeypatch.setattr(command, name, 1)
    monkeypatch.setattr(comparison, 'KINDS', ('back',))


def ticking(seconds: float) -> Iterator[float]:
    """Yields the time of a clock that moves on by so many seconds at each look."""
    return (seconds * tick for tick in count())


@pytest.mark.slow
def test_it_ends_in_time_with_what_it_has_and_writes_it(few: None, tmp_path: Path) -> None:
    clock, told = ticking(6.0), list[str]()
    out = tmp_path / 'new.yaml'
    result = Quest(replace(OPTIONS, out=out), lambda: next(clock), told.append).run()
    assert next(clock) < 1.5 * 60.0
    written = load(str(out)).sections['reset']
    block = yaml.safe_load(result.text)
    for name in ('from_side', 'from_back'):
        assert any(f'{name}: takes the motion that gets up from 1 of 1' in line for line in told)
        assert block[name] == written[name]
    comments = [line for line in A1.read_text().splitlines() if line.lstrip().startswith('#')]
    assert set(comments) <= set(out.read_text().splitlines())
    console = Console(record=True, width=120)
    console.print(result.table)
    assert console.export_text().count('1 of 1') == 2, 'old and new'


@pytest.mark.parametrize(
    ('changed', 'words'),
    [
        ({'minutes': 0.0}, '--minutes 0.0 must be above 0'),
        ({'jobs': 0}, '--jobs 0 must be 1 or more'),
        ({'out': A1}, 'exists and is not overwritten'),
        ({'robot': 'a2'}, "'a2' is not known"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_before_anything_is_tried(
    changed: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        Quest(replace(OPTIONS, **changed), lambda: 0.0, print)  # type: ignore[arg-type]


def test_a_file_that_would_not_find_its_urdf_is_not_written(tmp_path: Path) -> None:
    urdf = load('a1').urdf
    (tmp_path / 'mine.urdf').write_bytes(urdf.read_bytes())
    content = yaml.safe_load(A1.read_text()) | {'urdf': 'mine.urdf'}
    (tmp_path / 'mine.yaml').write_text(yaml.safe_dump(content))
    (tmp_path / 'elsewhere').mkdir()
    asked = replace(OPTIONS, robot=str(tmp_path / 'mine.yaml'))
    with pytest.raises(ConfigurationError, match='would not be found from there'):
        Quest(replace(asked, out=tmp_path / 'elsewhere' / 'new.yaml'), lambda: 0.0, print)
    Quest(replace(asked, out=tmp_path / 'new.yaml'), lambda: 0.0, print)


@pytest.mark.parametrize('name', ['cma', 'pybullet'])
def test_what_is_not_installed_is_named_and_the_doctor_says_more(name: str) -> None:
    # In a process of its own: what was imported without it would stay for the other tests.
    without = f'import sys; sys.modules[{name!r}] = None; from quad_learner import cli; '
    asked = "cli.main(['find-get-up', '--minutes', '0.01'])"
    ended = subprocess.run([sys.executable, '-c', without + asked], capture_output=True, text=True)
    assert ended.returncode == cli.USAGE_ERROR
    assert f'{name} cannot be imported' in ended.stderr
    assert 'quad-learner doctor says what to install' in ended.stderr
    assert 'Traceback' not in ended.stderr


def test_the_command_line_says_where_it_went_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(['find-get-up', '--robot', 'a1', '--minutes', '-1'])
    assert ended.value.code == cli.USAGE_ERROR
    assert '--minutes -1.0 must be above 0' in capsys.readouterr().err
