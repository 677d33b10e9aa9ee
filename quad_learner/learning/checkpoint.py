"""The learner on disk: what of it is kept, and that all of it comes back.

The manifest holds a hash of every component: each tensor and each number that a learner goes on
from. They are compared with what was read before the learner is touched, and with the learner
itself after: one that resumed in part, with the critics of the run and an actor by chance, is
refused by the name of the part. What a part may be at all is in `soundness`, how it lies on disk
in `generations`. The replay is not in it: it is rebuilt from the experience log up to
`last_sequence`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from quad_learner.learning import generations
from quad_learner.learning.generations import CheckpointError, Generation, damaged
from quad_learner.learning.learner import Learner
from quad_learner.learning.soundness import NUMPY_GENERATOR, TORCH_GENERATOR, objection
from quad_learner.learning.update_metrics import ActorLosses

ANYONE: Mapping[str, str] = MappingProxyType({})
"""claims nothing about whose checkpoint it is"""

_MEANS, _DUALS = 'mean_', 'dual_'
"""begin the names of the running means, and of λ, α and the action box"""
_STRANGE = (
    *(ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError),
    SafetensorError,
)
"""what may be raised where a part is of another kind than a learner's"""


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A learner's state, read and verified."""

    path: Path
    manifest: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    passed_over: tuple[str, ...]
    """why newer generations were not used"""


def exists(directory: Path) -> bool:
    """Returns whether `directory` holds any generation, whole or not."""
    return generations.exist(directory)


def save(
    directory: Path, learner: Learner, version: int, identity: Mapping[str, str] = ANYONE
) -> Path:
    """Writes a new generation and drops all but the newest; returns its folder.

    Args:
        directory: holds the generations; made if there is none.
        learner: whose state is written.
        version: of the newest model that the learner gave away.
        identity: what a resuming run must equal, such as robot and joints.

    Raises:
        OSError: the disk is full, read-only or gone; earlier generations are untouched.
    """
    tensors, numbers = _tensors(learner), _numbers(learner)
    manifest = {
        'version': version,
        'identity': dict(identity),
        'sizes': {'observation': learner.observation_size, 'action': learner.action_size},
        'numbers': numbers,
        'components': _components(tensors, numbers),
        'configuration': dataclasses.asdict(learner.config),
        'versions': {'torch': str(torch.__version__), 'numpy': np.__version__},
    }
    return generations.write(directory, manifest, safetensors.torch.save(tensors))


def load(directory: Path, learner: Learner, identity: Mapping[str, str] = ANYONE) -> Checkpoint:
    """Puts `learner` where the newest whole generation's learner was; returns what was read.

    Afterwards rebuild the replay with every step up to `learner.last_sequence`.

    Args:
        directory: as given to `save`.
        learner: built with the same sizes; tunables that change no size may differ.
        identity: as given to `save`.

    Raises:
        CheckpointError: no generation is whole and sound, or it is of another robot, task or
            network, or lacks a part: the learner is unchanged. Or it was taken up in part, and
            the message says so: the learner is of no use.
    """
    checkpoint = read(directory)
    _refuse_others(learner, checkpoint, identity)
    try:
        _restore_tensors(learner, checkpoint.tensors)
        _restore_numbers(learner, checkpoint.manifest['numbers'])
    except _STRANGE as error:
        raise damaged(checkpoint.path, f'was taken up in part ({error!r})') from error
    learner.refresh_normaliser()
    here = _components(_tensors(learner), _numbers(learner))
    _compare_components(here, checkpoint.manifest['components'], checkpoint.path)
    return checkpoint


def read(directory: Path) -> Checkpoint:
    """Returns the newest generation that is whole, and sound in each of its parts.

    Raises:
        CheckpointError: there is none, or it is none of a learner; the message says what is wrong.
    """
    return generations.read_as(directory, _believed)


def _believed(found: Generation) -> Checkpoint:
    try:
        tensors = safetensors.torch.load(found.blob)
        numbers, components = found.manifest['numbers'], found.manifest['components']
        _compare_components(_components(tensors, numbers), components, found.path)
        version, identity = found.manifest['version'], found.manifest['identity']
        problem = objection(tensors, numbers)
    except (
        SafetensorError,
        LookupError,
        TypeError,
        AttributeError,
        ValueError,
        RuntimeError,
    ) as e:
        if isinstance(e, CheckpointError):
            raise
        raise damaged(found.path, f'holds no learner ({e!r})') from e
    if type(version) is not int or version < 0 or not isinstance(identity, dict):
        raise damaged(found.path, 'holds no learner (version or identity)')
    if problem:
        raise damaged(found.path, problem)
    return Checkpoint(found.path, found.manifest, tensors, found.passed_over)


