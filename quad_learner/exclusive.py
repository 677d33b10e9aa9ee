"""One graph on one domain: a lock that the operating system takes away with the process."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path
from typing import IO

from quad_learner.configuration import ConfigurationError


def claim(name: str, domain: str, namespace: str) -> IO[str]:
    """Returns a held lock for `name` in this domain and namespace; keep it as long as needed.

    Raises:
        ConfigurationError: another process of this machine holds it.
    """
    place = namespace.strip('/').replace('/', '.') or 'root'
    file_name = f'quad_learner-{os.getuid()}-{domain}-{place}-{name}.lock'
    path = Path(tempfile.gettempdir()) / file_name
    lock = path.open('a+')
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
