"""Writes docs/faults.md out of the table: `PYTHONPATH=.:test python -m faults.document`."""

from __future__ import annotations

import sys
from pathlib import Path

from faults.table import ROWS, Row, load

FILE = Path(__file__).resolve().parent.parent.parent / 'docs' / 'faults.md'
HEAD = """# Faults: what each is answered with, and what proves it

Made from `test/faults/table.yaml` by `make docs`; a test keeps the two in step.

`make faults` plays every row while the robot does what the third column says: in PyBullet, with
estimator, get-up, safety, sink and judge in one process, in virtual time. A row passes when the
fault is found within its bound, with the reaction asked for, and nothing that was sent was unsafe
by the judge. Each trial is played again with its defence taken out of the product, and must then
fail: a test that passes without what it tests proves nothing. Where two defences are independent,
both are taken away. Each trial is a forked process, so that nothing is left behind. At the end
processes of a real graph are frozen, told to end and killed, a trial each.

- **within**: from the first sign of the fault to the first safe command; of silence, from the last
  message heard. A command period is 12.5 ms.
- **shown by**: `pybullet` where the body's motion matters, `virtual` where logic does, `tests`
  where tests that stand elsewhere are run, `nowhere` where nothing is shown; `commit` where
  `make test` plays it too.
- **OPEN**: not met, or not in full. It is never printed as passed; below the table stands what is
  missing, and what happens instead. What there is of a defence is still shown to matter.

The whole takes some ten minutes on two cores that others keep busy.

"""
TITLES = (
    '',
    'fault',
    'while',
    'within',
    'reaction',
    'defence, and what is taken away',
    'shown by',
)


def document(rows: tuple[Row, ...]) -> str:
    """Returns the whole text."""
    lines = [_line(TITLES), _line(('---',) * len(TITLES)), *map(_row, rows)]
    text = HEAD + '\n'.join(lines) + '\n'
    passing = sum(not row.open for row in rows)
    text += f'\n{ROWS} faults in {len(rows)} rows: {passing} are met, '
    text += f'{len(rows) - passing} are open.\n'
    text += '\n## What each row asks for\n\n'
    for row in rows:
        begin = f'{row.label}. **' if row.label.isdecimal() else f'   - **{row.label}, '
        text += f'{begin}{row.name}.** {row.required}'
        text += f' *{row.note[0].upper()}{row.note[1:]}.*' if row.note else ''
        text += f' **OPEN:** {row.open}.' if row.open else ''
        text += ''.join(f'\n   - `{test}`' for test in row.tests) + '\n'
    return text


def _row(row: Row) -> str:
    removed = ', '.join(f'`{path.removeprefix("quad_learner.")}`' for path in row.without)
    shown = f'{row.where}, commit' if row.per_commit else row.where
    return _line(
        (
            row.label,
            row.name,
            ', '.join(doing.value for doing in row.doing),
            '' if row.bound_ms is None else f'{row.bound_ms:g} ms',
            ', '.join(row.expect).replace('|', ' '),
            f'{row.defence} ({removed})' if removed else row.defence,
            f'{shown}, **OPEN**' if row.open else shown,
        )
    )


def _line(cells: tuple[str, ...]) -> str:
    return f'| {" | ".join(cells)} |'.replace('|  |', '| |').replace('|  |', '| |')


def main() -> int:
    """Writes the document."""
    FILE.write_text(document(load()))
    return 0


if __name__ == '__main__':
    sys.exit(main())
