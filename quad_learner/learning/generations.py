"""A folder of generations: states on disk that are never half written, never trusted unread.

Each generation is a folder of its own:

    generation_00000007/
      state.safetensors   the tensors
      manifest.json       format, number, everything else, size and hash of the above
      SHA256SUMS          hash of the manifest, as `sha256sum -c` reads it

It is written beside, synced, renamed, and the folder synced: a kill or a power cut leaves the old
generation or the new one. Hashes are checked before anything is parsed, and what is parsed are the
very bytes that were hashed. Nothing that a file says names another file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from quad_learner.experience.durable import sync_directory, write_synced

FORMAT = 'quad_learner checkpoint 5'
"""names the layout above and what `checkpoint` puts there; a change of it changes the number"""
GENERATIONS_KEPT = 2
"""the newest, and one to fall back to"""
MANIFEST_BYTES_MAX = 1_000_000
"""[bytes] a manifest is a few thousand; a larger one is not ours"""
BLOB_BYTES_MAX = 1 << 28
"""[bytes] a hundred times the shipped networks with their optimisers; a larger one is not ours"""

_PREFIX, _WRITING = 'generation_', 'writing_'
_BLOB, _MANIFEST, _SUMS = 'state.safetensors', 'manifest.json', 'SHA256SUMS'


Content = TypeVar('Content')


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message names file, problem and way out."""


@dataclasses.dataclass(frozen=True)
class Generation:
    """A generation read and verified."""

    path: Path
    manifest: Mapping[str, Any]
    blob: bytes
    passed_over: tuple[str, ...]
    """why newer generations were not used"""


def exist(directory: Path) -> bool:
    """Returns whether `directory` holds any generation, whole or not."""
    return bool(_generations(directory))


def write(directory: Path, content: Mapping[str, Any], blob: bytes) -> Path:
    """Writes a new generation and drops all but the newest; returns its folder.

    Args:
        directory: holds the generations; made if there is none.
        content: of the manifest, beside what all manifests say.
        blob: content of the other file.

    Raises:
        OSError: the disk is full, read-only or gone; earlier generations are untouched.
    """
    if not directory.is_dir():
        os.makedirs(directory)
        sync_directory(directory.parent)
    for leftover in directory.glob(f'{_WRITING}*'):
        _remove(leftover)
    found = _generations(directory)
    number = _number(found[0]) + 1 if found else 1
    size_and_hash = {'bytes': len(blob), 'sha256': hashlib.sha256(blob).hexdigest()}
    own = {'format': FORMAT, 'generation': number, 'blobs': {_BLOB: size_and_hash}}
    manifest = json.dumps({**content, **own}, indent=1).encode()
    writing = directory / f'{_WRITING}{number:08d}'
    os.mkdir(writing)
    write_synced(writing / _BLOB, blob)
    write_synced(writing / _MANIFEST, manifest)
    write_synced(writing / _SUMS, _sums(manifest))
    sync_directory(writing)
    final = directory / f'{_PREFIX}{number:08d}'
    os.rename(writing, final)
    sync_directory(directory)
    for old in _generations(directory)[GENERATIONS_KEPT:]:
        _remove(old)
    return final


def read(directory: Path) -> Generation:
    """Returns the newest generation that is whole.

    Raises:
        CheckpointError: there is none; the message says what is wrong with each.
    """
    return read_as(directory, lambda found: found)


def read_as(directory: Path, believed: Callable[[Generation], Content]) -> Content:
    """Returns what `believed` makes of the newest generation that is whole and that it takes.

    Args:
        directory: as given to `write`.
        believed: raises CheckpointError for one that it does not take.

    Raises:
        CheckpointError: there is none; the message says what is wrong with each.
    """
    problems: list[str] = []
    for path in _generations(directory):
        try:
            return believed(_read(path, tuple(problems)))
        except CheckpointError as error:
            problems.append(str(error))
    if not problems:
        raise CheckpointError(
            f'{directory}: holds no checkpoint; give the folder of a run that saved one, '
            'or start without resuming'
        )
    raise CheckpointError('; '.join(problems))


def damaged(path: Path, problem: str) -> CheckpointError:
    """Returns the error that says what is wrong with the file at `path`."""
    return CheckpointError(f'{path}: {problem}; resume from a copy, or start anew')


def _read(path: Path, passed_over: tuple[str, ...]) -> Generation:
    if path.is_symlink():
        raise damaged(path, 'is a link, and links are not followed')
    manifest_bytes = _bytes(path / _MANIFEST, MANIFEST_BYTES_MAX)
    if _bytes(path / _SUMS, MANIFEST_BYTES_MAX) != _sums(manifest_bytes):
        raise damaged(path / _MANIFEST, f'does not match {_SUMS}')
    try:
        manifest = json.loads(manifest_bytes)
        said = (manifest['format'], manifest['generation'], manifest['blobs'])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise damaged(path / _MANIFEST, f'is no manifest ({error!r})') from error
    form, number, blobs = said
    if form != FORMAT:
        raise CheckpointError(
            f'{path / _MANIFEST}: is of format {form!r}, this version reads '
            f'{FORMAT!r}; use the version that wrote it, or start anew'
        )
    if number != _number(path):
        raise damaged(path, f'holds generation {number}, put there under another name')
    return Generation(path, manifest, _blob(path, blobs), passed_over)


def _blob(path: Path, blobs: Any) -> bytes:
    if not isinstance(blobs, dict) or set(blobs) != {_BLOB}:
        raise damaged(path / _MANIFEST, f'names other files than {_BLOB}')
    blob = _bytes(path / _BLOB, BLOB_BYTES_MAX)
    expected = {'bytes': len(blob), 'sha256': hashlib.sha256(blob).hexdigest()}
    if blobs[_BLOB] != expected:
        raise damaged(path / _BLOB, 'does not match its SHA-256 in the manifest')
    return blob


def _bytes(path: Path, largest: int) -> bytes:
    """Returns what a plain file holds; a link is not followed, a pipe not waited for."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with open(path, 'rb', opener=lambda name, _: os.open(name, flags)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise damaged(path, 'is no plain file')
            content: bytes = file.read(largest + 1)
    except OSError as error:
        raise damaged(path, f'cannot be read ({error.strerror})') from error
    if len(content) > largest:
        raise damaged(path, f'is larger than {largest} bytes')
    return content


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


def _remove(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        os.unlink(path)
    else:
        shutil.rmtree(path)
