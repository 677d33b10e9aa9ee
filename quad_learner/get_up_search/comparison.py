"""Old and new roll-overs side by side, on falls that neither has been tried on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import median

import numpy as np
from rich.table import Table

from quad_learner.get_up_search.falls import KINDS, Fall, World, drop, get_up
from quad_learner.get_up_search.score import Outcome
from quad_learner.get_up_search.workers import Map
from quad_learner.robot.model import RobotModel

Outcomes = dict[str, list[Outcome]]
"""of the falls of each kind, by `KINDS`"""


def compare(
    world: World,
    robots: Mapping[str, RobotModel],
    falls: int,
    generator: np.random.Generator,
    mapped: Map,
    is_over: Callable[[], bool],
) -> dict[str, Outcomes]:
    """Returns what each of the robots makes of the same falls, by their names.

    Args:
        world: of all falls.
        robots: the same one, with other roll-overs.
        falls: of each kind, as far as the time goes; all have been through as many.
        generator: draws the falls.
        mapped: as `map` is.
        is_over: whether the time is over; asked after each round of one fall of each kind.
    """
    found: dict[str, Outcomes] = {name: {kind: [] for kind in KINDS} for name in robots}
    first = next(iter(robots.values()))
    for _ in range(falls):
        fallen = [drop(world, first, kind, generator) for kind in KINDS]
        tasks = [(robot, fall) for robot in robots.values() for fall in fallen]
        outcomes = mapped(partial(_get_up, world), tasks)
        for name in robots:
            for kind in KINDS:
                found[name][kind].append(next(outcomes))
        if is_over():
            break
    return found


def table(compared: Mapping[str, Outcomes]) -> Table:
    """Returns the figures for people."""
    shown = Table(title='fresh falls: dropped on …')
    for column in ('', 'motions', 'stood up', 'median [s]', 'longest [s]', 'stops by safety'):
        shown.add_column(column)
    for kind in KINDS:
        for name, outcomes in compared.items():
            shown.add_row(kind, name, *_figures(outcomes[kind]))
        shown.add_section()
    return shown


def _figures(outcomes: Sequence[Outcome]) -> tuple[str, str, str, str]:
    times = [outcome.seconds for outcome in outcomes if outcome.up]
    stops = Counter(stop for outcome in outcomes for stop in outcome.stops)
    return (
        f'{len(times)} of {len(outcomes)}',
        f'{median(times):.1f}' if times else '–',
        f'{max(times):.1f}' if times else '–',
        ', '.join(f'{count} {reason}' for reason, count in stops.items()) or 'none',
    )


def _get_up(world: World, task: tuple[RobotModel, Fall]) -> Outcome:
    robot, fall = task
    return get_up(world, robot, fall)
