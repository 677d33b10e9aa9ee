"""The rows of each commit, with their defence and without; and that the table is in order."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from faults import families, table
from faults.document import FILE, document
from faults.finding import FAULTS, Finding
from faults.removal import RemovalError, find
from faults.table import Doing, Row
from faults.trial import Stage, Trial, fails_without

ROOT = Path(__file__).resolve().parent.parent.parent
TABLE = table.load()
PLAYED = [row for row in TABLE if row.where in ('virtual', 'pybullet')]
COMMIT = [row for row in TABLE if row.per_commit]


@pytest.fixture(scope='module')
def stage() -> Stage:
    return Stage()


@pytest.mark.slow
@pytest.mark.parametrize('row', COMMIT, ids=lambda row: f'{row.label}-{row.name}')
def test_a_fault_is_met_and_not_without_its_defence(stage: Stage, row: Row) -> None:
    doing = row.doing[0] if row.doing else None
    kept = stage.play(row, doing, without=False)
    assert kept.passed, kept
    lost = stage.play(row, doing, without=True)
    assert fails_without(kept, lost), lost


def test_enough_is_played_at_each_commit() -> None:
    assert len(COMMIT) >= 9
    assert not [row.label for row in COMMIT if row.open]


def test_every_row_that_is_played_has_a_fault_and_every_fault_a_row() -> None:
    assert sorted(FAULTS) == sorted(row.label for row in PLAYED)
    assert len(families.FAMILIES) == len({family.__name__ for family in families.FAMILIES})


@pytest.mark.parametrize('row', [row for row in TABLE if row.without], ids=lambda row: row.label)
def test_every_part_that_is_taken_away_is_there(row: Row) -> None:
    for path in row.without:
        assert find(path)


def test_a_part_that_is_not_there_is_a_mistake_that_shows() -> None:
    with pytest.raises(RemovalError, match='Monitors'):
        find('quad_learner.safety.monitors.Monitors.no_such_thing')


@pytest.mark.parametrize('row', [row for row in TABLE if row.tests], ids=lambda row: row.label)
def test_every_test_that_a_row_names_is_there(row: Row) -> None:
    for test in row.tests:
        file, _, name = test.partition('::')
        functions = ast.walk(ast.parse((ROOT / file).read_text()))
        names = {node.name for node in functions if isinstance(node, ast.FunctionDef)}
        assert not name or name in names, test


@pytest.mark.parametrize(
    ('changed', 'words'),
    [
        ({'where': 'somewhere'}, 'where is one of'),
        ({'without': {}}, 'no defence is removed'),
        ({'where': 'nowhere', 'open': ''}, 'it must be open'),
        ({'tests': ['test/a.py']}, 'tests are named where'),
        ({'colour': 'red'}, 'unknown colour'),
    ],
)
def test_a_row_that_says_too_little_is_refused(changed: dict[str, object], words: str) -> None:
    row = {
        'name': 'a fault',
        'required': 'a stop',
        'where': 'virtual',
        'defence': 'a look',
        'without': {'a.b': True},
        'doing': [Doing.WALKING.value],
    }
    with pytest.raises(ValueError, match=words):
        table.row_of('1', {**row, **changed})


def test_a_removal_that_cannot_be_called_proves_nothing() -> None:
    well, calls = Finding(None, ''), 'TypeError: <lambda>() takes 5 positional arguments but 6'
    kept = Trial('', False, well, 0.0)
    assert fails_without(kept, kept._replace(finding=well._replace(wrong=('not stopped',))))
    assert not fails_without(kept, kept._replace(finding=well._replace(wrong=(calls,))))
    assert not fails_without(kept, kept)


def test_parts_of_a_fault_stand_behind_it() -> None:
    labels = [row.label for row in TABLE]
    assert labels[labels.index('66') :][:2] == ['66', '66b']
    assert len(labels) - sum(label.isdecimal() for label in labels) == 2


def test_a_table_without_a_row_is_refused(tmp_path: Path) -> None:
    file = tmp_path / 'table.yaml'
    file.write_text('1: {}\n')
    with pytest.raises(ValueError, match='rows 1 to 72'):
        table.load(file)


def test_the_document_is_made_of_the_table() -> None:
    assert FILE.read_text() == document(TABLE), 'make docs writes it anew'
