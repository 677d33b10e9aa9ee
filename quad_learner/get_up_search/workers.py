"""Tries motions on falls: in this process, or in several, with the same outcomes in order."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Protocol, TypeVar

from quad_learner.get_up_search import falls as simulated
from quad_learner.get_up_search.falls import Fall, World
from quad_learner.get_up_search.score import Outcome
from quad_learner.get_up_search.space import Frames
from quad_learner.reset.motion import motion
from quad_learner.robot.model import RobotModel

Task = TypeVar('Task')
Done = TypeVar('Done')


class Map(Protocol):
    """As the function `map` is."""

    def __call__(
        self, function: Callable[[Task], Done], tasks: Iterable[Task], /
    ) -> Iterator[Done]: ...


@contextmanager
def spread(jobs: int) -> Iterator[Map]:
    """Gives a function like `map`, which lets so many processes work; they end with the block."""
    if jobs == 1:
        yield map
        return
    # A terminal sends Ctrl-C to all of them; what it means is the first one's business.
    ignore = (signal.SIGINT, signal.SIG_IGN)
    with multiprocessing.get_context('spawn').Pool(jobs, signal.signal, ignore) as pool:
        yield pool.imap


def with_motions(robot: RobotModel, **motions: Frames) -> RobotModel:
    """Returns the robot with other roll-overs: `from_side`, `from_back`; an empty one is none."""
    reset = {**(robot.sections.get('reset') or {}), **motions}
    return replace(robot, sections={**robot.sections, 'reset': reset})


def attempts(
    world: World, robot: RobotModel, name: str, falls: Sequence[Fall], mapped: Map
) -> Callable[[Sequence[tuple[Frames, int]]], Iterator[Outcome]]:
    """Returns what a search calls to have motions tried as the robot's `name` on `falls`."""

    def run(pairs: Sequence[tuple[Frames, int]]) -> Iterator[Outcome]:
        tasks = [(frames, falls[fall]) for frames, fall in pairs]
        return mapped(partial(_roll, world, robot, name), tasks)

    return run


def _roll(world: World, robot: RobotModel, name: str, task: tuple[Frames, Fall]) -> Outcome:
    frames, fall = task
    tried = with_motions(robot, **{name: frames})
    return simulated.roll(world, tried, fall, getattr(motion(tried), name))
