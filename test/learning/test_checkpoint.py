"""Checkpoints: exact, whole or refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from quad_learner.experience.steps import Steps
from quad_learner.experience.transition import Transition
from quad_learner.learning import checkpoint
from quad_learner.learning.generations import CheckpointError
from quad_learner.learning.learner import Learner
from quad_learner.learning.learner_config import LearnerConfig

ConfigBuilder = Callable[..., LearnerConfig]
StepBuilder = Callable[..., Transition]


def _steps(make_step: StepBuilder, count: int) -> list[Transition]:
    """Returns steps of which each begins where the last one led, but for the ends of episodes."""
    generator, steps, seen = np.random.default_rng(0), [], np.zeros(3, np.float32)
    for number in range(1, count + 1):
        steps.append(make_step(number, generator, observation=seen, truncated=number % 12 == 0))
        seen = steps[-1].next_observation
    return steps


def _learner(config: LearnerConfig, steps: list[Transition], updates: int = 5) -> Learner:
    learner = Learner(3, 2, config, 0)
    for step in steps:
        learner.ingest(step)
    for _ in range(updates):
        learner.update()
    return learner


@pytest.mark.parametrize('kind', ['crossq', 'layer_norm'])
def test_a_resumed_learner_agrees_bit_for_bit_for_100_updates(
    make_config: ConfigBuilder, make_step: StepBuilder, tmp_path: Path, kind: str
) -> None:
    # The ring wraps (80 steps in 50 places), so that its order matters too.
    config = make_config(critic_kind=kind, dropout=0.1, replay_capacity=50, n_step=2)
    steps = _steps(make_step, 130)
    steps[7] = make_step(8, np.random.default_rng(1), reward=float('nan'))
    learner = _learner(config, steps[:80], updates=31)
    checkpoint.save(tmp_path, learner, version=4)

    resumed = Learner(3, 2, config, seed=99)
    assert checkpoint.load(tmp_path, resumed).manifest['version'] == 4
    resumed.rebuild(Steps.of([s for s in steps if s.sequence <= resumed.last_sequence]))
    for number in range(100):
        if number % 2:
            learner.ingest(steps[80 + number // 2])
            resumed.ingest(steps[80 + number // 2])
        assert learner.update() == resumed.update()
    for name, tensor in learner.learned_tensors().items():
        assert torch.equal(tensor, resumed.learned_tensors()[name]), name
    assert learner.due_updates == resumed.due_updates


def test_two_generations_are_kept(
    make_config: ConfigBuilder, make_step: StepBuilder, tmp_path: Path
) -> None:
    learner = _learner(make_config(), _steps(make_step, 20))
    names = [checkpoint.save(tmp_path, learner, version).name for version in range(4)]
    assert sorted(path.name for path in tmp_path.iterdir()) == names[-2:]
    assert checkpoint.exists(tmp_path)


def test_what_a_kill_left_half_written_is_not_looked_at(
    make_config: ConfigBuilder, make_step: StepBuilder, tmp_path: Path
) -> None:
    learner = _learner(make_config(), _steps(make_step, 20))
    whole = checkpoint.save(tmp_path, learner, version=1)
    half = tmp_path / 'writing_00000002'
    shutil.copytree(whole, half)
    (half / 'state.safetensors').write_bytes(b'half')
    assert checkpoint.read(tmp_path).path == whole
    checkpoint.save(tmp_path, learner, version=2)
    assert not half.exists()


@pytest.mark.parametrize('name', ['state.safetensors', 'manifest.json', 'SHA256SUMS'])
def test_every_flipped_bit_is_found_and_the_older_generation_used(
    make_config: ConfigBuilder, make_step: StepBuilder, tmp_path: Path, name: str
) -> None:
    learner = _learner(make_config(), _steps(make_step, 20))
    older = checkpoint.save(tmp_path, learner, version=1)
    newer = checkpoint.save(tmp_path, learner, version=2)
    whole = (newer / name).read_bytes()
    for position in np.random.default_rng(0).integers(0, 8 * len(whole), 40):
        damaged = bytearray(whole)
        damaged[position // 8] ^= 1 << (position % 8)
        (newer / name).write_bytes(damaged)
        found = checkpoint.read(tmp_path)
        assert found.path == older
        assert name in found.passed_over[0] or 'SHA256SUMS' in found.passed_over[0]


@pytest.mark.parametrize('name', ['state.safetensors', 'manifest.json', 'SHA256SUMS'])
@pytest.mark.parametrize('damage', ['missing', 'empty', 'cut', 'longer'])
def test_a_damaged_only_generation_is_refused_with_its_name(
    make_config: ConfigBuilder, make_step: StepBuilder, tmp_path: Path, name: str, damage: str
) -> None:
    learner = _learner(make_config(), _steps(make_step, 20))
    path = checkpoint.save(tmp_path, learner, version=1) / name
    whole = path.read_bytes()
    changed = {'empty': b'', 'cut': whole[:-1], 'longer': whole + b' '}
    if damage == 'missing':
        path.unlink()
    else:
        path.write_bytes(changed[damage])
    with pytest.raises(CheckpointError, match='start anew'):
        checkpoint.read(tmp_path)


def test_an_empty_folder_is_refused_with_the_way_out(tmp_path: Path) -> None:
    assert not checkpoint.exists(tmp_path / 'none')
    with pytest.raises(CheckpointError, match='holds no checkpoint; give the folder'):
        checkpoint.read(tmp_path / 'none')


@pytest.mark.parametrize(
    ('changes', 'named'),
    [
        ({'critic_width': 8}, 'critic'),
        ({'actor_width': 8}, 'actor'),
        ({'critic_kind': 'layer_norm'}, 'critic'),
    ],
)
def test_other_networks_are_refused_and_leave_the_learner_alone(
    make_config: ConfigBuilder,
    make_step: StepBuilder,
    tmp_path: Path,
    changes: dict[str, object],
    named: str,
) -> None:
    checkpoint.save(tmp_path, _learner(make_config(), _steps(make_step, 20)), version=1)
    other = Learner(3, 2, make_config(**changes), 1)
    before = other.actor_adam.vector.detach().clone()
    with pytest.raises(CheckpointError, match=named):
        checkpoint.load(tmp_path, other)
    assert torch.equal(other.actor_adam.vector, before)
    assert other.updates == 0


def test_a_checkpoint_of_another_robot_is_refused(
    make_config: ConfigBuilder, make_step: StepBuilder, tmp_path: Path
) -> None:
    learner = _learner(make_config(), _steps(make_step, 20))
    checkpoint.save(tmp_path, learner, 1, {'robot': 'a1'})
    checkpoint.load(tmp_path, learner, {'robot': 'a1'})
    with pytest.raises(CheckpointError, match="robot is 'a1' there and 'minitaur' here"):
        checkpoint.load(tmp_path, learner, {'robot': 'minitaur'})


def test_a_format_from_elsewhere_is_refused_before_it_is_parsed(
    make_config: ConfigBuilder, make_step: StepBuilder, tmp_path: Path
) -> None:
    path = checkpoint.save(tmp_path, _learner(make_config(), _steps(make_step, 20)), version=1)
    manifest = json.loads((path / 'manifest.json').read_text())
    forged = json.dumps({**manifest, 'format': 'other 9'})
    (path / 'manifest.json').write_text(forged)
    with pytest.raises(CheckpointError, match='does not match SHA256SUMS'):
        checkpoint.read(tmp_path)


def test_tunables_may_change_from_one_run_to_the_next(
    make_config: ConfigBuilder, make_step: StepBuilder, tmp_path: Path
) -> None:
    checkpoint.save(tmp_path, _learner(make_config(), _steps(make_step, 20)), version=1)
    stricter = Learner(3, 2, make_config(margin_required_rad=0.2), 1)
    checkpoint.load(tmp_path, stricter)
    assert stricter.updates == 5
