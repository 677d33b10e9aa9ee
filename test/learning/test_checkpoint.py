"""Checkpoints: exact, whole or refused."""

from __future__ import annotations

import json
import os
import re
import shutil
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


Change = Callable[[dict[str, Any], dict[str, torch.Tensor]], None]


def _forge(path: Path, change: Change) -> None:
    """Changes a generation and puts all hashes of files right, as whoever attacks would."""
    manifest = json.loads((path / 'manifest.json').read_text())
    tensors = safetensors.torch.load((path / 'state.safetensors').read_bytes())
    change(manifest, tensors)
    blob = safetensors.torch.save(tensors)
    blobs = manifest['blobs']
    for name in blobs if isinstance(blobs, dict) else ():
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


def _names_another_file(manifest: dict[str, Any], _: Any) -> None:
    manifest['blobs'] = {'../../../etc/passwd': {}}


def _is_a_list(manifest: dict[str, Any], _: Any) -> None:
    manifest['blobs'] = ['state.safetensors']


def _is_older(manifest: dict[str, Any], _: Any) -> None:
    manifest['generation'] = 7


def _has_no_numbers(manifest: dict[str, Any], _: Any) -> None:
    del manifest['numbers']


def _has_a_strange_version(manifest: dict[str, Any], _: Any) -> None:
    manifest['version'] = 'three'


def _has_no_format(manifest: dict[str, Any], _: Any) -> None:
    del manifest['format']


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (_names_another_file, 'names other files than state.safetensors'),
        (_is_a_list, 'names other files than state.safetensors'),
        (_is_older, 'holds generation 7, put there under another name'),
        (_has_no_numbers, "holds no learner .*'numbers'"),
        (_has_a_strange_version, 'holds no learner'),
        (_has_no_format, 'is no manifest'),
    ],
)
def test_a_forged_manifest_is_refused(
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


def test_an_older_generation_under_a_newer_name_is_not_taken_for_it(
    make_config: ConfigBuilder, make_step: StepBuilder, tmp_path: Path
) -> None:
    learner = _learner(make_config(), _steps(make_step, 20))
    older, newer = (checkpoint.save(tmp_path, learner, version) for version in (1, 2))
    shutil.rmtree(newer)
    shutil.copytree(older, newer)
    found = checkpoint.read(tmp_path)
    assert found.path == older
    assert 'holds generation 1, put there under another name' in found.passed_over[0]


@pytest.mark.parametrize('name', ['state.safetensors', 'manifest.json', 'SHA256SUMS', ''])
def test_links_are_not_followed(
    make_config: ConfigBuilder, make_step: StepBuilder, tmp_path: Path, name: str
) -> None:
    checkpoints, elsewhere = tmp_path / 'checkpoint', tmp_path / 'elsewhere'
    path = checkpoint.save(checkpoints, _learner(make_config(), _steps(make_step, 20)), version=1)
    link = path / name if name else path
    link.rename(elsewhere)
    link.symlink_to(elsewhere)
    with pytest.raises(CheckpointError, match='link'):
        checkpoint.read(checkpoints)


def test_a_hard_link_to_something_else_is_refused_and_one_to_the_same_is_the_same(
    make_config: ConfigBuilder, make_step: StepBuilder, tmp_path: Path
) -> None:
    path = checkpoint.save(tmp_path, _learner(make_config(), _steps(make_step, 20)), version=1)
    blob, other = path / 'state.safetensors', tmp_path / 'other'
    other.write_bytes(blob.read_bytes())
    blob.unlink()
    blob.hardlink_to(other)
    assert checkpoint.read(tmp_path).path == path
    other.write_bytes(b'swapped')
    with pytest.raises(CheckpointError, match='does not match its SHA-256'):
        checkpoint.read(tmp_path)


def test_a_pipe_in_a_files_place_is_not_waited_for(
    make_config: ConfigBuilder, make_step: StepBuilder, tmp_path: Path
) -> None:
    path = checkpoint.save(tmp_path, _learner(make_config(), _steps(make_step, 20)), version=1)
    (path / 'manifest.json').unlink()
    os.mkfifo(path / 'manifest.json')
    with pytest.raises(CheckpointError, match='is no plain file'):
        checkpoint.read(tmp_path)


def test_an_oversized_manifest_is_not_read_to_its_end(
    make_config: ConfigBuilder, make_step: StepBuilder, tmp_path: Path
) -> None:
    path = checkpoint.save(tmp_path, _learner(make_config(), _steps(make_step, 20)), version=1)
    os.truncate(path / 'manifest.json', 1 << 40)  # a hole of a terabyte
    with pytest.raises(CheckpointError, match='is larger than 1000000 bytes'):
        checkpoint.read(tmp_path)


def test_deeply_nested_text_is_refused(
    make_config: ConfigBuilder, make_step: StepBuilder, tmp_path: Path
) -> None:
    path = checkpoint.save(tmp_path, _learner(make_config(), _steps(make_step, 20)), version=1)
    text = b'[' * 100_000
    (path / 'manifest.json').write_bytes(text)
    (path / 'SHA256SUMS').write_text(f'{sha256(text).hexdigest()}  manifest.json\n')
    with pytest.raises(CheckpointError, match='is no manifest'):
        checkpoint.read(tmp_path)


def test_a_link_left_where_a_generation_is_written_is_taken_away(
    make_config: ConfigBuilder, make_step: StepBuilder, tmp_path: Path
) -> None:
    checkpoints, precious = tmp_path / 'checkpoint', tmp_path / 'precious'
    for folder in (checkpoints, precious):
        folder.mkdir()
    (precious / 'file').touch()
    (checkpoints / 'writing_00000001').symlink_to(precious)
    checkpoint.save(checkpoints, _learner(make_config(), _steps(make_step, 20)), version=1)
    assert (precious / 'file').exists()
    assert checkpoint.read(checkpoints).path.name == 'generation_00000001'
