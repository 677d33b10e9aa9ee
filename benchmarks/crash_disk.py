"""A disk that dies at the n-th change, and one that forgets what was not synced.

`Shim` takes the place of the functions of `os` that change a disk. It counts their calls, kills
the process at one of them, within it where it writes, or notes them all. From the notes `survivor`
makes what a power cut could leave: of each file that part of its writes, and of each folder that
part of its changes, that the disk happened to have taken, and for sure only what was synced.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

CHANGES = (
    *('open', 'write', 'pwrite', 'ftruncate', 'fsync', 'fdatasync'),
    *('rename', 'replace', 'unlink', 'mkdir', 'rmdir'),
)
"""functions of `os` that count; `open` alone may change nothing"""
WRITES = ('write', 'pwrite')
Note = tuple[Any, ...]


class Shim:
    """Stands between a program and the disk under one folder."""

    def __init__(self, folder: Path, die_at: int = 0, within: bool = False) -> None:
        """Args:
        folder: whose changes are noted.
        die_at: the call, counted from 1, at which the process is killed; 0 for never.
        within: whether to write half of what that call writes first, if it writes.
        """
        self.calls = 0
        self.notes: list[Note] = []
        """what was done, and said by `note`, in order; paths are relative to the folder"""
        self._folder, self._die_at, self._within = os.path.realpath(folder), die_at, within
        self._real = {name: getattr(os, name) for name in CHANGES}
        self._paths: dict[int, str] = {}
        self._sizes: dict[int, int] = {}

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Stands there meanwhile."""
        for name in CHANGES:
            setattr(os, name, self._stand_in(name))
        try:
            yield
        finally:
            for name, real in self._real.items():
                setattr(os, name, real)

    def note(self, *said: Any) -> None:
        """Puts into the notes that something was promised."""
        self.notes.append(('said', *said))

    def _stand_in(self, name: str) -> Callable[..., Any]:
        def called(*given: Any, **named: Any) -> Any:
            self.calls += 1
            if self.calls == self._die_at:
                if self._within and name in WRITES:
                    descriptor, data, *rest = given
                    self._real[name](descriptor, data[: len(data) // 2], *rest)
                os.kill(os.getpid(), signal.SIGKILL)
            result = self._real[name](*given, **named)
            getattr(self, f'_note_{name}', self._note_path)(name, result, given, named)
            return result

        return called

    def _path(self, path: Any, folder: int | None) -> str:
        base = os.path.join(self._folder, self._paths[folder]) if folder is not None else ''
        return os.path.relpath(os.path.join(base, os.fspath(path)), self._folder)

    def _note_open(self, _: str, result: int, given: Any, named: Any) -> None:
        path = self._path(given[0], named.get('dir_fd'))
        self._paths[result], self._sizes[result] = path, 0
        if given[1] & os.O_CREAT:
            self.notes.append(('create', path))
        if given[1] & os.O_TRUNC:
            self.notes.append(('resize', path, 0))

    def _note_write(self, _: str, result: int, given: Any, __: Any) -> None:
        at = self._sizes[given[0]]
        self._sizes[given[0]] = at + result
        self.notes.append(('write', self._paths[given[0]], at, bytes(given[1][:result])))

    def _note_pwrite(self, _: str, result: int, given: Any, __: Any) -> None:
        self.notes.append(('write', self._paths[given[0]], given[2], bytes(given[1][:result])))

    def _note_ftruncate(self, _: str, __: Any, given: Any, ___: Any) -> None:
        self.notes.append(('resize', self._paths[given[0]], given[1]))

    def _note_fsync(self, _: str, __: Any, given: Any, ___: Any) -> None:
        self.notes.append(('sync', self._paths[given[0]]))

    _note_fdatasync = _note_fsync

    def _note_path(self, name: str, _: Any, given: Any, named: Any) -> None:
        if name in ('rename', 'replace'):
            self.notes.append(('rename', *(self._path(path, None) for path in given[:2])))
        else:
            self.notes.append((name, self._path(given[0], named.get('dir_fd'))))


@dataclass
class _File:
    synced: bytes = b''
    since: list[Note] = field(default_factory=list)
    """writes and changes of size since the last sync"""


@dataclass
class _Folder:
    synced: dict[str, Any] = field(default_factory=dict)
    now: dict[str, Any] = field(default_factory=dict)
    since: dict[str, list[Any]] = field(default_factory=dict)
    """by name, all that it stood for since the last sync; None: nothing"""

    def put(self, name: str, what: Any) -> None:
        if what is None:
            self.now.pop(name, None)
        else:
            self.now[name] = what
        self.since.setdefault(name, []).append(what)


def survivor(notes: Sequence[Note], chance: np.random.Generator | None, into: Path) -> None:
    """Makes what a power cut after the last of `notes` leaves of a folder that was empty.

    Args:
        notes: of a `Shim`.
        chance: decides what of all that was not synced is there; None: nothing is.
        into: an empty folder.
    """
    root = _Folder()
    for kind, *rest in notes:
        if kind != 'said':
            _apply(root, kind, rest)
    _make(root, chance, into)


def _at(root: _Folder, path: str) -> Any:
    found: Any = root
    for part in Path(path).parts:
        found = found.now[part]
    return found


def _apply(root: _Folder, kind: str, rest: list[Any]) -> None:
    path = Path(rest[0])
    if kind in ('write', 'resize'):
        _at(root, rest[0]).since.append((kind, *rest[1:]))
    elif kind == 'sync':
        _sync(_at(root, rest[0]))
    elif kind == 'rename':
        source, target = _at(root, str(path.parent)), _at(root, str(Path(rest[1]).parent))
        target.put(Path(rest[1]).name, source.now[path.name])
        source.put(path.name, None)
    elif kind in ('create', 'mkdir'):
        folder = _at(root, str(path.parent))
        if path.name not in folder.now:
            folder.put(path.name, _File() if kind == 'create' else _Folder())
    else:
        _at(root, str(path.parent)).put(path.name, None)


def _sync(what: Any) -> None:
    if isinstance(what, _File):
        what.synced, what.since = _content(what, None, all_of_it=True), []
    else:
        what.synced, what.since = dict(what.now), {}


def _content(file: _File, chance: np.random.Generator | None, all_of_it: bool = False) -> bytes:
    content = bytearray(file.synced)
    for kind, first, *rest in file.since:
        kept = 1.0
        if not all_of_it:
            # A third is lost, a third torn, a third there.
            kept = 0.0 if chance is None else min(max(3.0 * chance.random() - 1.0, 0.0), 1.0)
        if kind == 'resize' and kept > 0.0:
            content = content[:first] + bytes(max(first - len(content), 0))
        elif kind == 'write':
            data = rest[0][: int(kept * len(rest[0]))]
            content += bytes(max(first + len(data) - len(content), 0)) if data else b''
            content[first : first + len(data)] = data
    return bytes(content)


def _make(folder: _Folder, chance: np.random.Generator | None, into: Path) -> None:
    for name in sorted({*folder.synced, *folder.since}):
        could_be = [folder.synced.get(name), *folder.since.get(name, ())]
        found = could_be[0 if chance is None else int(chance.integers(len(could_be)))]
        if isinstance(found, _Folder):
            (into / name).mkdir()
            _make(found, chance, into / name)
        elif found is not None:
            (into / name).write_bytes(_content(found, chance))
