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
    data = content.encode() if isinstance(content, str) else content
    beside = path.with_name(f'.{path.name}.{os.getpid()}')
    try:
        with beside.open('wb') as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


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
