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


def _put(manifest: dict[str, Any], name: str, value: Any) -> None:
    """Puts `value` where the dots of `name` lead."""
    *groups, last = name.split('.')
    place = manifest['numbers']
    for group in groups:
        place = place[group]
    place[last] = value


def _hashed(path: Path, change: Change) -> None:
    """Changes parts of a generation and puts their hashes right too."""

    def changed(manifest: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
        change(manifest, tensors)
        manifest['components'] = checkpoint._components(tensors, manifest['numbers'])

    _forge(path, changed)


INFINITE, NAN = float('inf'), float('nan')
PCG64 = {'bit_generator': 'PCG64', 'has_uint32': 0, 'uinteger': 0}
WRONG: list[tuple[str, Any]] = [
    *(('updates', value) for value in (INFINITE, -5, 2.0, True, '5', None, 10**400, {}, [])),
    ('last_sequence', 2**32),
    ('skipped', -1),
    ('steps', 0.5),
    ('owed', NAN),
    ('owed', -1.0),
    ('owed', 10**400),
    ('actor_losses.entropy', 'low'),
    ('actor_losses', 7),
    ('incumbent.falls', 5),
    ('incumbent.falls', [0]),
    ('incumbent.known', 1),
    ('incumbent.box', 1e9),
    ('incumbent.given.box', NAN),
    ('incumbent.given.version', -2),
    ('incumbent.before.in_trial', 'no'),
    ('incumbent.margin', NAN),
    ('incumbent.margin', INFINITE),
    ('incumbent.trial_left', -1),
    ('incumbent.unheard_of', 1),
    ('mean_reward.value', NAN),
    ('mean_constraint.count', -1.0),
    ('dual_multiplier.value', NAN),
    ('dual_multiplier.value', -1.0),
    ('dual_temperature.log', 709.0),
    ('dual_box.value', 0.0),
    ('dual_box.value', 1e9),
    ('last_good.bad', -1),
    ('numpy_generator', 7),
    ('numpy_generator', {**PCG64, 'state': {'state': -1, 'inc': 1}}),
    ('numpy_generator', {**PCG64, 'state': {'state': 0, 'inc': 2}}),
    ('numpy_generator', {**PCG64, 'state': {'state': 0.5, 'inc': 1}}),
    ('numpy_generator', {'bit_generator': 'MT19937', 'state': {'key': [0] * 624, 'pos': 0}}),
]


def _all_of(learner: Learner) -> dict[str, str]:
    return checkpoint._components(checkpoint._tensors(learner), checkpoint._numbers(learner))


@pytest.mark.parametrize(('name', 'value'), WRONG)
def test_a_wrong_number_with_all_hashes_right_is_refused_by_name_and_the_older_one_used(
    make_config: ConfigBuilder, make_step: StepBuilder, tmp_path: Path, name: str, value: Any
) -> None:
    saved = _learner(make_config(), _steps(make_step, 20))
    older, newer = (checkpoint.save(tmp_path, saved, version) for version in (1, 2))
    learner = Learner(3, 2, make_config(), 1)
    before = _all_of(learner)
    _hashed(newer, lambda manifest, _: _put(manifest, name, value))
    found = checkpoint.load(tmp_path, learner)
    assert found.path == older
    assert f'{newer}: {name} is ' in found.passed_over[0]
    assert _all_of(learner) == _all_of(saved)

    _hashed(older, lambda manifest, _: _put(manifest, name, value))
    learner = Learner(3, 2, make_config(), 1)
    with pytest.raises(CheckpointError, match=re.escape(name)):
        checkpoint.load(tmp_path, learner)
    assert _all_of(learner) == before


def _spoil(tensor: torch.Tensor, value: float) -> None:
    tensor.reshape(-1)[-1] = value


@pytest.mark.parametrize(
    ('name', 'value', 'words'),
    [
        ('actor.vector', NAN, 'not finite'),
        ('incumbent.given.shift', INFINITE, 'not finite'),
        ('critic_memory.running_variance_1', -1.0, 'below 0'),
        ('critic.step', -1.0, 'below 0'),
        ('normaliser.squares', -1.0, 'below 0'),
        ('incumbent.kept.scale', -1.0, 'below 0'),
    ],
)
def test_a_wrong_tensor_with_all_hashes_right_is_refused_by_name(
    make_config: ConfigBuilder,
    make_step: StepBuilder,
    tmp_path: Path,
    name: str,
    value: float,
    words: str,
) -> None:
    path = checkpoint.save(tmp_path, _learner(make_config(), _steps(make_step, 20)), version=1)
    _hashed(path, lambda _, tensors: _spoil(tensors[name], value))
    with pytest.raises(CheckpointError, match=f'{re.escape(name)} holds a number .*{words}'):
        checkpoint.load(tmp_path, Learner(3, 2, make_config(), 1))


def test_a_state_that_is_no_generators_is_refused(
    make_config: ConfigBuilder, make_step: StepBuilder, tmp_path: Path
) -> None:
    path = checkpoint.save(tmp_path, _learner(make_config(), _steps(make_step, 20)), version=1)
    _hashed(path, lambda _, tensors: tensors['torch_generator'].fill_(255))
    with pytest.raises(CheckpointError, match='torch_generator is not the state of a generator'):
        checkpoint.load(tmp_path, Learner(3, 2, make_config(), 1))


def test_what_fails_while_it_is_taken_up_is_told_as_a_checkpoint_of_no_use(
    make_config: ConfigBuilder,
    make_step: StepBuilder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where a rule is missing: whatever is raised then is no end without words."""
    checkpoint.save(tmp_path, _learner(make_config(), _steps(make_step, 20)), version=1)
    learner = Learner(3, 2, make_config(), 1)

    def overflow(_: Any) -> None:
        raise OverflowError('too large')

    monkeypatch.setattr(learner.incumbent, 'restore', overflow)
    with pytest.raises(CheckpointError, match=r'taken up in part .*too large'):
        checkpoint.load(tmp_path, learner)


def test_what_an_honest_learner_may_have_come_to_is_taken_up(
    make_config: ConfigBuilder, make_step: StepBuilder, tmp_path: Path
) -> None:
    """Losses of an update that was skipped, and an episode with a step that was refused."""
    learner = _learner(make_config(multiplier_law='pid'), _steps(make_step, 20))
    learner.actor_losses = learner.actor_losses._replace(loss=NAN, entropy=-INFINITE)
    learner.ingest(make_step(21, np.random.default_rng(0), reward=NAN, terminated=False))
    assert learner.incumbent.state()['margin'] == -INFINITE
    checkpoint.save(tmp_path, learner, version=1)
    resumed = Learner(3, 2, learner.config, 1)
    assert checkpoint.load(tmp_path, resumed).passed_over == ()
    assert _all_of(resumed) == _all_of(learner)


def test_the_counts_of_bad_updates_go_on(
    make_config: ConfigBuilder, make_step: StepBuilder, tmp_path: Path
) -> None:
    """Two bad updates in a row before the end of the process, the third after it."""
    learner = _learner(make_config(skips_before_rollback=3), _steps(make_step, 20))
    for _ in range(5):
        learner.last_good.bad(learner)
    checkpoint.save(tmp_path, learner, version=1)
    resumed = Learner(3, 2, learner.config, 1)
    checkpoint.load(tmp_path, resumed)
    assert resumed.last_good.state() == {'bad': 2, 'rollbacks': 1}
    resumed.last_good.bad(resumed)
    assert resumed.last_good.rollbacks == 1, 'it has no copy yet'
