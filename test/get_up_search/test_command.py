"""Claims about `quad-learner find-get-up` as a whole; the search itself is tried elsewhere."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, count, repeat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from rich.console import Console

from quad_learner import cli
from quad_learner.configuration import ConfigurationError
from quad_learner.get_up_search import command, comparison, lying
from quad_learner.get_up_search.command import Options, Quest
from quad_learner.get_up_search.falls import Fall, World
from quad_learner.get_up_search.score import Outcome
from quad_learner.get_up_search.search import Found
from quad_learner.get_up_search.space import Frames
from quad_learner.resources import config_directory
from quad_learner.robot.model import load

A1 = config_directory() / 'robots' / 'a1.yaml'
FRAMES = [{'seconds': 0.5, 'right': [0.0, 1.5, -2.0], 'left': [0.25, 1.5, -2.0]}]
OPTIONS = Options(robot='a1', minutes=1.0, seed=0, jobs=1, afresh=False, out=None, terrain='flat')


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a fall of each kind do, and one off the back to compare."""
    monkeypatch.setattr(lying, 'SET', 1)
    for name in ('SET_LEAST', 'FRESH'):
        monkeypatch.setattr(command, name, 1)
    monkeypatch.setattr(comparison, 'KINDS', ('back',))


def ticking(seconds: float) -> Iterator[float]:
    """Yields the time of a clock that moves on by so many seconds at each look."""
    return (seconds * tick for tick in count())


@pytest.mark.slow
def test_it_ends_in_time_with_what_it_has_and_writes_it(few: None, tmp_path: Path) -> None:
    clock, told = ticking(3.0), list[str]()
    out = tmp_path / 'new.yaml'
    # With this seed, either fall is one of the many that the A1's motions get up from.
    asked = replace(OPTIONS, seed=1, out=out)
    result = Quest(asked, lambda: next(clock), told.append).run()
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


class OnItsBack:
    """Stands in for simulation and search: but for the first few falls leave it on its back."""

    FRAMES = [{'seconds': 0.5, 'right': [0.0, 1.4, -2.64], 'left': [0.0, 1.4, -1.64]}] * 2

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, on_side: int = 0, up: Sequence[bool] = ()
    ) -> None:
        """Args:
        on_side: so many of the first falls leave it on its side.
        up: whether what each search finds gets up from all of its falls, else from none; those
            after them do.
        """
        self.begun: list[Frames] = []
        self.now = self.seconds = self.drop_seconds = 0.0
        """[s] of the clock, and what each search and each drop takes"""
        self.over_at_once: list[bool] = []
        """whether the time of a search is over before it begins"""
        self._up = chain(up, repeat(True))
        tilts = chain(repeat(np.pi / 2, on_side), repeat(np.pi))
        fall = Fall(np.zeros(3), np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(12), 1.0, 0)

        def drop(*_: object) -> Fall:
            self.now += self.drop_seconds
            return fall

        def search(*arguments: Any) -> OnItsBack:
            self.over_at_once.append(arguments[4]())
            return self

        monkeypatch.setattr(lying, 'drop', drop)
        monkeypatch.setattr(lying, 'lay', lambda *_: fall)
        monkeypatch.setattr(lying, 'tuck', lambda *_: (fall, next(tilts)))
        monkeypatch.setattr(command, 'Search', search)
        monkeypatch.setattr(comparison, 'compare', lambda *_: {})

    def run(self, begin: Frames, who: str) -> Found:
        self.begun.append(begin)
        self.now += self.seconds
        outcome = Outcome(next(self._up), 1.0, 0.0, 0.0, 0.0, ())
        return Found(self.FRAMES, (outcome,) * lying.SET)


@pytest.fixture
def nothing(tmp_path: Path) -> str:
    """Returns the path of a robot file, the A1's without roll-overs."""
    file = tmp_path / 'a1.yaml'
    robot = yaml.safe_load(A1.read_text())
    for name in ('from_side', 'from_back'):
        del robot['reset'][name]
    file.write_text(yaml.safe_dump(robot))
    return str(file)


