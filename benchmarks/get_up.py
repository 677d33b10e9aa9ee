"""How surely and how quickly the robot gets up: random falls, through safety, by sensors alone.

Each fall drops the robot from up to half a metre, turned at random and with its joints anywhere,
and lets it lie limp for a second; then reset has the floor. Ground friction is drawn anew for each
fall. A fall counts as got up when the machine says READY *and* the true body then stands. Time
runs from the first command that reset drives to READY. One JSON line comes last: for each ground,
and on it for each way in which the robot lay.

    python benchmarks/get_up.py --falls 1000
    python benchmarks/get_up.py --robot minitaur --terrain all --payload 1 --charge 0.2 --falls 50
    python benchmarks/get_up.py --drops back --falls 1 --strip get_up.png
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from scipy.stats import beta

from film import Film
from quad_learner.evaluation import Configs, configs_of, shipped_files
from quad_learner.get_up_search.workers import spread
from quad_learner.reset.posture import posture
from quad_learner.reset.state import State
from quad_learner.robot import model
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import NANOSECONDS
from quad_learner.safety.modes import NOT_TRIPS, Authority, Mode
from quad_learner.simulation import drops
from quad_learner.simulation.in_process import InProcessGraph
from quad_learner.simulation.poses import is_sunk
from quad_learner.simulation.terrain import TERRAINS

Array = NDArray[np.float64]

ANYHOW = 'random'
"""a way to be dropped: any orientation is as likely as any other"""
HEIGHT_SPREAD = 0.1
"""[m] above the least height at which the robot is let go"""
CONFIDENCE = 0.95
"""of the bound on the share of falls that it gets up from"""
TOLD_EVERY_S = 30.0
"""[s] by the clock, how it goes"""
PICTURES_A_SECOND = 8
PICTURES = 9
"""in a row of a strip"""
PICTURE = (160, 120)
"""[pixels], where no other size is asked for"""


@dataclass(frozen=True)
class Outcome:
    """What became of one fall."""

    number: int
    lay: str
    """on what, when reset began: belly, side or back"""
    up: bool
    seconds: float
    """of driving until READY, or until it gave up"""
    rolled: bool
    trips: tuple[str, ...]
    """stops by safety in between, by their reasons"""
    unsafe: int
    """commands that the judge beside safety found wrong"""
    reason: str


@cache
def shipped() -> Configs:
    """Returns the shipped parameters: reading them takes as long as a fall."""
    return configs_of(shipped_files())


def tired(robot: RobotModel, charge: float) -> RobotModel:
    """Returns the robot with motors as slow as the voltage of so much `charge`, of full, makes."""
    full, empty = robot.battery_full_voltage, robot.battery_empty_voltage
    share = (empty + charge * (full - empty)) / full
    return replace(robot, speed_max=robot.speed_max * share)


def drop(graph: InProcessGraph, kind: str, generator: np.random.Generator, film: Film) -> None:
    """Lets the robot fall, and lie limp; again where a foot went through the ground."""
    for _ in range(drops.DROPS_TRIED):
        _drop(graph, kind, generator, film)
        if not is_sunk(graph.sim.world, graph.robot.foot_radius):
            return


def _drop(graph: InProcessGraph, kind: str, generator: np.random.Generator, film: Film) -> None:
    if kind == ANYHOW:
        orientation = Rotation.random(rng=generator)
    else:
        pitch, error = generator.normal(0.0, drops.ROLL_SPREAD, 2)
        heading = generator.uniform(-np.pi, np.pi)
        orientation = Rotation.from_euler('ZYX', [heading, pitch, drops.ROLLS[kind] + error])
    x, y = generator.uniform(-drops.REACH, drops.REACH, 2)
    height = drops.clearance(graph.robot) + generator.uniform(0.0, HEIGHT_SPREAD)
    position = np.array([x, y, graph.sim.world.ground_height(x, y) + height])
    drops.drop(graph.sim, position, orientation.as_quat(), generator, film.look)


def lying(graph: InProcessGraph) -> str:
    """Returns what the true body lies on, as the machine divides it."""
    tilt, reset = posture(graph.sim.truth().orientation).tilt, shipped().reset
    if tilt <= reset.upright_tilt:
        return 'belly'
    return 'back' if tilt > reset.back_tilt else 'side'


def get_up(graph: InProcessGraph, number: int, film: Film, seconds: float) -> Outcome:
    """Runs reset until it is ready, gives up or `seconds` are over; policy stays silent."""
    robot, machine, lay = graph.robot, graph.get_up, lying(graph)
    began_ns: int | None = None
    trips: list[str] = []
    rolled, stopped = False, False
    for _ in range(round(seconds * robot.command_hz)):
        film.look()
        graph.idle()
        command = graph.command
        if command is None:
            continue
        if began_ns is None and command.authority is Authority.RESET:
            began_ns = command.time_ns
        stop = began_ns is not None and command.mode is Mode.SOFT_STOP
        why = command.reasons & ~NOT_TRIPS
        if stop and not stopped and why:
            trips.append('|'.join(str(reason.name) for reason in why))
        stopped = stop
        rolled = rolled or machine.state is State.ROLL
        if machine.state in (State.READY, State.GIVE_UP):
            break
    now_ns = graph.sim.time_ns
    took = (now_ns - (now_ns if began_ns is None else began_ns)) / NANOSECONDS
    reason = f'{machine.state.name}: {machine.reason}'
    if began_ns is None:
        reason = f'safety never let it drive: {graph.command and graph.command.reasons!r}'
    up = machine.ready and drops.stands(graph.sim)
    return Outcome(number, lay, up, took, rolled, tuple(trips), len(graph.unsafe), reason)


def fall(options: argparse.Namespace, terrain: str, number: int) -> Outcome:
    """Returns the outcome of fall `number` on `terrain`; the same ones each time."""
    drops = options.drops
    kind = drops[number % len(drops)]
    generator = np.random.default_rng([options.seed, list(TERRAINS).index(terrain), number])
    friction = float(generator.uniform(*options.friction))
    robot = tired(model.load(options.robot), options.charge)
    configs = shipped()
    simulation = replace(
        configs.parts.simulation,
        terrain=terrain,
        ground_friction_min=friction,
        ground_friction_max=friction,
        payload_mass_kg=options.payload,
        initial_charge=options.charge,
    )
    run = replace(configs.graph, robot=robot.name, seed=int(generator.integers(2**31)))
    graph = InProcessGraph(robot, replace(configs.parts, simulation=simulation), run)
    graph.connect()
    try:
        film = Film(graph.sim, robot.command_hz // PICTURES_A_SECOND, options.picture)
        if options.strip is not None:
            film.begin()
        drop(graph, kind, generator, film)
        outcome = get_up(graph, number, film, options.longest)
    finally:
        graph.close()
    if options.strip is not None:
        film.save(options.strip, PICTURES * options.rows, options.rows)
    return outcome


def surely(up: int, falls: int) -> float:
    """Returns the share that it gets up from at least, by Clopper and Pearson, one-sided."""
    return float(beta.ppf(1.0 - CONFIDENCE, up, falls - up + 1)) if up else 0.0


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Returns success rate, its bound, time percentiles of those that stood, and failures."""
    times = [outcome.seconds for outcome in outcomes if outcome.up]
    percentiles = np.percentile(times, (50, 95, 100)).round(2).tolist() if times else [None] * 3
    falls, up = len(outcomes), len(times)
    return {
        'falls': falls,
        'up': up,
        'success': round(up / falls, 4),
        'at_least': round(surely(up, falls), 4),
        **dict(zip(('median_s', 'p95_s', 'longest_s'), percentiles, strict=True)),
        'rolled': sum(outcome.rolled for outcome in outcomes),
        'trips': sum(len(outcome.trips) for outcome in outcomes),
        'trips_by_reason': dict(Counter(trip for outcome in outcomes for trip in outcome.trips)),
        'unsafe': sum(outcome.unsafe for outcome in outcomes),
        'failures': dict(Counter(outcome.reason for outcome in outcomes if not outcome.up)),
    }


