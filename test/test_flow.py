"""Data flows between the processes of a graph without shared memory, and no further than here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from quad_learner.flow import FLOW_S, Flow, by_network
from quad_learner.learn import node_environment
from quad_learner.reach import reach

ROOT = Path(__file__).resolve().parent.parent
DOMAIN = 80 + os.getpid() % 10
PORTS = range(7400 + 250 * DOMAIN, 7400 + 250 * (DOMAIN + 1))
"""of UDP, that are this domain's (RTPS 2.2, 9.6.1.1)"""
HERE = {'RMW_IMPLEMENTATION': 'rmw_fastrtps_cpp', 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}
APART = """
import ctypes
library, new, private = ctypes.CDLL(None, use_errno=True), 0x20000, 0x44000
if (
    library.unshare(new)
    or library.mount(b'none', b'/', None, private, None)
    or library.mount(b'none', b'/dev/shm', b'tmpfs', 0, None)
):
    raise SystemExit(77)
"""
"""Run by each Python: a /dev/shm of its own, as containers on one network have."""


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Returns that of nodes which nobody else hears."""
    for name in [name for name in os.environ if name.startswith(('ROS_', 'FAST', 'RMW_'))]:
        monkeypatch.delenv(name)
    return {**os.environ, **HERE, 'ROS_DOMAIN_ID': str(DOMAIN), 'PYTHONPATH': str(ROOT)}


@pytest.fixture
def apart(environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """Returns that of nodes which share no memory."""
    (tmp_path / 'sitecustomize.py').write_text(APART)
    environment['PYTHONPATH'] = f'{tmp_path}:{ROOT}'
    tried = subprocess.run([sys.executable, '-c', ''], env=environment, check=False)
    if tried.returncode:
        pytest.skip('this user may not give a process a /dev/shm of its own')
    return environment


def flows(environment: Mapping[str, str]) -> bool:
    flow = Flow(environment)
    flow.begin()
    try:
        return flow.flows()
    finally:
        flow.end()


def bound_to() -> set[str]:
    """Returns the addresses bound to ports of the domain, as the kernel writes them."""
    lines = Path('/proc/net/udp').read_text().splitlines()[1:]
    places = [line.split()[1].split(':') for line in lines]
    return {address for address, port in places if int(port, 16) in PORTS}


def opened(pid: int) -> list[str]:
    """Returns the files that a process has in its memory."""
    lines = Path(f'/proc/{pid}/maps').read_text().splitlines()
    return [line.split(maxsplit=5)[5] for line in lines if len(line.split(maxsplit=5)) == 6]


@pytest.mark.system
def test_who_is_killed_leaves_no_memory_that_others_could_wait_for(
    environment: dict[str, str],
) -> None:
    with Flow(node_environment(environment)) as flow:
        assert flow.flows()
        files = [file for process in flow._processes for file in opened(process.pid)]
        processes = list(flow._processes)
    assert any('libfastrtps' in file for file in files), 'the middleware was looked at'
    assert not [file for file in files if file.startswith('/dev/shm/') and 'fastrtps' in file]
    assert [process.returncode for process in processes] == [-9, -9], 'none is left behind'


@pytest.mark.system
def test_where_memory_is_not_shared_data_flows_all_the_same(apart: dict[str, str]) -> None:
    began = time.monotonic()
    assert flows(node_environment(apart))
    assert time.monotonic() - began < 5.0
    assert reach(node_environment(apart)) == '', 'safety begins'


@pytest.mark.system
def test_data_goes_to_nobody_beyond_this_machine(environment: dict[str, str]) -> None:
    flow = Flow(node_environment(environment))
    flow.begin()
    try:
        assert flow.flows()
        assert bound_to() == {'0100007F'}, '127.0.0.1 alone'
    finally:
        flow.end()


@pytest.mark.system
@pytest.mark.slow
def test_a_run_works_where_memory_is_not_shared(apart: dict[str, str], tmp_path: Path) -> None:
    run = tmp_path / 'run'
    command = [sys.executable, '-m', 'quad_learner.cli', 'learn', '--minutes', '0.02']
    said = subprocess.run(
        [*command, '--run-dir', str(run), '--seed', '3'],
        env=apart,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    # Too short for an episode, and so for a report.
    summary = json.loads((run / 'summary.json').read_text())
    assert summary['robot_time_s'] >= 1.0, said.stdout + said.stderr


def test_who_chose_is_not_overruled() -> None:
    assert set(by_network(HERE)) - set(HERE) == {'FASTRTPS_DEFAULT_PROFILES_FILE'}
    subnet = HERE | {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET'}
    assert by_network(subnet) == {'FASTDDS_BUILTIN_TRANSPORTS': 'UDPv4'}, 'reaches as far'
    secured = {'ROS_SECURITY_ENABLE': 'true', 'ROS_SECURITY_STRATEGY': 'Enforce'}
    for chosen in (
        {'FASTDDS_BUILTIN_TRANSPORTS': 'DEFAULT'},
        {'FASTRTPS_DEFAULT_PROFILES_FILE': 'mine.xml'},
        {'ROS_DISCOVERY_SERVER': '127.0.0.1:11811'},
        {'ROS_LOCALHOST_ONLY': '1'},
        {'RMW_IMPLEMENTATION': 'rmw_cyclonedds_cpp'},
        {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'OFF'},
        secured,
    ):
        assert by_network(HERE | chosen) == {}


def test_a_trial_ends_by_itself_within_five_seconds() -> None:
    assert FLOW_S < 5.0
