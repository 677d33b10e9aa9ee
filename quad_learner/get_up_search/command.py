"""`quad-learner find-get-up`: looks for the roll-overs of a robot file, and shows what they do.

First the one off a side, then, with it, the one off a back, or the other way round where the robot
more often comes to lie on its back; each until it gets up from every fall of its set and nothing
better is found, or its share of the time is over. Time that the second leaves goes to the first,
where that does not get up from all yet. Then old and new motions get up from the same fresh falls,
which neither has been tried on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from quad_learner.configuration import ConfigurationError
from quad_learner.evaluation import configs_of, shipped_files
from quad_learner.get_up_check import check_roll
from quad_learner.get_up_search import comparison, lying
from quad_learner.get_up_search.falls import Fall, World
from quad_learner.get_up_search.lying import MOTIONS, Lying
from quad_learner.get_up_search.push import Pushing
from quad_learner.get_up_search.refusal import check_out, check_poses_that_stay
from quad_learner.get_up_search.robot_file import block, with_blocks
from quad_learner.get_up_search.search import Search, described
from quad_learner.get_up_search.space import Frames, MotionSpace, are_alike
from quad_learner.get_up_search.workers import Map, attempts, spread, with_motions
from quad_learner.robot import model
from quad_learner.robot.model import RobotModel
from quad_learner.robot.names import file_of
from quad_learner.simulation import tryout
from quad_learner.urdf_check import check_poses

MINUTE = 60.0
"""[s]"""
POSES = 2
"""of a motion that is found from nothing: reach, then push, as the A1 does"""
SET_LEAST = 4
"""fewer of a kind say too little to replace a motion of the file: the robot hardly ever lies so"""
SEARCHED = 0.85
"""of the time: once falls are drawn, each motion is looked for in the share of what is left that
its falls have in all of both sets"""
FRESH = 10
"""falls of each kind, back, right and left, on which old and new are compared"""


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
    terrain: str
    """one of simulation.yaml's, on which the robot falls"""


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
        self,
        options: Options,
        clock: Callable[[], float],
        tell: Callable[[str], None],
        is_enough: Callable[[], bool] = lambda: False,
    ) -> None:
        """Args:
        options: what is asked for.
        clock: tells the time [s], from any beginning.
        tell: takes lines for people.
        is_enough: whether somebody wants it to end with what it has, as if the time were over.

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
        self._is_enough = is_enough
        self._began = clock()
        self._old = model.load(options.robot)
        self._world = _world(options.terrain)
        self._source = file_of(options.robot)
        self._found: dict[str, Frames] = {}
        self._unsolved: list[str] = []
        # What is looked for a second time goes on with other guesses.
        self._chance = {
            name: np.random.default_rng([options.seed, 1 + index])
            for index, name in enumerate(MOTIONS)
        }
        check_poses_that_stay(self._old, self._world.parts.safety, self._source)
        for name in MOTIONS:
            self._space(self._of_file(name))
        if options.out is not None:
            check_out(options.out, self._source, self._old)

    def run(self) -> Result:
        """Looks, compares, and writes `out`."""
        found, seed = self._found, self._options.seed
        with spread(self._options.jobs) as mapped:
            self._tell(f'lets it fall, {lying.DRAWS} times at most, to see how it comes to lie')
            generator = np.random.default_rng([seed, 0])
            sets = lying.sets(self._world, self._old, generator, self._is_over(SEARCHED))
            until, falls = self._used(), sum(len(lies.falls) for lies in sets.values())
            left = max(SEARCHED - until, 0.0)
            for name, lies in sets.items():
                until += left * len(lies.falls) / max(falls, 1)
                self._look(name, lies, until, mapped)
            for name in [*self._unsolved]:
                # Where there is none yet, what was found for the other since is taken.
                has_one = name in found or self._of_file(name)
                if not has_one or not self._is_over(SEARCHED)():
                    self._look(name, sets[name], SEARCHED, mapped)
            robot = with_motions(self._old, **found)
            self._check(robot)
            self._tell('old and new motions on the same fresh falls')
            robots = {'of the file': self._old, 'found': robot}
            fresh = np.random.default_rng([seed, 1 + len(MOTIONS)])
            compared = comparison.compare(
                self._world, robots, FRESH, fresh, mapped, self._is_over(1.0)
            )
        self._write(found)
        lines = [line for name, frames in found.items() for line in block(name, frames)]
        return Result('\n'.join(lines), comparison.table(compared))

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

    def _look(self, name: str, lies: Lying, until: float, mapped: Map) -> None:
        best = self._motion(name, lies, until, mapped)
        if best:
            self._found[name] = best

    def _motion(self, name: str, lies: Lying, until: float, mapped: Map) -> Frames:
        """Returns the best motion found; none where there is none better than what is there.

        Args:
            name: of `MOTIONS`.
            lies: what to get up from.
            until: share of the time at which the search ends.
            mapped: as `map` is.
        """

        def tell(line: str) -> None:
            minutes = (self._clock() - self._began) / MINUTE
            self._tell(f'{minutes:5.1f} min  {name}: {line}')

        begin, who = self._begin(name)
        present = self._of_file(name)
        spare = [] if present else begin
        instead = f'; takes {who}' if spare else ''
        laid = f', and {lies.laid} times when it is laid down so' if lies.laid else ''
        rarely = len(lies.falls) < (SET_LEAST if present else 1)
        left_out = f': not looked for{instead}' if rarely else ''
        tell(f'lies so after {lies.often} of {lies.drops} falls{laid}{left_out}')
        if rarely:
            return spare
        is_over = self._is_over(until)
        best = self._search(name, lies.falls, begin, mapped, is_over, tell).run(begin, who)
        if best is None or best.up < len(lies.falls):
            self._unsolved.append(name)
        if best is None or best.up == 0:
            way_out = 'give it more --minutes, or sketch one (docs/new_robot.md)'
            stays = '; the motion of the file stays' if present else instead
            tell(f'found none: {way_out}{stays}')
            return spare
        tell(f'takes the motion that {described(best)}')
        return best.frames

    def _search(
        self,
        name: str,
        falls: Sequence[Fall],
        begin: Frames,
        mapped: Map,
        is_over: Callable[[], bool],
        tell: Callable[[str], None],
    ) -> Search:
        robot = with_motions(self._old, **self._found)
        space = self._space(begin or self._of_file(name))
        tries = attempts(self._world, robot, name, falls, mapped)
        pushing = Pushing(robot, name, space)
        chance = self._chance[name]
        return Search(space, tries, len(falls), chance, is_over, tell, pushing.guess)

    def _space(self, like: Frames) -> MotionSpace:
        """Returns the motions that there are: with as many poses, and legs as alike, as `like`."""
        # Closed legs of a side that turn the same way are caught beneath the body.
        poses, alike = POSES, not self._old.loop_closures
        if like:
            poses, alike = len(like), are_alike(self._old, like)
        return MotionSpace(self._old, self._world.parts.safety, poses, alike)

    def _begin(self, name: str) -> tuple[Frames, str]:
        """Returns a motion to begin with, or none, and what it is, for people.

        What turns the robot one way over may do so the other way, too.
        """
        if name in self._found:
            return self._found[name], 'the motion found before'
        present = [] if self._options.afresh else self._of_file(name)
        if present or not self._found:
            return present, 'the motion of the file'
        ((other, frames),) = self._found.items()
        return frames, f'the motion found for {other}'

    def _of_file(self, name: str) -> Frames:
        return (self._old.sections.get('reset') or {}).get(name) or []

    def _used(self) -> float:
        """Returns which share of the time is over."""
        return (self._clock() - self._began) / (self._options.minutes * MINUTE)

    def _is_over(self, share: float) -> Callable[[], bool]:
        return lambda: self._is_enough() or self._used() >= share


def _world(terrain: str) -> World:
    configs = configs_of(shipped_files(), terrain=terrain)
    return World(configs.parts, configs.graph)
