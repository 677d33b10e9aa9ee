"""Generations on disk: the newest whole one or none, and no byte believed before its hash."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quad_learner.learning import generations
from quad_learner.learning.generations import CheckpointError

FILES = ('state.safetensors', 'manifest.json', 'SHA256SUMS')
BLOB = np.random.default_rng(0).bytes(1000)


def _written(folder: Path, version: int = 1) -> Path:
    return generations.write(folder, {'version': version}, BLOB)


def test_a_generation_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = _written(tmp_path, version=4)
    found = generations.read(tmp_path)
    assert (found.path, found.blob, found.manifest['version']) == (path, BLOB, 4)
    assert found.passed_over == ()


def test_two_generations_are_kept(tmp_path: Path) -> None:
    names = [_written(tmp_path, version).name for version in range(4)]
    assert sorted(path.name for path in tmp_path.iterdir()) == names[-2:]
    assert generations.exist(tmp_path)


def test_what_a_kill_left_half_written_is_not_looked_at(tmp_path: Path) -> None:
    whole = _written(tmp_path)
    half = tmp_path / 'writing_00000002'
    shutil.copytree(whole, half)
    (half / 'state.safetensors').write_bytes(b'half')
    assert generations.read(tmp_path).path == whole
    _written(tmp_path)
    assert not half.exists()


@pytest.mark.parametrize('name', FILES)
def test_every_flipped_bit_is_found_and_the_older_generation_used(
    tmp_path: Path, name: str
) -> None:
    older, newer = _written(tmp_path), _written(tmp_path)
    whole = (newer / name).read_bytes()
    for position in np.random.default_rng(0).integers(0, 8 * len(whole), 40):
        damaged = bytearray(whole)
        damaged[position // 8] ^= 1 << (position % 8)
        (newer / name).write_bytes(damaged)
        found = generations.read(tmp_path)
        assert found.path == older
        assert name in found.passed_over[0] or 'SHA256SUMS' in found.passed_over[0]


@pytest.mark.parametrize('name', FILES)
@pytest.mark.parametrize('damage', ['missing', 'empty', 'cut', 'longer'])
def test_a_damaged_only_generation_is_refused_with_the_way_out(
    tmp_path: Path, name: str, damage: str
) -> None:
    path = _written(tmp_path) / name
    whole = path.read_bytes()
    changed = {'empty': b'', 'cut': whole[:-1], 'longer': whole + b' '}
    if damage == 'missing':
        path.unlink()
    else:
        path.write_bytes(changed[damage])
    with pytest.raises(CheckpointError, match='start anew'):
        generations.read(tmp_path)


def test_an_empty_folder_is_refused_with_the_way_out(tmp_path: Path) -> None:
    assert not generations.exist(tmp_path / 'none')
    with pytest.raises(CheckpointError, match='holds no checkpoint; give the folder'):
        generations.read(tmp_path / 'none')


def test_a_format_from_elsewhere_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = _written(tmp_path)
    manifest = json.loads((path / 'manifest.json').read_text())
    (path / 'manifest.json').write_text(json.dumps({**manifest, 'format': 'other 9'}))
    with pytest.raises(CheckpointError, match='does not match SHA256SUMS'):
        generations.read(tmp_path)


def _put_manifest(path: Path, content: bytes) -> None:
    """Replaces a manifest and puts its hash right, as whoever attacks would."""
    (path / 'manifest.json').write_bytes(content)
    (path / 'SHA256SUMS').write_text(f'{sha256(content).hexdigest()}  manifest.json\n')


def _names_another_file(manifest: dict[str, Any]) -> None:
    manifest['blobs'] = {'../../../etc/passwd': manifest['blobs']['state.safetensors']}


def _is_a_list(manifest: dict[str, Any]) -> None:
    manifest['blobs'] = ['state.safetensors']


def _is_older(manifest: dict[str, Any]) -> None:
    manifest['generation'] = 7


def _has_no_format(manifest: dict[str, Any]) -> None:
    del manifest['format']


def _is_of_another_format(manifest: dict[str, Any]) -> None:
    manifest['format'] = 'other 9'


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (_names_another_file, 'names other files than state.safetensors'),
        (_is_a_list, 'names other files than state.safetensors'),
        (_is_older, 'holds generation 7, put there under another name'),
        (_has_no_format, 'is no manifest'),
        (_is_of_another_format, "is of format 'other 9'.*use the version that wrote it"),
    ],
)
def test_a_forged_manifest_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    path = _written(tmp_path)
    manifest = json.loads((path / 'manifest.json').read_text())
    change(manifest)
    _put_manifest(path, json.dumps(manifest).encode())
    with pytest.raises(CheckpointError, match=words):
        generations.read(tmp_path)


def test_an_older_generation_under_a_newer_name_is_not_taken_for_it(tmp_path: Path) -> None:
    older, newer = _written(tmp_path), _written(tmp_path)
    shutil.rmtree(newer)
    shutil.copytree(older, newer)
    found = generations.read(tmp_path)
    assert found.path == older
    assert 'holds generation 1, put there under another name' in found.passed_over[0]


@pytest.mark.parametrize('name', [*FILES, ''])
def test_links_are_not_followed(tmp_path: Path, name: str) -> None:
    folder, elsewhere = tmp_path / 'checkpoint', tmp_path / 'elsewhere'
    path = _written(folder)
    link = path / name if name else path
    link.rename(elsewhere)
    link.symlink_to(elsewhere)
    with pytest.raises(CheckpointError, match='link'):
        generations.read(folder)


def test_a_hard_link_to_something_else_is_refused_and_one_to_the_same_is_the_same(
    tmp_path: Path,
) -> None:
    path = _written(tmp_path)
    blob, other = path / 'state.safetensors', tmp_path / 'other'
    other.write_bytes(blob.read_bytes())
    blob.unlink()
    blob.hardlink_to(other)
    assert generations.read(tmp_path).path == path
    other.write_bytes(b'swapped')
    with pytest.raises(CheckpointError, match='does not match its SHA-256'):
        generations.read(tmp_path)


def test_a_pipe_in_a_files_place_is_not_waited_for(tmp_path: Path) -> None:
    path = _written(tmp_path)
    (path / 'manifest.json').unlink()
    os.mkfifo(path / 'manifest.json')
    with pytest.raises(CheckpointError, match='is no plain file'):
        generations.read(tmp_path)


def test_an_oversized_manifest_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = _written(tmp_path)
    os.truncate(path / 'manifest.json', 1 << 40)  # a hole of a terabyte
    with pytest.raises(CheckpointError, match='is larger than 1000000 bytes'):
        generations.read(tmp_path)


def test_deeply_nested_text_is_refused(tmp_path: Path) -> None:
    _put_manifest(_written(tmp_path), b'[' * 100_000)
    with pytest.raises(CheckpointError, match='is no manifest'):
        generations.read(tmp_path)


def test_a_link_left_where_a_generation_is_written_is_taken_away(tmp_path: Path) -> None:
    folder, precious = tmp_path / 'checkpoint', tmp_path / 'precious'
    for each in (folder, precious):
        each.mkdir()
    (precious / 'file').touch()
    (folder / 'writing_00000001').symlink_to(precious)
    _written(folder)
    assert (precious / 'file').exists()
    assert generations.read(folder).path.name == 'generation_00000001'
