"""Writes docs/parameters.md: every parameter with its value, unit, range and what it does.

Run as `python -m quad_learner.parameter_table docs/parameters.md`, or as `make docs`.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import importlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from quad_learner.configuration import read_values
from quad_learner.resources import config_directory

PACKAGE = Path(__file__).resolve().parent
HEADER = """# Parameters

Written by `make docs` from the code and from `config/`: change it there. A run keeps the files
that it used in its `parameters/`. What is a fact of one robot stands in `config/robots/`.
"""


def main() -> None:
    """Writes the table to the path that is given, or to standard output."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('page', type=Path, nargs='?', help='default: standard output')
    path = parser.parse_args().page
    page = table(config_directory())
    if path is None:
        sys.stdout.write(page)
    else:
        path.write_text(page)


def table(directory: Path) -> str:
    """Returns the page, in Markdown.

    Args:
        directory: the folder of the parameter files.

    Raises:
        KeyError: a file has a parameter that no part of the package declares.
    """
    declared = parameters()
    sections = [HEADER]
    for path in sorted(directory.glob('*.yaml')):
        sections.append(f'\n## config/{path.name}\n\n| parameter | value | range | meaning |\n')
        sections.append('|---|---|---|---|\n')
        sections += [_line(declared[name], value) for name, value in read_values(path).items()]
    return ''.join(sections)


def parameters() -> Mapping[str, dataclasses.Field[Any]]:
    """Returns every parameter that a part of the package declares, by its name."""
    return {
        field.name: field
        for config in configurations()
        for field in dataclasses.fields(config)
        if 'description' in field.metadata
    }


def configurations() -> Iterator[type[Any]]:
    """Yields every dataclass of the package whose name ends in `Config`."""
    for path in sorted(PACKAGE.rglob('*.py')):
        classes = [n for n in ast.parse(path.read_text()).body if isinstance(n, ast.ClassDef)]
        names = [node.name for node in classes if node.name.endswith('Config')]
        if names:
            parts = path.relative_to(PACKAGE.parent).with_suffix('').parts
            module = importlib.import_module('.'.join(parts))
            yield from (getattr(module, name) for name in names)


def _line(field: dataclasses.Field[Any], value: Any) -> str:
    rules = field.metadata
    bounds = ' … '.join(
        sign if limit is None else f'{limit:.10g}'
        for sign, limit in (('-∞', rules['minimum']), ('∞', rules['maximum']))
    )
    unbounded = rules['minimum'] is None and rules['maximum'] is None
    allowed = ', '.join(rules['choices']) or ('' if unbounded else bounds)
    shown = f'`{value!r}` {rules["unit"]}'.strip()
    return f'| `{field.name}` | {shown} | {allowed} | {rules["description"]} |\n'


if __name__ == '__main__':
    main()
