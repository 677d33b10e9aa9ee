"""Is this machine fit for a run? Each check says what it found and, where it fails, the way out.

What a running graph would show, such as another graph on the same domain, is checked where the
graph is started.
"""

from __future__ import annotations

import ctypes
import getpass
import importlib
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from quad_learner.exclusive import DOMAIN_MAX, is_domain
from quad_learner.flow import TRANSPORTS, Flow
from quad_learner.learn import node_environment
from quad_learner.memory_lock import may_lock_memory
from quad_learner.precedence import may_run_first
from quad_learner.reach import is_secured

PYTHONS = ((3, 10), (3, 11), (3, 12))
"""Versions that the package runs on; the simulator has wheels for the first two alone."""
RMW_DEFAULT = 'rmw_fastrtps_cpp'
PRIORITY = 30
"""The real_time_priority of config/graph.yaml."""
CORES = 2
"""One for the graph, one for the learner."""
MEMORY_BYTES = 2 << 30
"""Some seven processes of about 100 MB each, and the learner with torch and its replay."""
DISK_BYTES = 1 << 30
"""Ten minutes of steps are tens of megabytes: room for many runs and their checkpoints."""


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    name: str
    ok: bool
    what: str
    way_out: str = ''
    """what to do about it; empty where all is well"""
    needed: bool = True
    """False: only a part of the package needs it"""


@dataclass(frozen=True)
class Module:
    """Something to import: its name, the distribution that pip knows, and who needs it."""

    name: str
    distribution: str
    used_by: str
    needed: bool = True


MODULES = (
    Module('rclpy', 'ros-jazzy-rclpy', 'every node'),
    Module('std_msgs', 'ros-jazzy-std-msgs', 'every node'),
    Module('std_srvs', 'ros-jazzy-std-srvs', 'every node'),
    Module('sensor_msgs', 'ros-jazzy-sensor-msgs', 'every node'),
    Module('nav_msgs', 'ros-jazzy-nav-msgs', 'every node'),
    Module('geometry_msgs', 'ros-jazzy-geometry-msgs', 'every node'),
    Module('diagnostic_msgs', 'ros-jazzy-diagnostic-msgs', 'every node'),
    Module('numpy', 'numpy', 'everything'),
    Module('numba', 'numba', 'estimator and learner'),
    Module('yaml', 'PyYAML', 'everything'),
    Module('pinocchio', 'pin', 'the estimator'),
    Module('onnxruntime', 'onnxruntime', 'the policy'),
    Module('onnx', 'onnx', 'the learner'),
    Module('torch', 'torch', 'the learner'),
    Module('safetensors', 'safetensors', 'the learner'),
    Module('mcap', 'mcap', 'the log of steps'),
    Module('matplotlib', 'matplotlib', 'the report'),
    Module('rich', 'rich', 'the screen'),
    Module('pybullet', 'pybullet', 'the simulated robot', needed=False),
    Module('gymnasium', 'gymnasium', 'the Gymnasium environment', needed=False),
    Module('cma', 'cma', 'quad-learner find-get-up', needed=False),
)


def examine(environment: Mapping[str, str], runs: Path) -> list[Finding]:
    """Returns what each check of this machine found, in the order to read it.

    Args:
        environment: environment variables, such as `os.environ`.
        runs: folder that is to hold the runs; it need not exist.
    """
    return [
        check_python(sys.version_info[:2]),
        *(check_module(module) for module in MODULES),
        check_middleware(environment),
        check_domain(environment),
        check_flow(environment),
        check_cores(len(os.sched_getaffinity(0))),
        check_priority(may_run_first(PRIORITY)),
        check_lock(may_lock_memory()),
        check_memory(Path('/proc/meminfo')),
        check_disk(runs),
    ]


def fit(findings: list[Finding]) -> bool:
    """Returns whether everything that is needed is there."""
    return all(finding.ok for finding in findings if finding.needed)


def check_python(version: tuple[int, int]) -> Finding:
    """Returns whether the package runs on this version (major, minor) of Python."""
    what = '.'.join(map(str, version))
    known = ', '.join('.'.join(map(str, python)) for python in PYTHONS)
    return _finding('Python', version in PYTHONS, what, f'use one of Python {known}')


def check_module(
    module: Module, load: Callable[[str], object] = importlib.import_module
) -> Finding:
    """Returns whether `module` can be imported, and its version.

    Args:
        module: what to import.
        load: imports a module by name; raises when it cannot.
    """
    name = f'module {module.name}'
    way_out = (
        f'pip install {module.distribution} (or make venv, which installs all that is pinned); '
        f'{module.used_by} needs it'
    )
    try:
        load(module.name)
    except ImportError as error:
        return Finding(name, False, f'cannot be imported: {error}', way_out, module.needed)
    return Finding(name, True, _version(module), needed=module.needed)


