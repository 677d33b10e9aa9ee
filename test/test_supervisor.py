from __future__ import annotations

import io
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from quad_learner import supervisor as module
from quad_learner.bringup import NodeSpec
from quad_learner.supervisor import Supervisor

# Stand-ins for nodes: the supervisor starts `python -m quad_learner.nodes.<name>`, so a package of
# that name in front of the path is all it takes.
NODES = {
    'lasting': """
        import signal, sys
        signal.signal(signal.SIGINT, lambda *_: (print('goodbye', flush=True), sys.exit(0)))
        print('here', flush=True)
        while True:
            signal.pause()
    """,
    'stubborn': """
        import signal
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print('here', flush=True)
        while True:
            signal.pause()
    """,
    'done': "print('done', flush=True)",
    'typed': "print('heard', input(), flush=True)",
    'asked': 'import sys; print(*sys.argv[1:], flush=True)',
    'broken': "import sys; sys.exit('broken: the flux is out of phase')",
    'refusing': "import sys; sys.stderr.write('quad_learner: no such flux'); sys.exit(2)",
}


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[], Supervisor]]:
    """Returns a function that makes a supervisor of stand-ins; all are stopped at the end."""
    folder = tmp_path / 'quad_learner' / 'nodes'
    folder.mkdir(parents=True)
    for name, code in NODES.items():
        lines = code.strip('\n').split('\n')
        indent = len(lines[0]) - len(lines[0].lstrip())
        (folder / f'{name}.py').write_text('\n'.join(line[indent:] for line in lines))
    (tmp_path / 'logs').mkdir()
    made = []

    def build() -> Supervisor:
        environment = {'PATH': os.environ['PATH'], 'PYTHONPATH': str(tmp_path)}
        made.append(Supervisor(environment, tmp_path / 'logs'))
        return made[-1]

    here = Path.cwd()
    os.chdir(tmp_path)  # `python -m` looks in the working folder first
    yield build
    os.chdir(here)
    for one in made:
        one.stop()


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
    raise AssertionError('it did not come to that')


def said(folder: Path, name: str) -> str:
    path = folder / 'logs' / f'{name}.log'
    return path.read_text() if path.exists() else ''


def spec(name: str, executable: str, **how: Any) -> NodeSpec:
    return NodeSpec(name, executable, (), **how)


def alive(pid: int) -> bool:
    try:
        return ') Z ' not in Path(f'/proc/{pid}/stat').read_text()
    except OSError:
        return False


def test_nodes_run_with_their_log_and_end_in_good_order(
    make: Callable[[], Supervisor], tmp_path: Path
) -> None:
    supervisor = make()
    for name in ('safety', 'robot', 'policy'):
        supervisor.start(spec(name, 'lasting'), [])
    until(lambda: all('here' in said(tmp_path, n) for n in ('safety', 'robot', 'policy')))
    assert supervisor.watch() is None
    pids = supervisor.pids()
    assert set(pids) == {'safety', 'robot', 'policy'}
    assert supervisor.stop() == []
    assert not any(alive(pid) for pid in pids.values())
    assert all('goodbye' in said(tmp_path, name) for name in pids)


def test_a_node_keeps_no_log_in_a_home_that_may_not_be_writable(
    make: Callable[[], Supervisor], tmp_path: Path
) -> None:
    make().start(spec('monitor', 'asked'), ['--params-file', 'mine.yaml'])
    until(lambda: said(tmp_path, 'monitor').endswith('\n'))
    words = said(tmp_path, 'monitor').split()
    assert words == [
        *('--ros-args', '--disable-external-lib-logs', '--enclave', '/quad_learner/monitor'),
        *('--params-file', 'mine.yaml'),
    ]


def test_what_does_not_end_is_killed_within_the_time_and_named(
    make: Callable[[], Supervisor], tmp_path: Path
) -> None:
    supervisor = make()
    supervisor.start(spec('robot', 'lasting'), [])
    supervisor.start(spec('policy', 'stubborn'), [])
    until(lambda: 'here' in said(tmp_path, 'policy') and 'here' in said(tmp_path, 'robot'))
    began = time.monotonic()
    assert supervisor.stop() == ['policy']
    assert time.monotonic() - began < 5.0 + 1.0  # a run ends within five seconds; one for luck


