"""What cannot be gets one clear message and a non-zero exit, and destroys nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from quad_learner.exclusive import claim
from quad_learner.experience.run_directory import create_at

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
Say = Callable[..., 'subprocess.CompletedProcess[str]']


@pytest.fixture
def say(domain: Any, tmp_path: Path) -> Say:
    """Returns a function that calls quad-learner with arguments, in an empty folder."""

    def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, '-m', 'quad_learner.cli', *arguments],
            env=domain.environment | environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
        )

    return call


def refused(answer: subprocess.CompletedProcess[str], *words: str) -> None:
    assert answer.returncode == 2, answer.stderr
    assert 'Traceback' not in answer.stderr
    for word in words:
        assert word in answer.stderr


def params(folder: Path, **values: Any) -> str:
    path = folder / 'mine.yaml'
    path.write_text(yaml.safe_dump({'/**': {'ros__parameters': values}}))
    return str(path)


def test_an_unknown_robot(say: Say, tmp_path: Path) -> None:
    refused(
        say('learn', '--robot', 'b2'),
        "robot 'b2' is not known; choose one of a1, aliengo, laikago, mini_cheetah, minitaur, "
        'spirit40, vision60',
    )
    assert not (tmp_path / 'runs').exists()


def test_a_missing_urdf(say: Say, tmp_path: Path) -> None:
    robot = (ROOT / 'config/robots/a1.yaml').read_text().replace('a1/a1.urdf', 'a1/lost.urdf')
    (tmp_path / 'mine.yaml').write_text(robot)
    refused(say('learn', '--robot', str(tmp_path / 'mine.yaml')), 'a1/lost.urdf', 'no such file')


def test_a_misspelt_parameter(say: Say, tmp_path: Path) -> None:
    file = params(tmp_path, epissode_s=3.0)
    refused(say('learn', '--params-file', file), "'epissode_s'", "did you mean 'episode_s'", file)


def test_a_parameter_out_of_range(say: Say, tmp_path: Path) -> None:
    file = params(tmp_path, episode_s=-3.0)
    refused(say('learn', '--params-file', file), 'episode_s = -3.0 must be within 0.5 … 600.0 s')


def test_an_unknown_backend(say: Say) -> None:
    refused(say('learn', '--backend', 'magic'), "backend 'magic' is not one of sim, ros2_control")


def test_a_run_that_is_not_there(say: Say, tmp_path: Path) -> None:
    for command in (('learn', '--resume'), ('evaluate',), ('report',), ('export',)):
        refused(say(*command, 'runs/lost'), 'runs/lost does not exist')


def test_a_run_without_a_checkpoint(say: Say, tmp_path: Path) -> None:
    create_at(tmp_path / 'empty', {})
    refused(say('learn', '--resume', 'empty'), 'has no checkpoint', 'start a new run')
    refused(say('evaluate', 'empty'), 'has no policy.onnx')


def test_a_folder_that_is_taken(say: Say, tmp_path: Path) -> None:
    (tmp_path / 'taken').mkdir()
    (tmp_path / 'taken' / 'thesis.txt').write_text('all of it')
    refused(say('learn', '--run-dir', 'taken'), 'taken is not empty', 'choose a new folder')
    assert (tmp_path / 'taken' / 'thesis.txt').read_text() == 'all of it'


def test_a_file_where_the_runs_should_be(say: Say, tmp_path: Path) -> None:
    (tmp_path / 'runs').write_text('a file')
    refused(say('learn'), 'runs', 'choose another folder')
    assert (tmp_path / 'runs').read_text() == 'a file'


def test_a_second_graph_on_the_same_domain(say: Say, domain: Any) -> None:
    with claim('run', str(domain.number), ''):
        refused(say('learn'), f'ROS_DOMAIN_ID={domain.number}', 'runs already', str(os.getpid()))


def test_no_middleware(say: Say) -> None:
    answer = say('learn', '--minutes', '0.05', RMW_IMPLEMENTATION='rmw_of_no_kind')
    assert answer.returncode != 0
    assert 'rmw_of_no_kind' in answer.stderr + answer.stdout


def test_a_checkpoint_that_is_damaged(say: Say, tmp_path: Path, folder: Path) -> None:
    quick = ('--params-file', str(folder / 'quick.yaml'))
    first = say('learn', '--minutes', '0.1', '--run-dir', 'run', '--no-report', *quick)
    assert first.returncode == 0, first.stderr + first.stdout
    hit = [path for path in (tmp_path / 'run/checkpoint').rglob('*') if path.is_file()]
    for path in hit:
        path.write_bytes(b'\0' * path.stat().st_size)
    kept = (tmp_path / 'run/experience.mcap').read_bytes()
    answer = say('learn', '--resume', 'run', '--minutes', '0.2')
    assert answer.returncode != 0
    assert 'Traceback' not in answer.stderr
    assert 'checkpoint' in answer.stderr
    assert (tmp_path / 'run/experience.mcap').read_bytes()[: len(kept)] == kept