def measure(options: argparse.Namespace, terrain: str) -> dict[str, Any]:
    """Returns the summary of all falls on one terrain, and of those that began alike."""
    one = partial(fall, options, terrain)
    numbers = range(options.first, options.first + options.falls)
    outcomes, told_s = [], time.monotonic()
    with spread(options.jobs) as mapped:
        for outcome in mapped(one, numbers):
            outcomes.append(outcome)
            if not outcome.up:
                print(f'{terrain}: {outcome}', file=sys.stderr, flush=True)
            if time.monotonic() - told_s > TOLD_EVERY_S:
                up, told_s = sum(each.up for each in outcomes), time.monotonic()
                done = f'{up} of {len(outcomes)} up, {options.falls - len(outcomes)} to go'
                print(f'{terrain}: {done}', file=sys.stderr, flush=True)
    lay = sorted({outcome.lay for outcome in outcomes})
    parts = {way: summary([o for o in outcomes if o.lay == way]) for way in lay}
    return {'all': summary(outcomes), **parts}


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--robot', default='a1', help='a name or the path of a robot YAML')
    parser.add_argument('--terrain', default='flat', choices=['all', *TERRAINS])
    parser.add_argument('--falls', type=int, default=50, help='on each terrain')
    parser.add_argument('--first', type=int, default=0, help='number of the first fall')
    parser.add_argument('--drops', nargs='+', default=[ANYHOW], choices=[ANYHOW, *drops.ROLLS])
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--friction', type=float, nargs=2, default=[*drops.FRICTION])
    parser.add_argument('--payload', type=float, default=0.0, help='[kg]')
    parser.add_argument('--charge', type=float, default=1.0, help='of the battery, of full')
    parser.add_argument('--jobs', type=int, default=1, help='processes')
    parser.add_argument(
        '--longest', type=float, default=drops.LONGEST_S, help='[s] looked at a fall'
    )
    parser.add_argument('--strip', type=Path, help='a picture of the last fall')
    parser.add_argument(
        '--rows', type=int, default=1, help=f'of the strip, {PICTURES} moments each'
    )
    parser.add_argument('--picture', type=int, nargs=2, default=PICTURE, help='of it [pixels]')
    options = parser.parse_args()
    result: dict[str, Any] = {'benchmark': 'get_up'}
    result |= {name: getattr(options, name) for name in ('robot', 'seed', 'payload', 'charge')}
    for terrain in TERRAINS if options.terrain == 'all' else [options.terrain]:
        result[terrain] = measure(options, terrain)
        for way, numbers in result[terrain].items():
            print(terrain, way, numbers, flush=True)
    print(json.dumps(result))


if __name__ == '__main__':
    main()
