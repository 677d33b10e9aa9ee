from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from quad_learner import bringup
from quad_learner.configuration import ConfigurationError
from quad_learner.driving import DriveOptions, prepare
from quad_learner.experience.run_directory import RunDirectory, RunDirectoryError, create_at

IMPORTS = """
import sys
import quad_learner.cli, quad_learner.driving, quad_learner.nodes.drive, quad_learner.nodes.reset
import quad_learner.nodes.safety, quad_learner.nodes.estimator, quad_learner.nodes.robot_sim
print(','.join(name for name in ('torch', 'onnx', 'onnxruntime') if name in sys.modules))
"""


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """Returns a run of two tasks that has a policy of one of them."""
    run = create_at(tmp_path / 'run', {})
    specs = bringup.nodes('sim')
    values = bringup.parameters(specs, {'tasks': ['forward', 'left'], 'episode_s': 7.0}, None)
    values['robot']['ground_friction_min'] = 0.5
    bringup.write_parameters(values, run.parameters)
    run.policy_of('_left').write_bytes(b'...')
    return run


def kept(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load(path.read_text())['/**']['ros__parameters']
    return values


def test_driving_needs_what_checks_and_runs_a_policy_and_no_torch() -> None:
    done = subprocess.run(
        [sys.executable, '-c', IMPORTS], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == 'onnx,onnxruntime'


def test_keys_ask_for_what_the_run_takes_for_a_full_command(run: RunDirectory) -> None:
    policy = run.parameters / 'policy.yaml'
    learned = kept(policy) | {'command_max': [0.4, 0.2, 0.7]}
    policy.write_text(yaml.safe_dump({'/**': {'ros__parameters': learned}}))
    ready = prepare(DriveOptions(run.path, keyboard=True))
    assert ready.specs[-1].name == 'keyboard'
    assert ready.specs[-1].has_terminal
    assert kept(ready.files['keyboard'])['command_max'] == [0.4, 0.2, 0.7]


def test_the_nodes_have_the_parameters_that_the_run_learned_with(run: RunDirectory) -> None:
    ready = prepare(DriveOptions(run.path))
    assert [spec.name for spec in ready.specs] == [
        'robot', 'safety', 'estimator', 'reset', 'policy'
    ]  # fmt: skip
    assert ready.specs[-1].executable == 'drive'
    policy, robot = kept(ready.files['policy']), kept(ready.files['robot'])
    assert policy['tasks'] == ['forward', 'left']
    assert policy['episode_s'] == 7.0
    assert policy['run_directory'] == str(run.path)
    assert policy['noise_scale'] == 0.0, 'it does not explore'
    assert policy['gear'] == 'real_time'
    assert policy['command_age_max_s'] > 0.0
    assert robot['ground_friction_min'] == 0.5
    assert kept(run.parameters / 'policy.yaml')['noise_scale'] > 0.0, 'those of the run stay'


def test_what_was_learned_in_simulation_is_driven_on_a_robot(run: RunDirectory) -> None:
    ready = prepare(DriveOptions(run.path, backend='ros2_control', unrehearsed=True))
    assert ready.specs[0].executable == 'robot_ros2_control'
    robot = kept(ready.files['robot'])
    assert 'joint_states_topic' in robot
    assert 'ground_friction_min' not in robot
    assert kept(ready.files['policy'])['episode_s'] == 7.0


def test_the_users_parameters_come_last(run: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / 'mine.yaml').write_text('policy: {ros__parameters: {blend_s: 0.75}}')
    ready = prepare(DriveOptions(run.path, params_file=tmp_path / 'mine.yaml'))
    assert kept(ready.files['policy'])['blend_s'] == 0.75
    (tmp_path / 'mine.yaml').write_text('policy: {ros__parameters: {blend: 0.75}}')
    with pytest.raises(ConfigurationError, match="did you mean 'blend_s'"):
        prepare(DriveOptions(run.path, params_file=tmp_path / 'mine.yaml'))


def test_a_run_without_a_policy_cannot_be_driven(run: RunDirectory) -> None:
    run.policy_of('_left').unlink()
    with pytest.raises(RunDirectoryError, match=r'no policy\.onnx'):
        prepare(DriveOptions(run.path))
