"""One graph on one domain: a lock that the operating system takes away with the process.

Because it goes with the process however that ends, it also tells others that a process has died,
within milliseconds and without a word from it.
"""

from __future__ import annotations

import fcntl
import os
import struct
import tempfile
from pathlib import Path
from typing import IO

from quad_learner.configuration import ConfigurationError

_FLOCK = struct.Struct('@hhqqi0q')
"""struct flock of Linux: type, whence, start, length, process; zeros lock the whole file"""


def claim(name: str, domain: str, namespace: str) -> IO[str]:
    """Returns a held lock for `name` in this domain and namespace; keep it as long as needed.

    Raises:
        ConfigurationError: another process of this machine holds it.
    """
    lock = _path(name, domain, namespace).open('a+')
    try:
        fcntl.fcntl(lock, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, 0, 0, 0, 0))
    except OSError as error:
        lock.seek(0)
        holder = lock.read().strip() or 'unknown'
        lock.close()
        raise ConfigurationError(
            f'ROS_DOMAIN_ID={domain}, namespace {namespace or "/"}: a {name} node runs already '
            f'(process {holder}); stop it, or start this with another ROS_DOMAIN_ID or namespace'
        ) from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _path(name: str, domain: str, namespace: str) -> Path:
    place = namespace.strip('/').replace('/', '.') or 'root'
    file_name = f'quad_learner-{os.getuid()}-{domain}-{place}-{name}.lock'
    return Path(tempfile.gettempdir()) / file_name


class Lifeline:
    """Watches the claim of another process; costs a system call a look and changes nothing.

    It knows only what it saw: where the other was never there, or is on another machine, it never
    says anything. A frozen process still holds its claim: that is for ages to find.
    """

    def __init__(self, name: str, domain: str, namespace: str) -> None:
        """Stores whose claim is watched."""
        self._path = _path(name, domain, namespace)
        self._file: IO[str] | None = None

    def is_cut(self) -> bool:
        """Returns True once: the claim was held when last looked at, and no longer is."""
        if self._file is None:
            self._take_up()
            return False
        if _is_claimed(self._file):
            return False
        self._file.close()
        self._file = None
        return True

    def close(self) -> None:
        """Looks no more."""
        if self._file is not None:
            self._file.close()
        self._file = None

    def _take_up(self) -> None:
        """Keeps the file open while it is claimed: one put in its place is another's."""
        try:
            file = self._path.open()
        except OSError:
            return
        if _is_claimed(file):
            self._file = file
        else:
            file.close()


def _is_claimed(file: IO[str]) -> bool:
    """Returns whether somebody holds the lock of `file`, without taking it for an instant."""
    asked = _FLOCK.pack(fcntl.F_RDLCK, 0, 0, 0, 0)
    kind: int = _FLOCK.unpack(fcntl.fcntl(file, fcntl.F_OFD_GETLK, asked))[0]
    return kind != fcntl.F_UNLCK