def test_who_has_the_terminal_reads_it_and_prints_there(
    make: Callable[[], Supervisor], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    reader, writer = os.pipe()
    kept = os.dup(0)
    os.dup2(reader, 0)
    supervisor = make()
    try:
        supervisor.start(spec('keyboard', 'typed', has_terminal=True), [])
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        os.close(reader)
    os.write(writer, b'wasd\n')
    # Its end is waited for, not its words: what comes while they are read is lost.
    pid, ended = supervisor.pids()['keyboard'], os.WEXITED | os.WNOWAIT | os.WNOHANG
    until(lambda: os.waitid(os.P_PID, pid, ended))
    assert 'heard wasd' in capfd.readouterr().out
    assert said(tmp_path, 'keyboard') == ''
    os.close(writer)


def test_a_node_that_dies_is_started_again(
    make: Callable[[], Supervisor], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    supervisor = make()
    supervisor.start(spec('policy', 'lasting', respawn=True), [])
    first = supervisor.pids()['policy']
    until(lambda: 'here' in said(tmp_path, 'policy'))
    os.kill(first, signal.SIGKILL)
    until(lambda: supervisor.watch() is None and supervisor.pids()['policy'] != first)
    assert supervisor.restarts == 1
    assert 'the policy node ended with code -9; it is started again' in capsys.readouterr().out
    until(lambda: said(tmp_path, 'policy').count('here') == 2)


def test_a_run_goes_on_where_nobody_reads_what_it_prints(
    make: Callable[[], Supervisor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = make()
    supervisor.start(spec('policy', 'done', respawn=True), [])
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, 'wb', buffering=0) as file:
        gone = io.TextIOWrapper(file, write_through=True)
        monkeypatch.setattr(sys, 'stdout', gone)
        until(lambda: supervisor.watch() is None and supervisor.restarts == 1)


def test_the_monitor_that_is_started_again_prints_where_it_did(
    make: Callable[[], Supervisor], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    supervisor = make()
    supervisor.start(spec('monitor', 'lasting', respawn=True), [])
    until(lambda: 'here' in said(tmp_path, 'monitor'))
    os.kill(supervisor.pids()['monitor'], signal.SIGKILL)
    until(lambda: supervisor.watch() is None and supervisor.restarts == 1)
    until(lambda: said(tmp_path, 'monitor').count('here') == 2)
    assert 'here' not in capfd.readouterr().out


def test_a_robot_that_dies_ends_the_run_with_its_last_words(
    make: Callable[[], Supervisor],
) -> None:
    supervisor = make()
    supervisor.start(spec('robot', 'broken', ends_run=True), [])
    reason = until(supervisor.watch)
    assert 'the robot node ended with code 1' in reason
    assert 'the flux is out of phase' in reason


def test_a_node_that_keeps_dying_ends_the_run(make: Callable[[], Supervisor]) -> None:
    supervisor = make()
    supervisor.start(spec('policy', 'broken', respawn=True), [])
    reason = until(supervisor.watch, 60.0)
    assert 'the policy node ended with code 1' in reason
    assert supervisor.restarts == 5


def test_a_node_that_refuses_its_parameters_is_not_started_again(
    make: Callable[[], Supervisor],
) -> None:
    supervisor = make()
    supervisor.start(spec('policy', 'refusing', respawn=True), [])
    reason = until(supervisor.watch)
    assert 'no such flux' in reason
    assert supervisor.restarts == 0


def test_the_run_is_over_when_the_learner_is_done(make: Callable[[], Supervisor]) -> None:
    supervisor = make()
    supervisor.start(spec('learner', 'done', respawn=True, ends_run=True), [])
    assert until(lambda: [r for r in [supervisor.watch()] if r is not None]) == ['']


def test_the_nodes_die_with_the_supervisor(make: Callable[[], Supervisor], tmp_path: Path) -> None:
    make()
    code = (
        'import os, sys; sys.path.insert(0, sys.argv[2]);'
        'from pathlib import Path;'
        'from quad_learner.supervisor import Supervisor;'
        'from quad_learner.bringup import NodeSpec;'
        's = Supervisor({"PATH": os.environ["PATH"], "PYTHONPATH": sys.argv[1]}, Path("logs"));'
        's.start(NodeSpec("policy", "lasting", ()), []);'
        'print(s.pids()["policy"], flush=True); sys.stdin.read()'
    )
    import subprocess

    root = str(Path(module.__file__).parent.parent)
    (tmp_path / 'elsewhere').mkdir()
    (tmp_path / 'elsewhere' / 'logs').mkdir()
    with subprocess.Popen(
        [sys.executable, '-c', code, str(tmp_path), root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=tmp_path / 'elsewhere',
        text=True,
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        log = tmp_path / 'elsewhere' / 'logs' / 'policy.log'
        until(lambda: 'here' in log.read_text())
        process.kill()
    until(lambda: not alive(pid))
