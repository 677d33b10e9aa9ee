"""The command line of benchmarks that learn: options of their trials, how results are told."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from quad_learner.experience.durable import write_atomically
from scoring import table, without_curves

Results = Sequence[Mapping[str, Any]]


def parser(
    about: str, out: Path, holds: str, jobs: int = 2, seeds: str = '+'
) -> argparse.ArgumentParser:
    """Returns a parser that knows seeds, minutes, jobs and the file to write.

    Args:
        about: docstring of the benchmark; its first line is shown.
        out: the file unless told otherwise.
        holds: what is in it.
        jobs: trials at a time unless told otherwise.
        seeds: how many there may be: '+' one or more, '*' none too.
    """
    known = argparse.ArgumentParser(description=about.splitlines()[0])
    known.add_argument('--seeds', type=int, nargs=seeds, default=[0, 1, 2, 3, 4])
    known.add_argument('--minutes', type=float, default=10.0, help='of robot time')
    known.add_argument('--jobs', type=int, default=jobs, help='trials at a time')
    known.add_argument('--out', type=Path, default=out, help=f'{holds} (default {out})')
    return known


def tell(benchmark: str, options: argparse.Namespace, rows: Mapping[str, Results]) -> None:
    """Prints a table and one line of JSON, and writes that line with the curves.

    Args:
        benchmark: its name.
        options: all that was asked for.
        rows: results by name, in the order of the table.
    """
    print(table(rows))
    results = [result for of_a_row in rows.values() for result in of_a_row]
    asked = {key: value for key, value in vars(options).items() if key != 'out'}
    content = {'benchmark': benchmark, **asked, 'results': results}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(options.out, json.dumps(content) + '\n')
    print(json.dumps(content | {'results': [without_curves(result) for result in results]}))
