"""One graph on one domain, and one in a run's folder: locks that go with the process.

The operating system takes them away however the process ends, so that they also tell others that
a process has died, without a word from it. It takes down a process's memory before it lets go of
its files, which takes tens of milliseconds where that memory is locked; who watches sees the first
already.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import tempfile
from pathlib import Path
from typing import IO

from quad_learner.configuration import ConfigurationError

_FLOCK = struct.Struct('@hhqqi0q')
"""struct flock of Linux: type, whence, start, length, process; zeros lock the whole file"""

_HELD = (errno.EACCES, errno.EAGAIN)
"""what fcntl(2) answers where another holds the lock"""
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""what a file system answers that keeps no locks, such as NFS without its lock service or some of
FUSE: a run there is worth more than the refusal of a second one"""
DOMAIN_MAX = 232
"""Largest ROS domain: beyond it the ports of DDS overflow."""


def is_domain(text: str) -> bool:
    """Returns whether `text` is the number of a ROS domain."""
    return text.isdecimal() and int(text) <= DOMAIN_MAX


def claim(name: str, domain: str, namespace: str) -> IO[str]:
    """Returns a held lock for `name` in this domain and namespace; keep it as long as needed.

    Raises:
        ConfigurationError: another process of this machine holds it, there is no such domain, or
            the folder of the locks can keep none.
    """
    if not is_domain(domain):
        raise ConfigurationError(
            f'ROS_DOMAIN_ID={domain} must be a whole number from 0 to {DOMAIN_MAX}'
        )
    path = _path(name, domain, namespace)
    try:
        lock = path.open('a+')
    except OSError as error:
        raise _unlockable(path, error) from error
    try:
        fcntl.fcntl(lock, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, 0, 0, 0, 0))
    except OSError as error:
        lock.seek(0)
        holder = lock.read().strip() or 'unknown'
        lock.close()
        if error.errno not in _HELD:
            raise _unlockable(path, error) from error
        raise ConfigurationError(
            f'ROS_DOMAIN_ID={domain}, namespace {namespace or "/"}: a {name} node runs already '
            f'(process {holder}); stop it, or start this with another ROS_DOMAIN_ID or namespace'
        ) from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def claim_run(run: Path, mark: Path) -> IO[bytes]:
    """Returns a held lock for a run's folder; keep it as long as something is written there.

    Domains say nothing of folders: two graphs in two domains would write into one run. Where the
    file system keeps no locks, nobody is refused.

    Args:
        run: the folder, for whoever is refused.
        mark: a file in it that is there as long as the run; nothing in it is changed.

    Raises:
        ConfigurationError: another process of this machine holds it.
        OSError: the file cannot be opened for reading and writing, or not be locked.
    """
    lock = mark.open('rb+')  # NFS refuses to lock for one alone what was not opened for writing
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise ConfigurationError(
            f'{run} is being learned in by another process; stop that one first, or go on with '
            'another run'
        ) from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            lock.close()
            raise
    return lock


def _unlockable(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f'{path} cannot be locked ({error.strerror}), and without that two graphs could drive one '
        'robot; let TMPDIR name a folder of this machine that can be written to'
    )


def _path(name: str, domain: str, namespace: str) -> Path:
    place = namespace.strip('/').replace('/', '.') or 'root'
    file_name = f'quad_learner-{os.getuid()}-{domain}-{place}-{name}.lock'
    return Path(tempfile.gettempdir()) / file_name


class Lifeline:
    """Watches the claim of another process; costs two system calls a look and changes nothing.

    It knows only what it saw: where the other was never there, or is on another machine, it never
    says anything. A frozen process still holds its claim: that is for ages to find.
    """

    def __init__(self, name: str, domain: str, namespace: str) -> None:
        """Stores whose claim is watched."""
        self._path = _path(name, domain, namespace)
        self._file: IO[str] | None = None
        self._memory: IO[bytes] | None = None
        """what the system tells of the holder's memory; None where it cannot be told who holds"""

    def is_cut(self) -> bool:
        """Returns True once: the claim was held when last looked at, and its holder is gone."""
        if self._file is None:
            self._take_up()
            return False
        if self._memory is None:
            self._memory = _memory_of_holder(self._file)
        if _is_claimed(self._file) and not _is_taken_down(self._memory):
            return False
        self.close()
        return True

    def close(self) -> None:
        """Looks no more."""
        for opened in (self._file, self._memory):
            if opened is not None:
                opened.close()
        self._file = self._memory = None

    def _take_up(self) -> None:
        """Keeps the file open while it is claimed: one put in its place is another's."""
        try:
            self._file = self._path.open()
        except OSError:
            return
        self._memory = _memory_of_holder(self._file)
        if not _is_claimed(self._file) or _is_taken_down(self._memory):
            self.close()


def _is_claimed(file: IO[str]) -> bool:
    """Returns whether somebody holds the lock of `file`, without taking it for an instant."""
    asked = _FLOCK.pack(fcntl.F_RDLCK, 0, 0, 0, 0)
    kind: int = _FLOCK.unpack(fcntl.fcntl(file, fcntl.F_OFD_GETLK, asked))[0]
    return kind != fcntl.F_UNLCK


def _memory_of_holder(file: IO[str]) -> IO[bytes] | None:
    """Returns /proc/PID/statm of the process that wrote its number into `file`, if it has it open.

    A number alone may be another's: that of a process in another container.
    """
    try:
        file.seek(0)
        process = Path('/proc', str(int(file.read())))
        own = os.fstat(file.fileno())
        if any(os.path.samestat(each.stat(), own) for each in (process / 'fd').iterdir()):
            return (process / 'statm').open('rb', buffering=0)
    except (OSError, ValueError):
        return None
    return None


def _is_taken_down(memory: IO[bytes] | None) -> bool:
    """Returns whether the process of `memory`, a file statm, has none left: it has ended."""
    if memory is None:
        return False
    try:
        return os.pread(memory.fileno(), 2, 0) == b'0 '
    except ProcessLookupError:
        return True
