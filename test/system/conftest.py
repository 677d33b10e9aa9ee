"""Real graphs: processes that talk over DDS, each in a domain of its own on this machine alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rclpy
import yaml
from rclpy.node import Node

from quad_learner.configuration import ConfigurationError
from quad_learner.exclusive import claim

DOMAINS = range(75, 100)  # above 101 the ports of DDS meet those that Linux gives away
MARK = 'QUAD_LEARNER_TEST'
POLL_S = 0.05
ROOT = Path(__file__).resolve().parent.parent.parent

# Small networks and short episodes: what is tested is how the processes live, not how they learn.
QUICK = {
    'episode_s': 2.0,
    'warmup_steps': 100,
    'updates_per_step': 0.25,
    'eager_updates': 0.0,
    'critic_width': 32,
    'actor_width': 32,
    'batch_size': 32,
    'checkpoint_every': 100,
    'critic_kind': 'crossq',
}


def _descendants(mark: str) -> list[int]:
    """Returns every living process that was started with `mark` in its environment."""
    found = []
    for folder in Path('/proc').iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            marked = f'{MARK}={mark}'.encode() in (folder / 'environ').read_bytes().split(b'\0')
            zombie = ') Z ' in (folder / 'stat').read_text()
        except OSError:
            continue
        if marked and not zombie:
            found.append(int(folder.name))
    return found


class Domain:
    """A domain of ROS that nobody else on this machine uses, and all processes in it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.mark = uuid.uuid4().hex
        self.environment = {
            **os.environ,
            MARK: self.mark,
            'ROS_DOMAIN_ID': str(number),
            'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
            'RMW_IMPLEMENTATION': 'rmw_fastrtps_cpp',
            'OMP_NUM_THREADS': '1',
            'PYTHONUNBUFFERED': '1',
            'PYTHONPATH': os.pathsep.join(filter(None, [str(ROOT), os.environ.get('PYTHONPATH')])),
        }

    def living(self) -> list[int]:
        """Returns the processes of this domain that are alive."""
        return _descendants(self.mark)

    def pid_of(self, node: str) -> int | None:
        """Returns the process of the node called `node`."""
        for pid in self.living():
            try:
                command = Path(f'/proc/{pid}/cmdline').read_bytes()
            except OSError:
                continue
            if f'quad_learner.nodes.{node}\0'.encode() in command:
                return pid
        return None


class Learning:
    """`quad-learner learn` in a process of its own."""

    def __init__(self, domain: Domain, folder: Path, *arguments: str) -> None:
        self.output = folder / f'output-{uuid.uuid4().hex[:6]}.txt'
        with self.output.open('w') as file:
            self.process = subprocess.Popen(
                [sys.executable, '-m', 'quad_learner.cli', 'learn', *arguments],
                env=domain.environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._domain = domain

    @property
    def said(self) -> str:
        """What the process has printed so far."""
        return self.output.read_text()

    def is_up(self) -> bool:
        """Tells that it runs; fails with what it said where it has ended."""
        if self.process.poll() is not None:
            raise AssertionError(f'ended with code {self.process.poll()}:\n{self.said}')
        return True

    def ends(self, seconds: float) -> int:
        """Returns the exit code."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f'still running after {seconds} s:\n{self.said}') from None

    def interrupt(self) -> None:
        """Presses Ctrl-C."""
        self.process.send_signal(signal.SIGINT)


@pytest.fixture(scope='module')
def domain() -> Iterator[Domain]:
    """Returns a free domain; at the end nothing in it may be left alive."""
    lock = None
    for number in DOMAINS:
        try:
            lock = claim('test', str(number), '')
        except ConfigurationError:
            continue
        break
    assert lock is not None, 'every domain is taken'
    taken = Domain(number)
    try:
        yield taken
        left = taken.living()
        assert not left, f'orphans: {left}'
    finally:
        for pid in taken.living():
            os.kill(pid, signal.SIGKILL)
        lock.close()


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with a parameter file for quick runs."""
    path = tmp_path_factory.mktemp('system')
    quick = {'/**': {'ros__parameters': QUICK}}
    (path / 'quick.yaml').write_text(yaml.safe_dump(quick))
    return path


@pytest.fixture(scope='module')
def learn(domain: Domain, folder: Path) -> Iterator[Callable[..., Learning]]:
    """Returns a function that starts `quad-learner learn` with arguments, quick parameters."""
    started: list[Learning] = []

    def start(*arguments: str, quick: bool = True) -> Learning:
        given = ['--params-file', str(folder / 'quick.yaml')] if quick else []
        started.append(Learning(domain, folder, *arguments, *given))
        return started[-1]

    yield start
    for learning in started:
        if learning.process.poll() is None:
            learning.interrupt()
            try:
                learning.process.wait(30.0)
            except subprocess.TimeoutExpired:
                learning.process.kill()


@pytest.fixture(scope='module')
def watcher(domain: Domain) -> Iterator[Node]:
    """Returns a plain rclpy node in the domain; `seen_until` spins it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
        context = rclpy.Context()
        rclpy.init(context=context, domain_id=domain.number)
        node = Node('watcher', context=context)
        yield node
        node.destroy_node()
        context.try_shutdown()


@pytest.fixture(scope='module')
def seen_until(watcher: Node) -> Callable[..., Any]:
    """Returns a function that lets the watcher listen until a condition holds."""
    executor = rclpy.executors.SingleThreadedExecutor(context=watcher.context)
    executor.add_node(watcher)

    def wait(condition: Callable[[], Any], seconds: float, what: Callable[[], str]) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            look = time.monotonic() + POLL_S
            while time.monotonic() < look:
                executor.spin_once(timeout_sec=POLL_S)
            found = condition()
            if found:
                return found
        raise AssertionError(f'within {seconds} s not seen: {what()}')

    return wait
