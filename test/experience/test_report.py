from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from quad_learner.experience import drawing, run_directory
from quad_learner.experience.curves import draw
from quad_learner.experience.metrics import RunFacts, RunRecorder
from quad_learner.experience.metrics_table import Episode, Row
from quad_learner.experience.report import write_report
from quad_learner.experience.run_directory import RunDirectory, RunDirectoryError


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws coarsely, because nobody looks."""
    monkeypatch.setattr(drawing, 'DPI', 30)


@pytest.fixture
def run(tmp_path: Path, facts: RunFacts, episode: Callable[..., Episode]) -> RunDirectory:
    """Returns a run of five episodes with its summary, of which no quantity but λ was heard."""
    run = run_directory.create(tmp_path, 'stamp', {})
    recorder = RunRecorder(run.metrics, facts)
    recorder.open()
    for number in range(1, 6):
        recorder.sample('lambda', number * 0.1)
        recorder.episode(episode(number, displacement=number), wall_time_s=number)
    recorder.finish(run.summary, robot_time_s=50.0, wall_time_s=5.0)
    return run


def pictures(html: str) -> list[bytes]:
    return [base64.b64decode(text) for text in re.findall(r'data:image/\w+;base64,([^"]+)', html)]


def test_the_report_holds_its_pictures_and_needs_nothing_else(run: RunDirectory) -> None:
    Image.new('RGB', (8, 8)).save(run.gait)
    Image.new('RGB', (9, 8)).save(run.footfalls)
    html = write_report(run).read_text()
    shown = [Image.open(io.BytesIO(picture)) for picture in pictures(html)]
    assert [picture.format for picture in shown] == ['GIF', *5 * ['PNG']]
    assert shown[1].size == (9, 8)
    assert set(re.findall(r'(?:src|href)="(\w+):', html)) == {'data'}
    assert 'http' not in html


def test_the_report_shows_the_figures_of_the_summary(run: RunDirectory) -> None:
    html = write_report(run).read_text()
    assert '<b>0.40 m/s</b>' in html  # the mean of 3, 4 and 5 m in 10 s
    assert '<b>50 s</b><span>time' not in html
    assert '<b>50 s</b><span>robot time</span>' in html
    assert '<td>numpy</td><td>2.4.6</td>' in html


def test_a_run_that_was_cut_is_reported_from_its_metrics(run: RunDirectory) -> None:
    run.summary.unlink()
    html = write_report(run).read_text()
    assert 'not written: the run did not reach its end' in html
    assert len(pictures(html)) == 4


def test_names_in_a_report_cannot_be_markup(run: RunDirectory) -> None:
    run.summary.write_text('{"robot": "<script>alert(1)</script>", "note": "<b>"}')
    html = write_report(run).read_text()
    assert '<script' not in html
    assert '<td>&lt;b&gt;</td>' in html


def test_a_run_without_an_episode_says_so(run: RunDirectory) -> None:
    header = run.metrics.read_text().splitlines()[0]
    run.metrics.write_text(header + '\n')
    with pytest.raises(RunDirectoryError, match='holds no episode yet'):
        write_report(run)


@pytest.mark.parametrize('content', ['', '[1]', '{"a":'])
def test_a_broken_summary_is_named(run: RunDirectory, content: str) -> None:
    run.summary.write_text(content)
    with pytest.raises(RunDirectoryError, match=r'summary\.json .*; remove it'):
        write_report(run)


def test_metrics_of_another_kind_are_named(run: RunDirectory) -> None:
    run.metrics.write_text('a,b\n1,2\n')
    with pytest.raises(RunDirectoryError, match='its columns are not those'):
        write_report(run)


def test_a_quantity_has_a_curve_where_it_was_heard(row: Callable[..., Row]) -> None:
    titles = [curve.title for curve in draw([row(1, 0.1)], walk_speed=0.4)]
    assert titles == ['Speed', 'Return', 'Falls, trips, help', 'Multiplier and action box']