def check_middleware(
    environment: Mapping[str, str], load: Callable[[str], object] | None = None
) -> Finding:
    """Returns whether the ROS middleware that is asked for is installed.

    Args:
        environment: environment variables; RMW_IMPLEMENTATION names the middleware.
        load: loads the middleware's library by name, and raises when it cannot.
    """
    wanted = environment.get('RMW_IMPLEMENTATION') or RMW_DEFAULT
    way_out = (
        f'pip install ros-jazzy-{wanted.replace("_", "-")}, or unset RMW_IMPLEMENTATION '
        f'to use {RMW_DEFAULT}'
    )
    try:
        (load or _load_middleware)(wanted)
    except (ImportError, OSError, LookupError) as error:
        return Finding('middleware', False, f'{wanted} cannot be loaded: {error}', way_out)
    return Finding('middleware', True, wanted)


def check_domain(environment: Mapping[str, str]) -> Finding:
    """Returns whether ROS_DOMAIN_ID, where it is set, is a domain."""
    text = environment.get('ROS_DOMAIN_ID') or '0'
    return _finding(
        'ROS domain',
        is_domain(text),
        text,
        f'set ROS_DOMAIN_ID to a whole number from 0 to {DOMAIN_MAX}',
    )


def check_flow(
    environment: Mapping[str, str], flow: Callable[[Mapping[str, str]], Flow] = Flow
) -> Finding:
    """Returns whether data flows between two processes, as between the nodes of a run.

    Args:
        environment: environment variables, to which those of a run are added.
        flow: tries it.
    """
    way_out = (
        'let UDP pass on the ports 7400 and up of 127.0.0.1; or, where a variable such as '
        f'{TRANSPORTS} or a profile of Fast DDS has chosen another way, unset it'
    )
    nodes = node_environment(environment)
    if is_secured(nodes):
        return Finding('data flow', True, 'not tried: it takes a certificate', needed=False)
    with flow(nodes) as tried:
        well = tried.flows()
    return _finding('data flow', well, 'flows' if well else 'nothing arrives', way_out)


def check_cores(count: int) -> Finding:
    """Returns whether `count` processor cores are enough."""
    way_out = f'give it {CORES} cores; with fewer a simulated run only takes longer'
    return _finding('processor cores', count >= CORES, str(count), way_out, needed=False)


def check_priority(allowed: bool) -> Finding:
    """Returns whether what controls a robot may run before everything else."""
    way_out = (
        f'give the user at least that much: a line "{getpass.getuser()} - rtprio {PRIORITY}" in '
        '/etc/security/limits.conf and a new login, or the container --ulimit '
        f'rtprio={PRIORITY}; without it a busy machine delays what controls the robot'
    )
    what = f'{PRIORITY}' if allowed else f'{PRIORITY} is not allowed'
    return _finding('real-time priority', allowed, what, way_out, needed=False)


def check_lock(allowed: bool) -> Finding:
    """Returns whether what controls a robot may keep its code in memory."""
    way_out = (
        f'lift the bound: a line "{getpass.getuser()} - memlock unlimited" in '
        '/etc/security/limits.conf and a new login, or the container --ulimit memlock=-1; '
        'without it a machine short of memory makes what controls the robot wait for its disk'
    )
    what = 'allowed' if allowed else 'not allowed'
    return _finding('locked memory', allowed, what, way_out, needed=False)


def check_memory(meminfo: Path) -> Finding:
    """Returns whether enough memory is free, as told by a file in the form of /proc/meminfo."""
    way_out = f'close other programs until {_size(MEMORY_BYTES)} are free'
    try:
        lines = dict(line.split(':', 1) for line in meminfo.read_text().splitlines())
        free = int(lines['MemAvailable'].split()[0]) * 1024
    except (OSError, ValueError, KeyError):
        return Finding('memory', False, f'{meminfo} does not tell', way_out, needed=False)
    return _finding('memory', free >= MEMORY_BYTES, f'{_size(free)} free', way_out, needed=False)


def check_disk(runs: Path) -> Finding:
    """Returns whether runs can be kept in `runs`."""
    folder = next(path for path in (runs.absolute(), *runs.absolute().parents) if path.exists())
    way_out = 'choose another folder for the runs, or make room'
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        return Finding('disk', False, f'{folder} is no folder that can be written to', way_out)
    free = shutil.disk_usage(folder).free
    return _finding('disk', free >= DISK_BYTES, f'{_size(free)} free for {runs}', way_out)


def _finding(name: str, ok: bool, what: str, way_out: str, needed: bool = True) -> Finding:
    return Finding(name, ok, what, '' if ok else way_out, needed)


def _version(module: Module) -> str:
    try:
        return metadata.version(module.distribution)
    except metadata.PackageNotFoundError:
        return "installed, not by pip: the distribution's own"


def _load_middleware(name: str) -> None:
    """Loads the library of the middleware as rclpy will, by name and before it is needed."""
    importlib.import_module('rclpy')  # its wheels set the library path when they are imported
    ctypes.CDLL(f'lib{name}.so')


def _size(count: int) -> str:
    return f'{count / (1 << 30):.1f} GiB' if count >= 1 << 30 else f'{count >> 20} MiB'
