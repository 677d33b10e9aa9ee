from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import pytest
import yaml

from quad_learner import parameter_table
from quad_learner.bringup import RUN_FIRST

CONFIG = Path(__file__).resolve().parent.parent / 'config'


def declared() -> Counter[str]:
    """Returns how often each parameter is declared in the package."""
    return Counter(
        field.name
        for config in parameter_table.configurations()
        for field in dataclasses.fields(config)
    )


def values_in(path: Path) -> dict[str, float]:
    return dict(yaml.safe_load(path.read_text())['/**']['ros__parameters'])


def valued() -> Counter[str]:
    """Returns in how many files each parameter has a value, the one of other values apart."""
    return Counter(
        name
        for path in CONFIG.glob('*.yaml')
        if path.name != RUN_FIRST
        for name in values_in(path)
    )


def test_every_parameter_is_declared_once_and_valued_in_one_file() -> None:
    assert declared() == valued()
    assert set(declared().values()) == {1}


def test_where_control_runs_first_safety_is_given_other_values_of_its_own() -> None:
    assert values_in(CONFIG / RUN_FIRST).items() - values_in(CONFIG / 'safety.yaml').items()
    assert values_in(CONFIG / RUN_FIRST).keys() <= values_in(CONFIG / 'safety.yaml').keys()


def test_every_value_in_a_file_has_its_comment() -> None:
    for path in CONFIG.glob('*.yaml'):
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines):
            if line.startswith('    ') and line.strip()[0].isalpha():
                above = lines[number - 1].strip()
                assert '#' in line or above.startswith('#'), f'{path.name}: {line.strip()}'


def test_the_table_names_value_unit_range_and_meaning(tmp_path: Path) -> None:
    (tmp_path / 'graph.yaml').write_text('/**:\n  ros__parameters:\n    minutes: 10.0\n')
    page = parameter_table.table(tmp_path)
    assert '## config/graph.yaml' in page
    assert '| `minutes` | `10.0` min | 0.01 … 100000 | Robot time of the run. |' in page


def test_a_value_that_nobody_declares_stops_the_table(tmp_path: Path) -> None:
    (tmp_path / 'a.yaml').write_text('/**:\n  ros__parameters:\n    no_such_parameter: 1\n')
    with pytest.raises(KeyError, match='no_such_parameter'):
        parameter_table.table(tmp_path)


def test_asked_for_help_it_writes_no_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr('sys.argv', ['parameter_table', '--help'])
    with pytest.raises(SystemExit) as end:
        parameter_table.main()
    assert end.value.code == 0
    assert 'usage' in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
