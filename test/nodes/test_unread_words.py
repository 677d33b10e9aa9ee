"""A real safety process under a flood of words that nobody reads: its commands go on coming."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from quad_learner import bringup
from quad_learner.learn import node_environment
from quad_learner.ros import topics
from quad_learner.supervisor import Supervisor

DOMAIN = 70 + os.getpid() % 10
SPEC = next(spec for spec in bringup.nodes('sim') if spec.name == 'safety')
COMMANDS = 100
PATIENCE_S = 40.0
PIPE_BYTES = 4096
"""so little that what is told of a start fills it"""
PERIOD_S = 0.0375
"""[s] silent sensors are looked for each 12.5 ms, and answered after more than two periods"""


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """Returns arguments with which safety runs in real time and tells all that it does."""
    values = bringup.parameters([SPEC], {'gear': 'real_time'}, None)
    file = bringup.write_parameters(values, tmp_path)['safety']
    return ['--params-file', str(file), '--log-level', 'debug']


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """Returns that of the process: nobody beyond this machine and no other test hears it."""
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    monkeypatch.setenv('ROS_DOMAIN_ID', str(DOMAIN))
    monkeypatch.setenv('ROS_LOG_DIR', str(tmp_path / 'ros'))
    return node_environment()


def gaps() -> list[float]:
    """Returns the times [s] between COMMANDS commands of safety, as they are heard."""
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=DOMAIN)
    listener, heard = Node('listener', context=context), list[float]()
    topics.JOINT_COMMAND.subscribe(listener, lambda _: heard.append(time.monotonic()), raw=True)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(listener)
    deadline = time.monotonic() + PATIENCE_S
    while len(heard) <= COMMANDS and time.monotonic() < deadline:
        executor.spin_once(timeout_sec=0.1)
    executor.shutdown()
    listener.destroy_node()
    context.try_shutdown()
    assert len(heard) > COMMANDS, f'{len(heard)} commands, then silence'
    return [after - before for before, after in itertools.pairwise(heard)]


def fill(writer: int) -> None:
    """Writes to a pipe until no more fits."""
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b'.' * 4096)
    os.set_blocking(writer, True)


@pytest.fixture
def full_pipe() -> Iterator[int]:
    """Returns the end for writing of a full pipe, which nobody reads."""
    reader, writer = os.pipe()
    fill(writer)
    yield writer
    os.close(writer)
    os.close(reader)


@pytest.mark.system
def test_commands_go_on_where_nobody_reads(
    arguments: list[str], environment: dict[str, str], full_pipe: int, tmp_path: Path
) -> None:
    command = [sys.executable, '-m', 'quad_learner.nodes.safety', '--ros-args', *arguments]
    with subprocess.Popen(command, env=environment, stdout=full_pipe, stderr=full_pipe) as process:
        try:
            times = gaps()
        finally:
            process.kill()
    assert statistics.median(times) < 2.0 * PERIOD_S
    assert not list(tmp_path.glob(f'ros/*_{process.pid}_*')), 'no file of its own'


@pytest.mark.system
def test_commands_go_on_where_the_disk_of_the_logs_stalls(
    arguments: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / 'safety.log'
    os.mkfifo(log)  # to write to it takes for ever: a stalled disk
    end = os.open(log, os.O_RDWR)
    fill(end)
    supervisor = Supervisor(environment, tmp_path)
    supervisor.start(SPEC, arguments)
    keeper = supervisor._children['safety'].keeper
    fcntl.fcntl(keeper._reader, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    try:
        times = gaps()
        held = keeper.is_alive()
    finally:
        began = time.monotonic()
        killed = supervisor.stop()
        ended_s = time.monotonic() - began
        os.set_blocking(end, False)
        while keeper.is_alive():
            with contextlib.suppress(BlockingIOError):
                os.read(end, 1 << 16)
        os.close(end)
    assert held
    assert statistics.median(times) < 2.0 * PERIOD_S
    assert not killed
    assert ended_s < 5.0, 'a run ends within five seconds'
