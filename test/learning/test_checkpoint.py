"""Checkpoints: all of a learner comes back, to the bit, or nothing does, with the reason."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
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


def test_a_damaged_generation_is_passed_over_for_the_older_and_it_is_told_why(
    make_config: ConfigBuilder, make_step: StepBuilder, tmp_path: Path
) -> None:
    learner = _learner(make_config(), _steps(make_step, 20))
    assert not checkpoint.exists(tmp_path)
    older, newer = (checkpoint.save(tmp_path, learner, version) for version in (1, 2))
    assert checkpoint.exists(tmp_path)
    assert checkpoint.read(tmp_path).path == newer
    (newer / 'state.safetensors').write_bytes(b'half')
    found = checkpoint.read(tmp_path)
    assert found.path == older
    assert found.manifest['version'] == 1
    assert 'state.safetensors' in found.passed_over[0]


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


def test_tunables_may_change_from_one_run_to_the_next(
    make_config: ConfigBuilder, make_step: StepBuilder, tmp_path: Path
) -> None:
    checkpoint.save(tmp_path, _learner(make_config(), _steps(make_step, 20)), version=1)
    stricter = Learner(3, 2, make_config(margin_required_rad=0.2), 1)
    checkpoint.load(tmp_path, stricter)
    assert stricter.updates == 5


Change = Callable[[dict[str, Any], dict[str, torch.Tensor]], None]


def _forge(path: Path, change: Change) -> None:
    """Changes a generation and puts all hashes of files right, as whoever attacks would."""
    manifest = json.loads((path / 'manifest.json').read_text())
    tensors = safetensors.torch.load((path / 'state.safetensors').read_bytes())
    change(manifest, tensors)
    blob = safetensors.torch.save(tensors)
    blobs = manifest['blobs']
    for name in blobs:
        blobs[name] = {'bytes': len(blob), 'sha256': sha256(blob).hexdigest()}
    (path / 'state.safetensors').write_bytes(blob)
    text = json.dumps(manifest).encode()
    (path / 'manifest.json').write_bytes(text)
    (path / 'SHA256SUMS').write_text(f'{sha256(text).hexdigest()}  manifest.json\n')


def _parts(make_config: ConfigBuilder, make_step: StepBuilder, tmp_path: Path) -> list[str]:
    learner = _learner(make_config(critic_kind='layer_norm'), _steps(make_step, 20))
    path = checkpoint.save(tmp_path, learner, version=1)
    return list(json.loads((path / 'manifest.json').read_text())['components'])


def test_every_part_is_missed_or_found_changed_by_its_name(
    make_config: ConfigBuilder, make_step: StepBuilder, tmp_path: Path
) -> None:
    names = _parts(make_config, make_step, tmp_path)
    wanted = ('actor.', 'critic.', 'critic_memory.target', 'normaliser.', 'torch_generator')
    wanted += ('dual_multiplier', 'dual_temperature', 'dual_box', 'numpy_generator', 'updates')
    assert all(any(name.startswith(part) for name in names) for part in wanted)
    path = tmp_path / 'generation_00000001'
    whole = {file: file.read_bytes() for file in path.iterdir()}

    for name in names:

        def drop(manifest: dict[str, Any], tensors: dict[str, Any], name: str = name) -> None:
            tensors.pop(name, None)
            manifest['numbers'].pop(name, None)

        def drop_its_hash_too(
            manifest: dict[str, Any], tensors: dict[str, Any], name: str = name
        ) -> None:
            tensors.pop(name, None)
            manifest['numbers'].pop(name, None)
            del manifest['components'][name]

        def spoil(manifest: dict[str, Any], tensors: dict[str, Any], name: str = name) -> None:
            if name in tensors:
                tensors[name].reshape(-1).view(torch.uint8)[0] ^= 1
            else:
                manifest['numbers'][name] = 7

        for change in (drop, drop_its_hash_too, spoil):
            _forge(path, change)
            learner = Learner(3, 2, make_config(critic_kind='layer_norm'), 1)
            before = learner.actor_adam.vector.detach().clone()
            with pytest.raises(CheckpointError, match=re.escape(name)):
                checkpoint.load(tmp_path, learner)
            assert torch.equal(learner.actor_adam.vector, before)
            for file, content in whole.items():
                file.write_bytes(content)


def test_a_learner_that_takes_up_only_a_part_is_found_out(
    make_config: ConfigBuilder,
    make_step: StepBuilder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The known mistake: the critics of the run, and an actor by chance."""
    checkpoint.save(tmp_path, _learner(make_config(), _steps(make_step, 20)), version=1)
    real = checkpoint._restore_tensors

    def without_actor(learner: Learner, saved: dict[str, torch.Tensor]) -> None:
        actor = learner.actor_adam.vector.detach().clone()
        real(learner, saved)
        learner.actor_adam.vector.data.copy_(actor)

    monkeypatch.setattr(checkpoint, '_restore_tensors', without_actor)
    with pytest.raises(CheckpointError, match=r': actor\.vector is missing or not what'):
        checkpoint.load(tmp_path, Learner(3, 2, make_config(), 99))


@pytest.mark.parametrize(
    ('changes', 'named'),
    [
        ({'multiplier_law': 'pid'}, 'dual_multiplier'),
        ({'critic_kind': 'layer_norm'}, 'critic'),
        ({'actor_width': 8}, r'actor\.mean is \(.* there and \(.* here'),
    ],
)
def test_another_law_or_shape_is_refused_with_the_difference(
    make_config: ConfigBuilder,
    make_step: StepBuilder,
    tmp_path: Path,
    changes: dict[str, Any],
    named: str,
) -> None:
    checkpoint.save(tmp_path, _learner(make_config(), _steps(make_step, 20)), version=1)
    with pytest.raises(CheckpointError, match=named):
        checkpoint.load(tmp_path, Learner(3, 2, make_config(**changes), 1))


def test_another_order_of_joints_is_refused(
    make_config: ConfigBuilder, make_step: StepBuilder, tmp_path: Path
) -> None:
    learner = _learner(make_config(), _steps(make_step, 20))
    checkpoint.save(tmp_path, learner, 1, {'joints': 'hip,knee'})
    with pytest.raises(CheckpointError, match="joints is 'hip,knee' there and 'knee,hip' here"):
        checkpoint.load(tmp_path, learner, {'joints': 'knee,hip'})


def _has_no_numbers(manifest: dict[str, Any], _: Any) -> None:
    del manifest['numbers']


def _has_a_strange_version(manifest: dict[str, Any], _: Any) -> None:
    manifest['version'] = 'three'


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (_has_no_numbers, "holds no learner .*'numbers'"),
        (_has_a_strange_version, 'holds no learner'),
    ],
)
def test_a_manifest_of_no_learner_is_refused(
    make_config: ConfigBuilder,
    make_step: StepBuilder,
    tmp_path: Path,
    change: Change,
    words: str,
) -> None:
    path = checkpoint.save(tmp_path, _learner(make_config(), _steps(make_step, 20)), version=1)
    _forge(path, change)
    with pytest.raises(CheckpointError, match=words):
        checkpoint.read(tmp_path)
