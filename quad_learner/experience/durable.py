"""Files that are whole or absent, whatever happens while they are written."""

from __future__ import annotations

import os
from pathlib import Path


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replaces the file at `path`: a reader, or a crash at any moment, meets the old or the new.

    Args:
        path: file to write; its folder must exist.
        content: all of it; text is written as UTF-8.

    Raises:
        OSError: it cannot be written; the old file is untouched.
    """
    beside = path.with_name(f'.{path.name}.{os.getpid()}')
    try:
        write_synced(beside, content.encode() if isinstance(content, str) else content)
        os.replace(beside, path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def write_synced(path: Path, content: bytes) -> None:
    """Writes a file and returns once its content is on the disk; for its name, sync its folder.

    Args:
        path: a plain file there is written over; a link is not followed.
        content: all of it.

    Raises:
        OSError: it cannot be written; it may be there in part.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o644)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(directory: Path) -> None:
    """Returns once the names in `directory` are on the disk: a new file's name is lost without it.

    Raises:
        OSError: the folder is missing or the disk fails.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
