"""The command line that the benchmarks share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import trial_cli
from scoring import COLUMNS


def test_results_are_told_on_one_line_and_written_with_their_curves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / 'new' / 'peers.json'
    words = ['--seeds', '3', '--minutes', '2', '--out', str(out)]
    options = trial_cli.parser('What it is.\n\nMore.', Path('x.json'), 'JSON').parse_args(words)
    result = dict.fromkeys(COLUMNS, 1.0) | {'seed': 3, 'problem': '', 'curves': {'end_s': [9.0]}}
    trial_cli.tell('kettle', options, {'one': [result], 'other': [result]})
    asked = {'benchmark': 'kettle', 'seeds': [3], 'minutes': 2.0, 'jobs': 2}
    assert json.loads(out.read_text()) == {**asked, 'results': [result, result]}
    short = {name: value for name, value in result.items() if name != 'curves'}
    said = capsys.readouterr().out.splitlines()
    assert json.loads(said[-1]) == {**asked, 'results': [short, short]}
    assert [text.split(' |')[0] for text in said[2:-1]] == ['| one', '| other']
