"""What a run has to show on the terminal: its figures, and the walk of an evaluation."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from quad_learner.experience.run_directory import RunDirectory

if TYPE_CHECKING:
    from quad_learner.experience.walk_quality import WalkQuality


def show_summary(run: RunDirectory) -> dict[str, Any]:
    """Prints the summary of `run`, and returns it: empty where its monitor could not write one."""
    try:
        summary: dict[str, Any] = json.loads(run.summary.read_text())
    except (OSError, ValueError) as error:
        sys.stderr.write(f'quad-learner: no figures, for there is no summary ({error})\n')
        return {}
    table = Table(title=f'{run.path}', show_header=False)
    for key, value in summary.items():
        if not isinstance(value, dict):
            table.add_row(key, str(value))
    Console().print(table)
    return summary


def show_walk(run: RunDirectory, quality: WalkQuality) -> None:
    """Prints what an evaluation found of the walk, and where it is kept."""
    from quad_learner.scorecard import lines

    table = Table(title='the walk, all episodes', show_header=False)
    for words in lines(quality):
        table.add_row(*words)
    Console().print(table)
    files = [file for file in (run.evaluation, run.footfalls, run.gait) if file.is_file()]
    sys.stdout.write(''.join(f'{file}\n' for file in files))
