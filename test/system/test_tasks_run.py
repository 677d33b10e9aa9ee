"""Several tasks in a bounded workspace, twice with one seed, and then driven by `cmd_vel`."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from rclpy.node import Node

from quad_learner.experience.reader import ExperienceReader
from quad_learner.experience.run_directory import RunDirectory
from quad_learner.ros import topics

pytestmark = [pytest.mark.system, pytest.mark.timeout(3000)]

COMMAND = (sys.executable, '-m', 'quad_learner.cli', 'drive')
TASKS = ('--tasks', 'left,forward,velocity', '--workspace', '4x3', '--external-pose')
LENGTH = ('--minutes', '0.25', '--seed', '5', '--no-report')
FEW = {'episode_s': 1.5, 'updates_per_reset': 5}


@pytest.fixture(scope='module')
def several(learn: Callable[..., Any], folder: Path) -> Callable[[str], RunDirectory]:
    """Returns a function that lets a run of three tasks be made into a folder of that name."""
    content = yaml.safe_load((folder / 'quick.yaml').read_text())
    content['/**']['ros__parameters'] |= FEW
    (folder / 'few.yaml').write_text(yaml.safe_dump(content))

    def make(name: str) -> RunDirectory:
        path, parameters = str(folder / name), str(folder / 'few.yaml')
        learning = learn(
            *TASKS, *LENGTH, '--run-dir', path, '--params-file', parameters, quick=False
        )
        assert learning.ends(1200.0) == 0, learning.said
        return RunDirectory(folder / name)

    return make


@pytest.fixture(scope='module')
def run(several: Callable[[str], RunDirectory]) -> RunDirectory:
    """Returns a finished run."""
    return several('tasks')


def records(run: RunDirectory) -> list[bytes]:
    return [record.data for record in ExperienceReader(run.experience).records()]


def test_each_task_is_practised_and_has_a_policy_and_a_checkpoint(run: RunDirectory) -> None:
    with run.metrics.open() as file:
        practised = {row['task'] for row in csv.DictReader(file)}
    assert practised == {'0', '2', '4'}
    summary = json.loads(run.summary.read_text())
    assert set(summary['tasks']) == {'forward', 'left', 'velocity'}
    assert (summary['waits_for'], summary['human_resets']) == (None, 0)
    assert summary['resets'] > 0
    assert summary['reset_success_rate'] == 1.0
    for suffix in ('', '_left', '_velocity'):
        assert run.policy_of(suffix).is_file()
        assert any(run.checkpoint_of(suffix).iterdir())


def test_the_same_seed_gives_the_same_run_to_the_bit(
    run: RunDirectory, several: Callable[[str], RunDirectory]
) -> None:
    first, second = records(run), records(several('again'))
    assert len(first) > 200
    assert first == second


def test_what_was_learned_follows_a_command_and_stands_without(
    run: RunDirectory,
    domain: Any,
    folder: Path,
    watcher: Node,
    seen_until: Callable[..., Any],
) -> None:
    said: list[tuple[str, str]] = []
    topics.POLICY_STATE.subscribe(
        watcher, lambda m: said.append((m.message, {v.key: v.value for v in m.values}['task']))
    )
    commands = topics.CMD_VEL.publisher(watcher)
    with (folder / 'drive.txt').open('w') as output:
        driving = subprocess.Popen(
            [*COMMAND, str(run.path), '--real-time-factor', '0'],
            env=domain.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    ahead = topics.CMD_VEL.type()
    ahead.linear.x = 0.4

    def drives() -> bool:
        assert driving.poll() is None, (folder / 'drive.txt').read_text()
        commands.publish(ahead)
        return ('drive', 'velocity') in said

    try:
        seen_until(drives, 300.0, lambda: f'that it drives: {said}')
        after = len(said)
        seen_until(lambda: ('rest', 'stand') in said[after:], 120.0, lambda: f'a rest: {said}')
    finally:
        driving.send_signal(signal.SIGINT)
        code = driving.wait(30.0)
    assert code == 0
