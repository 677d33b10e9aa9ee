"""What all depends on stays small enough to be read in one sitting."""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path

import pytest

from quad_learner.resources import config_directory

PACKAGE = config_directory().parent / 'quad_learner'
DECIDES = ('core', 'arbiter', 'monitors', 'motors', 'limits')
"""the files that decide; the others are the layer's words, memory and parameters"""
EMPTY = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)


def lines_of_code(path: Path) -> int:
    """Counts the lines that hold code: not those of blanks, comments and docstrings alone."""
    source = path.read_text()
    words: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            words.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in (*EMPTY, tokenize.ENDMARKER):
            code.update(range(token.start[0], token.end[0] + 1))
    return len(code - words)


def test_lines_are_counted_as_said(tmp_path: Path) -> None:
    file = tmp_path / 'a.py'
    file.write_text('"""Words.\n\nMore."""\n\n# why\nx = (\n    1\n)\n"""of x"""\n')
    assert lines_of_code(file) == 3


@pytest.mark.parametrize(
    ('files', 'most'),
    [
        ([f'safety/{name}.py' for name in DECIDES], 700),
        ([f'safety/{name}.py' for name in (*DECIDES, 'modes', 'state')], 850),
        (['robot/command_judge.py'], 249),
    ],
)
def test_what_all_depends_on_is_small(files: list[str], most: int) -> None:
    assert sum(lines_of_code(PACKAGE / name) for name in files) <= most
