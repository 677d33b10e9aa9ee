"""The learner on disk: never half written, never trusted unread.

A checkpoint folder holds generations. Each is a folder of its own:

    generation_00000007/
      state.safetensors   networks, optimisers, statistics, normaliser, torch's generator
      manifest.json       format, counters, λ, α, numpy's generator, parameters, the above's hash
      SHA256SUMS          hash of the manifest, as `sha256sum -c` reads it

It is written beside, synced, renamed, and the folder synced: a kill or a power cut leaves the old
generation or the new one. Hashes are checked before anything is parsed. The replay is not in it:
it is rebuilt from the experience log up to `last_sequence`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from quad_learner.learning.learner import Learner
from quad_learner.learning.update_metrics import ActorLosses

FORMAT = 'quad_learner checkpoint 3'
"""names the layout above; a change of it changes the number"""
GENERATIONS_KEPT = 2
"""the newest, and one to fall back to"""
MANIFEST_BYTES_MAX = 1_000_000
"""[bytes] a manifest is a few thousand; a larger one is not ours"""

ANYONE: Mapping[str, str] = MappingProxyType({})
"""claims nothing about whose checkpoint it is"""

_PREFIX, _WRITING = 'generation_', 'writing_'
_BLOB, _MANIFEST, _SUMS = 'state.safetensors', 'manifest.json', 'SHA256SUMS'


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message names file, problem and way out."""


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A generation read and verified."""

    path: Path
    manifest: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    passed_over: tuple[str, ...]
    """why newer generations were not used"""


def exists(directory: Path) -> bool:
    """Returns whether `directory` holds any generation, whole or not."""
    return bool(_generations(directory))


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
    directory.mkdir(parents=True, exist_ok=True)
    for leftover in directory.glob(f'{_WRITING}*'):
        shutil.rmtree(leftover)
    found = _generations(directory)
    number = _number(found[0]) + 1 if found else 1
    writing = directory / f'{_WRITING}{number:08d}'
    writing.mkdir()
    blob = safetensors.torch.save(_tensors(learner))
    manifest = json.dumps(_manifest(learner, version, identity, blob), indent=1).encode()
    _write(writing / _BLOB, blob)
    _write(writing / _MANIFEST, manifest)
    _write(writing / _SUMS, _sums(manifest))
    _sync_folder(writing)
    final = directory / f'{_PREFIX}{number:08d}'
    writing.rename(final)
    _sync_folder(directory)
    for old in _generations(directory)[GENERATIONS_KEPT:]:
        shutil.rmtree(old)
    return final


def load(directory: Path, learner: Learner, identity: Mapping[str, str] = ANYONE) -> int:
    """Puts `learner` where the newest whole generation's learner was; returns the model version.

    Afterwards rebuild the replay with every step up to `learner.last_sequence`.

    Args:
        directory: as given to `save`.
        learner: built with the same sizes; tunables that change no size may differ.
        identity: as given to `save`.

    Raises:
        CheckpointError: no generation is whole, or it is of another robot, task or network; the
            learner is unchanged.
    """
    checkpoint = read(directory)
    _resume(learner, checkpoint, identity)
    return int(checkpoint.manifest['version'])


def read(directory: Path) -> Checkpoint:
    """Returns the newest generation that is whole.

    Raises:
        CheckpointError: there is none; the message says what is wrong with each.
    """
    problems: list[str] = []
    for path in _generations(directory):
        try:
            return _read(path, tuple(problems))
        except CheckpointError as error:
            problems.append(str(error))
    if not problems:
        raise CheckpointError(
            f'{directory}: holds no checkpoint; give the folder of a run that saved one, '
            'or start without resuming'
        )
    raise CheckpointError('; '.join(problems))


def _resume(learner: Learner, checkpoint: Checkpoint, identity: Mapping[str, str]) -> None:
    saved = checkpoint.manifest['identity']
    for name in sorted({*saved, *identity}):
        if saved.get(name) != identity.get(name):
            raise CheckpointError(
                f'{checkpoint.path}: {name} is {saved.get(name)!r} there and '
                f'{identity.get(name)!r} here; resume with the same {name} or start anew'
            )
    live = _tensors(learner)
    for name in sorted({*live, *checkpoint.tensors}):
        _compare(name, live.get(name), checkpoint.tensors.get(name), checkpoint.path)
    for name, tensor in learner.learned_tensors().items():
        with torch.no_grad():
            tensor.copy_(checkpoint.tensors[name])
    for name, tensor in learner.incumbent.tensors().items():
        tensor.copy_(checkpoint.tensors[f'incumbent.{name}'])
    learner.torch_generator.set_state(checkpoint.tensors['torch_generator'])
    learner.normaliser.mean = checkpoint.tensors['normaliser.mean'].numpy().copy()
    learner.normaliser.squares = checkpoint.tensors['normaliser.squares'].numpy().copy()
    _restore_numbers(learner, checkpoint.manifest['numbers'])
    learner.refresh_normaliser()


def _tensors(learner: Learner) -> dict[str, Tensor]:
    return {
        **learner.learned_tensors(),
        **{f'incumbent.{name}': part for name, part in learner.incumbent.tensors().items()},
        'normaliser.mean': torch.from_numpy(learner.normaliser.mean),
        'normaliser.squares': torch.from_numpy(learner.normaliser.squares),
        'torch_generator': learner.torch_generator.get_state(),
    }


def _numbers(learner: Learner) -> dict[str, Any]:
    return {
        'updates': learner.updates,
        'skipped': learner.skipped,
        'last_sequence': learner.last_sequence,
        'means': {name: mean.state() for name, mean in learner.running_means().items()},
        'actor_losses': learner.actor_losses._asdict(),
        'steps': learner.pace.steps,
        'owed': learner.pace.owed,
        'observed': learner.normaliser.count,
        'duals': learner.dual_state(),
        'incumbent': learner.incumbent.state(),
        'numpy_generator': learner.numpy_generator.bit_generator.state,
    }


def _restore_numbers(learner: Learner, numbers: Mapping[str, Any]) -> None:
    learner.updates = int(numbers['updates'])
    learner.skipped = int(numbers['skipped'])
    learner.last_sequence = int(numbers['last_sequence'])
    for name, mean in learner.running_means().items():
        mean.restore(numbers['means'][name])
    learner.actor_losses = ActorLosses(**numbers['actor_losses'])
    learner.pace.steps = int(numbers['steps'])
    learner.pace.owed = float(numbers['owed'])
    learner.normaliser.count = int(numbers['observed'])
    learner.restore_duals(numbers['duals'])
    learner.incumbent.restore(numbers['incumbent'])
    learner.numpy_generator.bit_generator.state = numbers['numpy_generator']


def _manifest(
    learner: Learner, version: int, identity: Mapping[str, str], blob: bytes
) -> dict[str, Any]:
    return {
        'format': FORMAT,
        'version': version,
        'identity': dict(identity),
        'sizes': {'observation': learner.observation_size, 'action': learner.action_size},
        'numbers': _numbers(learner),
        'configuration': dataclasses.asdict(learner.config),
        'versions': {'torch': str(torch.__version__), 'numpy': np.__version__},
        'blobs': {_BLOB: {'bytes': len(blob), 'sha256': hashlib.sha256(blob).hexdigest()}},
    }


def _read(path: Path, passed_over: tuple[str, ...]) -> Checkpoint:
    manifest_bytes = _bytes(path / _MANIFEST, MANIFEST_BYTES_MAX)
    if _bytes(path / _SUMS, MANIFEST_BYTES_MAX) != _sums(manifest_bytes):
        raise _damaged(path / _MANIFEST, f'does not match {_SUMS}')
    manifest = json.loads(manifest_bytes)
    if manifest.get('format') != FORMAT:
        raise CheckpointError(
            f'{path / _MANIFEST}: is of format {manifest.get("format")!r}, this version reads '
            f'{FORMAT!r}; use the version that wrote it, or start anew'
        )
    expected = manifest['blobs'][_BLOB]
    blob = _bytes(path / _BLOB, int(expected['bytes']))
    if hashlib.sha256(blob).hexdigest() != expected['sha256']:
        raise _damaged(path / _BLOB, 'does not match its SHA-256 in the manifest')
    return Checkpoint(path, manifest, safetensors.torch.load(blob), passed_over)


def _bytes(path: Path, largest: int) -> bytes:
    try:
        if path.stat().st_size > largest:
            raise _damaged(path, f'is larger than {largest} bytes')
        return path.read_bytes()
    except OSError as error:
        raise _damaged(path, f'cannot be read ({error.strerror})') from error


def _damaged(path: Path, problem: str) -> CheckpointError:
    return CheckpointError(f'{path}: {problem}; resume from a copy, or start anew')


def _compare(name: str, live: Tensor | None, saved: Tensor | None, path: Path) -> None:
    here, there = (
        None if tensor is None else (tuple(tensor.shape), str(tensor.dtype))
        for tensor in (live, saved)
    )
    if here != there:
        raise CheckpointError(
            f'{path}: {name} is {there} there and {here} here: other networks or another task; '
            'resume with the parameters that the run saved, or start anew'
        )


def _sums(manifest: bytes) -> bytes:
    return f'{hashlib.sha256(manifest).hexdigest()}  {_MANIFEST}\n'.encode()


def _generations(directory: Path) -> list[Path]:
    """Newest first; a name that is not ours is not looked at."""
    if not directory.is_dir():
        return []
    ours = [path for path in directory.glob(f'{_PREFIX}*') if _number(path) > 0]
    return sorted(ours, key=_number, reverse=True)


def _number(path: Path) -> int:
    digits = path.name.removeprefix(_PREFIX)
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def _write(path: Path, content: bytes) -> None:
    with path.open('wb') as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
