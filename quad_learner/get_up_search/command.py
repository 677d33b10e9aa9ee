"""`quad-learner find-get-up`: looks for the roll-overs of a robot file, and shows what they do.

First the one off a side, then, with it, the one off a back; each until it gets up from every fall
of its set and nothing better is found, or its share of the time is over. Then old and new motions
get up from the same fresh falls, which neither has been tried on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from quad_learner.configuration import ConfigurationError
from quad_learner.evaluation import configs_of, shipped_files
from quad_learner.get_up_search import comparison
from quad_learner.get_up_search.falls import Fall, World, drop, tuck
from quad_learner.get_up_search.robot_file import block, with_blocks
from quad_learner.get_up_search.search import Found, Search, described
from quad_learner.get_up_search.space import Frames, MotionSpace, are_alike
from quad_learner.get_up_search.workers import Map, attempts, spread, with_motions
from quad_learner.reset.motion import motion
from quad_learner.robot import model
from quad_learner.robot.model import RobotModel
from quad_learner.robot.names import file_of
from quad_learner.robot_check import check_roll
from quad_learner.simulation import tryout
from quad_learner.urdf_check import check_poses

MINUTE = 60.0
"""[s]"""
POSES = 2
"""of a motion that is found from nothing: reach, then push, as the A1 does"""
SET = 12
"""falls that a motion is to get up from"""
SET_LEAST = 4
"""fewer of a kind say little: then the robot hardly ever comes to lie so"""
DRAWS_EACH = 5
"""falls drawn at most for each of the set: with its legs tucked the robot may lie otherwise"""
FRESH = 10
"""falls of each kind, back, right and left, on which old and new are compared"""


@dataclass(frozen=True)
class Stage:
    """One of the motions."""

    name: str
    kinds: tuple[str, ...]
    """how the robot is dropped"""
    until: float
    """share of the time at which this search ends"""


STAGES = (Stage('from_side', ('right', 'left'), 0.4), Stage('from_back', ('back',), 0.8))


@dataclass(frozen=True)
class Options:
    """What is asked for."""

    robot: str
    """name or path"""
    minutes: float
    """by the clock"""
    seed: int
    jobs: int
    """processes"""
    afresh: bool
    """the motions of the file are not begun with"""
    out: Path | None
    """robot file to write; None: none"""


@dataclass(frozen=True)
class Result:
    """What was found."""

    text: str
    """the entries, as a robot file has them"""
    table: Table
    """old and new motions on fresh falls"""


class Quest:
    """One call of the command."""

    def __init__(
        self, options: Options, clock: Callable[[], float], tell: Callable[[str], None]
    ) -> None:
        """Args:
        options: what is asked for.
        clock: tells the time [s], from any beginning.
        tell: takes lines for people.

        Raises:
            ConfigurationError: an option, the robot file or a parameter cannot be used.
        """
        if not options.minutes > 0.0:
            raise ConfigurationError(f'--minutes {options.minutes} must be above 0')
        if options.jobs < 1:
            raise ConfigurationError(f'--jobs {options.jobs} must be 1 or more')
        self._options = options
        self._tell = tell
        self._clock = clock
        self._began = clock()
        self._old = model.load(options.robot)
        self._world = _world()
        self._source = file_of(options.robot)
        self._check_poses()
        self._spaces = {stage.name: self._space(stage) for stage in STAGES}
        if options.out is not None:
            _check_out(options.out, self._source, self._old)

    def run(self) -> Result:
        """Looks, compares, and writes `out`."""
        robot, found = self._old, dict[str, Frames]()
        with spread(self._options.jobs) as mapped:
            for number, stage in enumerate(STAGES):
                generator = np.random.default_rng([self._options.seed, number])
                best = self._stage(stage, robot, generator, mapped)
                if best is not None:
                    found[stage.name] = best.frames
                    robot = with_motions(robot, **{stage.name: best.frames})
            self._check(robot)
            self._tell('old and new motions on the same fresh falls')
            robots = {'of the file': self._old, 'found': robot}
            fresh = np.random.default_rng([self._options.seed, len(STAGES)])
            compared = comparison.compare(
                self._world, robots, FRESH, fresh, mapped, self._is_over(1.0)
            )
        self._write(found)
        lines = [line for name, frames in found.items() for line in block(name, frames)]
        return Result('\n'.join(lines), comparison.table(compared))

    def _check_poses(self) -> None:
        """Asks of the poses that stay as they are what the doctor asks: the others are within.

        Raises:
            ConfigurationError: one is out of reach, or the section `reset` cannot be used.
        """
        motion(self._old)
        staying = with_motions(self._old, **{stage.name: [] for stage in STAGES})
        poses = check_poses(staying, self._world.parts.safety.position_margin_rad)
        if not poses.ok:
            raise ConfigurationError(f'{self._source}: {poses.what}. {poses.way_out}')

    def _present(self, stage: Stage) -> Frames:
        """Returns the motion of the file; empty where it has none."""
        return (self._old.sections.get('reset') or {}).get(stage.name) or []

    def _space(self, stage: Stage) -> MotionSpace:
        """Returns the motions that there are: as many poses, and legs as alike, as the file's."""
        present, safety = self._present(stage), self._world.parts.safety
        poses, alike = (len(present), are_alike(self._old, present)) if present else (POSES, True)
        return MotionSpace(self._old, safety, poses, alike)

    def _check(self, robot: RobotModel) -> None:
        """Tells of what was found what the doctor would."""
        parts = self._world.parts
        poses = check_poses(robot, parts.safety.position_margin_rad)
        if not poses.ok:  # of a motion of the file for which none was found
            self._tell(f'{poses.what}. {poses.way_out}')
        reached = check_roll(tryout.roll(robot, parts.simulation))
        self._tell(f'in the air its legs reach {reached.what}')

    def _write(self, found: Mapping[str, Frames]) -> None:
        """Writes `out`; what was found is told at any rate."""
        out = self._options.out
        if out is None or not found:
            return
        try:
            out.write_text(with_blocks(self._source.read_text(), found))
        except OSError as error:
            self._tell(f'--out {out} cannot be written ({error.strerror}); copy the entries below')

    def _stage(
        self, stage: Stage, robot: RobotModel, generator: np.random.Generator, mapped: Map
    ) -> Found | None:
        """Returns the best motion; None where there is none better than what is there."""

        def tell(line: str) -> None:
            minutes = (self._clock() - self._began) / MINUTE
            self._tell(f'{minutes:5.1f} min  {stage.name}: {line}')

        is_over = self._is_over(stage.until)
        falls = self._falls(stage, robot, generator, is_over)
        if len(falls) < SET_LEAST:
            tell(f'lies so after {len(falls)} of {SET * DRAWS_EACH} falls: not looked for')
            return None
        space, present = self._spaces[stage.name], self._present(stage)
        tries = attempts(self._world, robot, stage.name, falls, mapped)
        search = Search(space, tries, len(falls), generator, is_over, tell)
        best = search.run([] if self._options.afresh else present)
        if best is None or best.up == 0:
            tell('found none: give it more --minutes, or sketch one (docs/new_robot.md)')
            return None
        tell(f'takes the motion that {described(best)}')
        return best

    def _falls(
        self,
        stage: Stage,
        robot: RobotModel,
        generator: np.random.Generator,
        is_over: Callable[[], bool],
    ) -> list[Fall]:
        """Returns a set of falls after which the robot, its legs tucked, lies as it should."""
        reset, falls = self._world.parts.reset, list[Fall]()
        for draw in range(SET * DRAWS_EACH):
            fall = drop(self._world, robot, stage.kinds[draw % len(stage.kinds)], generator)
            tucked, tilt = tuck(self._world, robot, fall)
            on_back = tilt > reset.back_tilt
            if tilt > reset.upright_tilt and on_back == ('back' in stage.kinds):
                falls.append(tucked)
            if len(falls) == SET or is_over():
                break
        return falls

    def _is_over(self, share: float) -> Callable[[], bool]:
        end = self._began + share * self._options.minutes * MINUTE
        return lambda: self._clock() >= end


def _check_out(out: Path, source: Path, robot: RobotModel) -> None:
    """Refuses to overwrite a file, and to begin what could not be written, or read, in the end."""
    if out.exists():
        raise ConfigurationError(f'{out} exists and is not overwritten; choose another --out')
    if not os.access(out.parent, os.W_OK):
        raise ConfigurationError(
            f'--out {out}: {out.parent} is no folder that can be written to; choose another --out'
        )
    with_blocks(source.read_text(), {stage.name: [] for stage in STAGES})
    beside = robot.urdf.resolve().is_relative_to(source.resolve().parent)
    if beside and out.resolve().parent != source.resolve().parent:
        raise ConfigurationError(
            f'--out {out}: the URDF lies beside {source}, and would not be found from there; '
            'choose an --out in the same folder'
        )


def _world() -> World:
    configs = configs_of(shipped_files())
    return World(configs.parts, configs.graph)
