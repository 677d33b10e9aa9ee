from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from quad_learner.experience import run_directory
from quad_learner.experience.run_directory import RunDirectory, RunDirectoryError

VERSIONS = {'python': '3.11.7'}


def make(runs: Path, stamp: str = '20260101_120000') -> RunDirectory:
    return run_directory.create(runs, stamp, VERSIONS)


def test_a_new_run_has_its_folders_and_is_the_latest(tmp_path: Path) -> None:
    run = make(tmp_path / 'runs')
    assert run.path == tmp_path / 'runs' / '20260101_120000'
    assert run.checkpoint.is_dir()
    assert run.parameters.is_dir()
    assert run.logs.is_dir()
    assert json.loads(run.versions.read_text())['versions'] == VERSIONS
    assert (tmp_path / 'runs' / 'latest').resolve() == run.path


def test_a_taken_name_gets_the_next_suffix_and_keeps_what_is_there(tmp_path: Path) -> None:
    first = make(tmp_path)
    first.metrics.write_text('earlier')
    second, third = make(tmp_path), make(tmp_path)
    assert [run.path.name for run in (second, third)] == ['20260101_120000_1', '20260101_120000_2']
    assert first.metrics.read_text() == 'earlier'
    assert (tmp_path / 'latest').resolve() == third.path


def test_the_files_have_the_names_that_users_know(tmp_path: Path) -> None:
    run = make(tmp_path)
    files = (
        run.summary,
        run.metrics,
        run.experience,
        run.checkpoint,
        run.policy,
        run.parameters,
        run.versions,
        run.report,
        run.gait,
        run.logs,
    )
    assert [path.name for path in files] == [
        'summary.json',
        'metrics.csv',
        'experience.mcap',
        'checkpoint',
        'policy.onnx',
        'parameters',
        'versions.json',
        'report.html',
        'gait.gif',
        'logs',
    ]


def test_a_file_in_place_of_the_runs_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / 'runs').write_text('mine')
    with pytest.raises(RunDirectoryError, match=r'runs cannot be made .*move away'):
        make(tmp_path / 'runs')
    assert (tmp_path / 'runs').read_text() == 'mine'


def test_where_links_cannot_be_made_the_way_out_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def symlink_to(path: Path, target: str) -> None:  # as on the FAT of a memory card
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(Path, 'symlink_to', symlink_to)
    with pytest.raises(RunDirectoryError, match=r'\(Operation not permitted\).*--run-dir'):
        make(tmp_path)
    run_directory.create_at(tmp_path / 'mine', {})


def test_a_link_half_made_by_a_process_of_the_same_number_is_in_nobodys_way(
    tmp_path: Path,
) -> None:
    (tmp_path / f'.latest.{os.getpid()}').symlink_to('gone')
    run = make(tmp_path)
    assert (tmp_path / 'latest').resolve() == run.path
    assert sorted(path.name for path in tmp_path.iterdir()) == [run.path.name, 'latest']


def test_a_folder_called_latest_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / 'latest').mkdir()
    with pytest.raises(RunDirectoryError, match='latest is no link'):
        make(tmp_path)
    assert list(tmp_path.iterdir()) == [tmp_path / 'latest']


def test_a_link_to_a_run_that_is_gone_is_replaced(tmp_path: Path) -> None:
    (tmp_path / 'latest').symlink_to('gone')
    assert (tmp_path / 'latest').resolve() != make(tmp_path).path.parent
    assert (tmp_path / 'latest' / 'versions.json').is_file()


def test_a_named_run_folder_may_be_empty_but_not_taken(tmp_path: Path) -> None:
    path = tmp_path / 'deep' / 'mine'
    assert run_directory.create_at(path, VERSIONS).versions.is_file()
    before = sorted(path.iterdir())
    with pytest.raises(RunDirectoryError, match=r'mine is not empty.*resume the run'):
        run_directory.create_at(path, VERSIONS)
    assert sorted(path.iterdir()) == before


def test_an_existing_run_opens_by_its_link(tmp_path: Path) -> None:
    run = make(tmp_path)
    assert run_directory.open_run(tmp_path / 'latest') == run


def test_a_missing_run_names_the_runs_that_there_are(tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(RunDirectoryError, match=r'nothing does not exist.*20260101_120000'):
        run_directory.open_run(tmp_path / 'nothing')


@pytest.mark.parametrize('content', [None, '', '{}', '[]', '{"format": 99}'])
def test_a_folder_that_is_no_run_is_told_from_one(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / 'versions.json').write_text(content)
    with pytest.raises(
        RunDirectoryError, match=r'is not the folder of a run|is a run of format 99'
    ):
        run_directory.open_run(tmp_path)


def test_a_run_without_checkpoint_policy_or_metrics_says_which(tmp_path: Path) -> None:
    run = make(tmp_path)
    with pytest.raises(RunDirectoryError, match='has no checkpoint, so it cannot be resumed'):
        run.require_checkpoint()
    with pytest.raises(RunDirectoryError, match=r'has no policy\.onnx'):
        run.require_policy()
    with pytest.raises(RunDirectoryError, match=r'has no metrics\.csv'):
        run.require_metrics()


def test_what_is_there_is_returned(tmp_path: Path) -> None:
    run = make(tmp_path)
    (run.checkpoint / 'manifest.json').touch()
    run.policy.touch()
    run.metrics.touch()
    run.require_checkpoint()
    assert run.require_policy() == run.policy
    assert run.require_metrics() == run.metrics
