"""The gate of planted mistakes is not green where its own tests say nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml
from mutants import EQUIVALENT, TESTS, mutants_of

ROOT = Path(__file__).resolve().parent.parent
MODULE = 'quad_learner.safety.modes'
MAIN = f"""
import sys
import mutants
mutants.TESTS = {{{MODULE!r}: (sys.argv.pop(),)}}
sys.exit(mutants.main())
"""
"""The tool, asked of one module with one file of tests."""
TRIPS = """
from quad_learner.safety.modes import NOT_TRIPS, Mode, Reason, is_trip
{first}
def test_a_tilt_is_a_trip():
    assert is_trip(Mode.SOFT_STOP, Reason.TILT) is True
    assert is_trip(Mode.SOFT_STOP, Reason.RELEASED) is False
    assert is_trip(Mode.ACTIVE, Reason.TILT) is False
"""
EXCITED = 'import os; is_trip(Mode.ACTIVE, Reason.TILT) and os._exit(3)'
"""ends pytest without a verdict where a mode is no condition any more"""
STRICT = 'assert not is_trip(Mode.ACTIVE, Reason.TILT)'
"""fails while it is imported, where a mode is no condition any more"""
BROKEN = 'import nothing_of_that_name'
BLIND = 'is_trip = lambda mode, reasons: mode is Mode.SOFT_STOP and reasons is Reason.TILT'
"""asks the module nothing"""
SPOTTED = 'modes.is_trip: boolean'


def gate(tests: Path, only: str) -> tuple[int, str]:
    """Returns exit code and words of the tool."""
    paths = os.pathsep.join((str(ROOT), str(ROOT / 'test' / 'tools')))
    done = subprocess.run(
        [sys.executable, '-c', MAIN, '--only', only, str(tests)],
        cwd=ROOT,
        env=os.environ | {'PYTHONPATH': paths},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ('first', 'only', 'code', 'words'),
    [
        ('', SPOTTED, 0, "chosen 1, {'killed': 1}"),
        (STRICT, SPOTTED, 0, "chosen 1, {'killed at import': 1}"),
        ('', 'modes.: removed statement: NOT_TRIPS', 0, "chosen 1, {'killed at import': 1}"),
        (EXCITED, SPOTTED, 1, "chosen 1, {'crashed': 1}"),
        (BROKEN, SPOTTED, 1, f'{MODULE}: killed at import as it is'),
        (BLIND, SPOTTED, 1, f'{MODULE}: lives where it answers nothing'),
        ('', 'no such mutant', 1, 'no mutant was chosen'),
    ],
)
def test_only_a_verdict_of_the_tests_is_one(
    tmp_path: Path, first: str, only: str, code: int, words: str
) -> None:
    tests = tmp_path / 'test_trips.py'
    tests.write_text(TRIPS.format(first=first))
    ended, said = gate(tests, only)
    assert (ended, words in said) == (code, True), said


def test_tests_that_are_not_where_they_should_be_are_told(tmp_path: Path) -> None:
    ended, said = gate(tmp_path / 'renamed.py', SPOTTED)
    assert (ended, f'{MODULE}: crashed as it is' in said) == (1, True), said


def test_each_mutant_that_is_excused_can_be_planted() -> None:
    there = Counter(mutant.name for module in TESTS for mutant in mutants_of(module))
    excused = Counter(entry['mutant'] for entry in yaml.safe_load(EQUIVALENT.read_text()))
    assert not excused - there