def test_where_it_never_lies_on_a_side_the_motion_off_its_back_is_taken_for_that_too(
    monkeypatch: pytest.MonkeyPatch, nothing: str
) -> None:
    stub, told = OnItsBack(monkeypatch), list[str]()
    result = Quest(replace(OPTIONS, robot=nothing), lambda: 0.0, told.append).run()
    assert stub.begun == [[]], 'off its back, from nothing'
    block = yaml.safe_load(result.text)
    assert block['from_side'] == block['from_back'] == stub.FRAMES
    line = 'from_side: lies so after 0 of 30 falls: not looked for; takes the motion found for'
    assert any(line in words for words in told)


def test_where_it_hardly_ever_lies_on_a_side_it_looks_for_a_motion_all_the_same(
    monkeypatch: pytest.MonkeyPatch, nothing: str
) -> None:
    stub = OnItsBack(monkeypatch, on_side=1)
    Quest(replace(OPTIONS, robot=nothing), lambda: 0.0, lambda _: None).run()
    assert stub.begun == [[], stub.FRAMES]


def test_time_that_is_left_goes_to_the_motion_that_is_not_found_yet(
    monkeypatch: pytest.MonkeyPatch, nothing: str
) -> None:
    stub, told = OnItsBack(monkeypatch, on_side=1, up=[False]), list[str]()
    result = Quest(replace(OPTIONS, robot=nothing), lambda: 0.0, told.append).run()
    assert stub.begun == [[], [], stub.FRAMES], 'off its back, off a side, off its back with that'
    assert set(yaml.safe_load(result.text)) == {'from_side', 'from_back'}
    assert sum('from_back: lies so after 29 of 30 falls' in line for line in told) == 2


def test_a_motion_that_was_found_last_is_taken_for_both_where_no_time_is_left(
    monkeypatch: pytest.MonkeyPatch, nothing: str
) -> None:
    stub, told = OnItsBack(monkeypatch, on_side=1, up=[False, True, False]), list[str]()
    stub.seconds = 0.5 * 60.0
    result = Quest(replace(OPTIONS, robot=nothing), lambda: stub.now, told.append).run()
    assert len(stub.begun) == 3, 'the third, when the time is over, only to say so'
    block = yaml.safe_load(result.text)
    assert block['from_back'] == block['from_side'] == stub.FRAMES


def test_falls_that_take_long_to_draw_leave_each_motion_its_share(
    monkeypatch: pytest.MonkeyPatch, nothing: str
) -> None:
    stub = OnItsBack(monkeypatch, on_side=1)
    stub.drop_seconds = 50.0 / lying.DRAWS
    Quest(replace(OPTIONS, robot=nothing), lambda: stub.now, lambda _: None).run()
    assert stub.over_at_once == [False, False], '51 s are for falls and searches'


def test_where_nothing_gets_up_it_says_that_the_motion_of_the_file_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = list[str]()
    OnItsBack(monkeypatch, up=[False] * 9)
    result = Quest(OPTIONS, lambda: 0.0, told.append).run()
    assert result.text == ''
    assert any('found none' in line and 'motion of the file stays' in line for line in told)


def test_where_it_hardly_ever_lies_on_a_side_a_motion_that_the_file_has_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stub = OnItsBack(monkeypatch, on_side=3)
    result = Quest(OPTIONS, lambda: 0.0, lambda _: None).run()
    assert stub.begun == [load('a1').sections['reset']['from_back']]
    assert set(yaml.safe_load(result.text)) == {'from_back'}