def _refuse_others(learner: Learner, checkpoint: Checkpoint, identity: Mapping[str, str]) -> None:
    saved = checkpoint.manifest['identity']
    for name in sorted({*saved, *identity}):
        if saved.get(name) != identity.get(name):
            raise CheckpointError(
                f'{checkpoint.path}: {name} is {saved.get(name)!r} there and '
                f'{identity.get(name)!r} here; resume with the same {name} or start anew'
            )
    here = {**_tensors(learner), **_numbers(learner)}
    there = {**checkpoint.tensors, **checkpoint.manifest['numbers']}
    for name in sorted({*here, *there}):
        shapes = _shape(there.get(name)), _shape(here.get(name))
        if shapes[0] != shapes[1]:
            raise CheckpointError(
                f'{checkpoint.path}: {name} is {shapes[0]} there and {shapes[1]} here: other '
                'networks, laws or another task; resume with the parameters that the run saved, '
                'or start anew'
            )


def _shape(part: Any) -> Any:
    """Returns what must be the same of a part for it to be taken up."""
    if isinstance(part, Tensor):
        return tuple(part.shape), str(part.dtype)
    if isinstance(part, dict):
        return {name: _shape(inner) for name, inner in part.items()}
    return None if part is None else 'a text' if isinstance(part, str) else 'a number'


def _components(tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> dict[str, str]:
    """Returns a hash of each part: of a tensor's type, shape and bytes, of a number's JSON."""
    parts = {
        name: f'{tensor.dtype} {tuple(tensor.shape)} '.encode()
        + tensor.detach().contiguous().numpy().tobytes()
        for name, tensor in tensors.items()
    }
    parts |= {name: json.dumps(n, sort_keys=True).encode() for name, n in numbers.items()}
    return {name: hashlib.sha256(part).hexdigest() for name, part in parts.items()}


def _compare_components(here: Mapping[str, str], said: Mapping[str, str], path: Path) -> None:
    wrong = sorted(name for name in {*here, *said} if here.get(name) != said.get(name))
    if wrong:
        raise damaged(path, f'{", ".join(wrong)} is missing or not what the manifest says')


def _tensors(learner: Learner) -> dict[str, Tensor]:
    return {
        **learner.learned_tensors(),
        **{f'incumbent.{name}': part for name, part in learner.incumbent.tensors().items()},
        'normaliser.mean': torch.from_numpy(learner.normaliser.mean),
        'normaliser.squares': torch.from_numpy(learner.normaliser.squares),
        TORCH_GENERATOR: learner.torch_generator.get_state(),
    }


def _restore_tensors(learner: Learner, saved: Mapping[str, Tensor]) -> None:
    kept = {f'incumbent.{name}': part for name, part in learner.incumbent.tensors().items()}
    for name, tensor in kept.items():
        with torch.no_grad():
            tensor.copy_(saved[name])
    learner.restore_learned(saved)
    learner.torch_generator.set_state(saved[TORCH_GENERATOR])
    learner.normaliser.mean = saved['normaliser.mean'].numpy().copy()
    learner.normaliser.squares = saved['normaliser.squares'].numpy().copy()


def _numbers(learner: Learner) -> dict[str, Any]:
    return {
        'updates': learner.updates,
        'skipped': learner.skipped,
        'last_sequence': learner.last_sequence,
        'actor_losses': learner.actor_losses._asdict(),
        'steps': learner.pace.steps,
        'owed': learner.pace.owed,
        'observed': learner.normaliser.count,
        'incumbent': learner.incumbent.state(),
        'last_good': learner.last_good.state(),
        NUMPY_GENERATOR: learner.numpy_generator.bit_generator.state,
        **{f'{_MEANS}{name}': mean.state() for name, mean in learner.running_means().items()},
        **{f'{_DUALS}{name}': state for name, state in learner.dual_state().items()},
    }


def _restore_numbers(learner: Learner, numbers: Mapping[str, Any]) -> None:
    learner.updates = int(numbers['updates'])
    learner.skipped = int(numbers['skipped'])
    learner.last_sequence = int(numbers['last_sequence'])
    learner.actor_losses = ActorLosses(**numbers['actor_losses'])
    learner.pace.steps = int(numbers['steps'])
    learner.pace.owed = float(numbers['owed'])
    learner.normaliser.count = int(numbers['observed'])
    learner.incumbent.restore(numbers['incumbent'])
    learner.last_good.restore(numbers['last_good'])
    learner.numpy_generator.bit_generator.state = numbers[NUMPY_GENERATOR]
    for name, mean in learner.running_means().items():
        mean.restore(numbers[f'{_MEANS}{name}'])
    learner.restore_duals({name: numbers[f'{_DUALS}{name}'] for name in learner.dual_state()})
