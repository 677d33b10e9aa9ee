"""Tests that only compute, in a process beside the others: two cores are then busy to the end.

A test marked `apart` is run by another pytest, which begins when the tests begin. In the process
of the others it comes last, waits for that pytest to end, and passes if it passed there. Where
nothing but such tests was asked for, they run as any others.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence

import pytest

MARK = 'apart'


class Beside:
    """Another pytest, and what became of its tests."""

    def __init__(self, tests: Sequence[str], seed: int) -> None:
        """Begins.

        Args:
            tests: to run there, by their node ids.
            seed: of all that is drawn by chance.
        """
        self.tests = frozenset(tests)
        self._output = tempfile.TemporaryFile('w+')  # noqa: SIM115 (open as long as it is written)
        command = [sys.executable, '-m', 'pytest', '-p', 'no:junitxml', f'--randomly-seed={seed}']
        # In the summary each test has a line of its own, with all of its id.
        command += ['-s', '-rA', *tests]
        self._process = subprocess.Popen(
            command, stdout=self._output, stderr=subprocess.STDOUT, start_new_session=True
        )

    def output(self) -> str:
        """Returns all that it printed, once it has ended."""
        self._process.wait()
        self._output.seek(0)
        return self._output.read()

    def passed(self, test: str) -> bool:
        """Returns whether `test` passed there, once all have ended."""
        return f'PASSED {test}' in self.output().splitlines()

    def stop(self) -> list[str]:
        """Leaves nothing running; returns the lines that tell how much was executed."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        lines = [line for line in self.output().splitlines() if ' executed ' in line]
        self._output.close()
        return lines


class ApartPlugin:
    """What pytest is told to do with the mark."""

    def __init__(self) -> None:
        self._beside: Beside | None = None
        self._counted: list[str] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Begins the other pytest, and puts its tests last here."""
        computing = [item for item in session.items if item.get_closest_marker(MARK)]
        others = [item for item in session.items if not item.get_closest_marker(MARK)]
        if not computing or not others or session.config.option.collectonly:
            return
        session.items[:] = others + computing
        for item in computing:
            item.add_marker(pytest.mark.timeout(0), append=False)
        seed = session.config.getoption('randomly_seed')
        self._beside = Beside([item.nodeid for item in computing], seed)

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        """Takes for a test's result what it came to there, if it was run there."""
        test = pyfuncitem.nodeid
        if self._beside is None or test not in self._beside.tests:
            return None
        if not self._beside.passed(test):
            pytest.fail(self._beside.output(), pytrace=False)
        return True

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Shows what was counted there."""
        for line in self._counted:
            terminalreporter.write_line(line)

    def pytest_sessionfinish(self) -> None:
        """Ends the other pytest with this one, however this one ends."""
        if self._beside is not None:
            self._counted = self._beside.stop()