@pytest.mark.parametrize(
    ('changed', 'words'),
    [
        ({'minutes': 0.0}, '--minutes 0.0 must be above 0'),
        ({'jobs': 0}, '--jobs 0 must be 1 or more'),
        ({'out': A1}, 'exists and is not overwritten'),
        ({'out': Path('nowhere/new.yaml')}, 'no folder that can be written to'),
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


@pytest.fixture
def mine(tmp_path: Path) -> Callable[..., str]:
    """Gives `mine(**entries)`: path of a robot file, the A1's with its section reset changed."""

    def write(flow: bool = False, **entries: object) -> str:
        content = yaml.safe_load(A1.read_text())
        content['reset'] |= entries
        text = yaml.safe_dump(content, default_flow_style=flow)
        (tmp_path / 'mine.yaml').write_text(text)
        return str(tmp_path / 'mine.yaml')

    return write


TOO_FAR = [{'seconds': 0.5, 'right': [0.0, 4.18, -2.0], 'left': [0.0, 1.0, -2.0]}]
"""a thigh at 4.18 rad: within the A1's limits, and nearer to them than safety lets it come"""


@pytest.mark.parametrize(
    ('entries', 'words'),
    [
        ({'fold': [0.0, 4.18, -2.0]}, 'fold: 4.18 of .* is cut to'),
        ({'rise_again': TOO_FAR}, 'rise_again: 4.18 of .* is cut to'),
        ({'from_back': [{'seconds': 0.5}]}, 'from_back = .* must hold exactly'),
        (
            {'right_feet': ['tail'], 'from_side': [], 'from_back': []},
            "'tail': is not one of FR_toe",
        ),
        ({'flow': True, 'out': 'new.yaml'}, 'no section reset with one entry a line'),
    ],
)
def test_a_file_that_would_be_refused_in_the_end_is_refused_at_once(
    mine: Callable[..., str], tmp_path: Path, entries: dict[str, object], words: str
) -> None:
    out = tmp_path / str(entries.pop('out')) if 'out' in entries else None
    with pytest.raises(ConfigurationError, match=words):
        Quest(replace(OPTIONS, robot=mine(**entries), out=out), lambda: 0.0, print)


def test_a_motion_of_the_file_that_is_to_be_replaced_may_be_wrong(
    mine: Callable[..., str],
) -> None:
    Quest(replace(OPTIONS, robot=mine(from_back=TOO_FAR)), lambda: 0.0, print)


def test_what_was_found_is_told_where_it_cannot_be_written(
    few: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, told = ticking(6.0), list[str]()
    out = tmp_path / 'folder' / 'new.yaml'
    out.parent.mkdir()
    monkeypatch.setattr(Quest, '_motion', lambda *_: FRAMES)
    monkeypatch.setattr(comparison, 'compare', lambda *_: {})
    quest = Quest(replace(OPTIONS, out=out), lambda: next(clock), told.append)
    out.parent.rmdir()
    result = quest.run()
    assert yaml.safe_load(result.text) == {'from_side': FRAMES, 'from_back': FRAMES}
    assert any('cannot be written (No such file or directory)' in line for line in told)


def test_it_falls_on_the_ground_that_is_asked_for_and_on_no_other(
    monkeypatch: pytest.MonkeyPatch, nothing: str
) -> None:
    OnItsBack(monkeypatch)
    grounds = set()

    def tuck(world: World, *_: object) -> tuple[Fall, float]:
        grounds.add(world.parts.simulation.terrain)
        return Fall(np.zeros(3), np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(12), 1.0, 0), np.pi

    monkeypatch.setattr(lying, 'tuck', tuck)
    asked = replace(OPTIONS, robot=nothing, terrain='rubble')
    Quest(asked, lambda: 0.0, lambda line: None).run()
    assert grounds == {'rubble'}
    with pytest.raises(ConfigurationError, match="terrain = 'carpet' is not one of flat, rough"):
        Quest(replace(asked, terrain='carpet'), lambda: 0.0, print)


def test_who_has_enough_gets_what_was_found_and_who_insists_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known = signal.getsignal(signal.SIGINT)

    class Interrupted(Quest):
        def run(self) -> command.Result:
            assert not self._is_over(1.0)()
            signal.raise_signal(signal.SIGINT)
            assert self._is_over(1.0)(), 'as if the time were over'
            if insists:
                signal.raise_signal(signal.SIGINT)
            return command.Result('what it has', comparison.table({}))

    monkeypatch.setattr(command, 'Quest', Interrupted)
    insists = False
    with pytest.raises(SystemExit) as ended:
        cli.main(['find-get-up', '--robot', 'a1'])
    assert ended.value.code == 0
    assert 'what it has' in capsys.readouterr().out
    insists = True
    with pytest.raises(SystemExit) as ended:
        cli.main(['find-get-up', '--robot', 'a1'])
    assert ended.value.code == cli.INTERRUPTED
    assert 'what it has' not in capsys.readouterr().out
    assert signal.getsignal(signal.SIGINT) is known


def test_the_command_line_says_where_it_went_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(['find-get-up', '--robot', 'a1', '--minutes', '-1'])
    assert ended.value.code == cli.USAGE_ERROR
    assert '--minutes -1.0 must be above 0' in capsys.readouterr().err
