"""How surely and how quickly the robot gets up: random falls, through safety, by sensors alone.

Each fall drops the robot from up to half a metre, turned at random and with its joints anywhere,
and lets it lie limp for a second; then reset has the floor. Ground friction is drawn anew for each
fall. A fall counts as got up when the machine says READY *and* the true body then stands. Time
runs from the first command that reset drives to READY. One JSON line comes last.

    python benchmarks/get_up.py --falls 20
    python benchmarks/get_up.py --classes back --falls 1 --strip get_up.png
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pybullet
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from quad_learner import configuration
from quad_learner.estimation.config import EstimatorConfig
from quad_learner.graph import GraphConfig
from quad_learner.reset.config import ResetConfig
from quad_learner.reset.get_up import State
from quad_learner.reset.posture import posture
from quad_learner.resources import config_directory
from quad_learner.robot import model
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import NANOSECONDS, JointTarget
from quad_learner.safety.config import SafetyConfig
from quad_learner.safety.modes import NOT_TRIPS, Authority, Mode
from quad_learner.simulation.camera import render
from quad_learner.simulation.config import SimulationConfig
from quad_learner.simulation.in_process import InProcessConfigs, InProcessGraph

ROLLS = {'belly': 0.0, 'right': np.pi / 2, 'left': -np.pi / 2, 'back': np.pi, 'random': None}
"""[rad] about the long axis at the drop; None: any orientation is as likely as any other"""
ROLL_SPREAD = 0.25
"""[rad] deviation of roll and pitch within a class"""
DROP_LOWEST, DROP_HIGHEST = 0.4, 0.5
"""[m] of the root link above the ground"""
POSES_TRIED = 100
"""joint angles drawn at most, until no limb is inside the body"""
OVERLAP = 0.003
"""[m] that shapes may be inside each other: the engine's own margin"""
DISTANCE = 8
"""field of a contact point as the engine reports it"""
LIMP_S = 1.0
"""the fall itself, and the time until somebody notices [s]"""
LONGEST_S = 40.0
"""longer than the machine's own budget [s]"""
TRUE_TILT = 0.35
"""[rad] of the true body that still counts as standing"""
PICTURES_A_SECOND = 3
PICTURE = (240, 180)
"""[pixels]"""


@dataclass(frozen=True)
class Outcome:
    """What became of one fall."""

    up: bool
    seconds: float
    """of driving until READY, or until it gave up"""
    rolled: bool
    trips: int
    """stops by safety in between"""
    reason: str


def configs(self_collision: bool, friction: float) -> InProcessConfigs:
    """Returns the shipped parameters with another ground."""
    folder = config_directory()
    ground = {'ground_friction_min': friction, 'ground_friction_max': friction}
    changes = {**ground, 'self_collision': self_collision}
    return InProcessConfigs(
        configuration.read(SimulationConfig, folder / 'simulation.yaml', changes),
        configuration.read(EstimatorConfig, folder / 'estimator.yaml'),
        configuration.read(SafetyConfig, folder / 'safety.yaml'),
        configuration.read(ResetConfig, folder / 'reset.yaml'),
    )


def drop(graph: InProcessGraph, kind: str, generator: np.random.Generator) -> None:
    """Lets the robot fall, and lie limp."""
    robot, roll = graph.robot, ROLLS[kind]
    if roll is None:
        orientation = Rotation.random(rng=generator)
    else:
        tilt = generator.normal(0.0, ROLL_SPREAD, 2)
        heading = generator.uniform(-np.pi, np.pi)
        orientation = Rotation.from_euler('ZYX', [heading, tilt[0], roll + tilt[1]])
    height = generator.uniform(DROP_LOWEST, DROP_HIGHEST)
    position, quaternion = np.array([0.0, 0.0, height]), orientation.as_quat()
    for _ in range(POSES_TRIED):
        joints = generator.uniform(robot.position_min, robot.position_max)
        if robot.loop_closures:  # few angles of a closed leg fit together
            joints = robot.stance
        graph.sim.place(position, quaternion, joints)
        if not overlaps(graph):
            break
    for _ in range(round(LIMP_S * robot.command_hz)):
        graph.sim.step(None)


def overlaps(graph: InProcessGraph) -> bool:
    """Returns whether a limb is inside the body: physics could not get it out again."""
    world = graph.sim.world
    pybullet.performCollisionDetection(physicsClientId=world.client)
    points = pybullet.getContactPoints(world.body, world.body, physicsClientId=world.client)
    return any(point[DISTANCE] < -OVERLAP for point in points)


def get_up(graph: InProcessGraph, pictures: list[NDArray[np.uint8]] | None) -> Outcome:
    """Runs reset until it is ready or gives up; policy stays silent."""
    robot, machine = graph.robot, graph.get_up

    zeros = np.zeros(len(robot.joints))
    began_ns: int | None = None
    trips, rolled, stopped = 0, False, False
    for tick in range(round(LONGEST_S * robot.command_hz)):
        due, stamp = graph.sense(), graph.sample.time_ns
        silent = JointTarget(stamp, Authority.POLICY, 0, robot.stance, zeros, zeros)
        graph.move(silent if due else None)
        command = graph.command
        if command is None:
            continue
        if began_ns is None and command.authority is Authority.RESET:
            began_ns = command.time_ns
        stop = began_ns is not None and command.mode is Mode.SOFT_STOP
        trips += bool(stop and not stopped and command.reasons & ~NOT_TRIPS)
        stopped = stop
        rolled = rolled or machine.state is State.ROLL
        if pictures is not None and tick % (robot.command_hz // PICTURES_A_SECOND) == 0:
            pictures.append(render(graph.sim, *PICTURE))
        if machine.state in (State.READY, State.GIVE_UP):
            break
    now_ns = graph.sim.time_ns
    seconds = (now_ns - (now_ns if began_ns is None else began_ns)) / NANOSECONDS
    up = machine.ready and posture(graph.sim.truth().orientation).tilt < TRUE_TILT
    return Outcome(up, seconds, rolled, trips, machine.reason)


def fall(robot: RobotModel, kind: str, seed: list[int], options: argparse.Namespace) -> Outcome:
    """Returns the outcome of the fall that `seed` draws."""
    generator = np.random.default_rng(seed)
    friction = float(generator.uniform(*options.friction))
    run = configuration.read(GraphConfig, config_directory() / 'graph.yaml')
    run = replace(run, robot=robot.name, seed=int(generator.integers(2**31)))
    graph = InProcessGraph(robot, configs(options.self_collision, friction), run)
    graph.connect()
    try:
        drop(graph, kind, generator)
        pictures: list[NDArray[np.uint8]] | None = [] if options.strip else None
        outcome = get_up(graph, pictures)
    finally:
        graph.close()
    if pictures:
        save_strip(options.strip, pictures)
    return outcome


def save_strip(path: Path, pictures: list[NDArray[np.uint8]]) -> None:
    """Writes the pictures side by side, eight to a row."""
    from matplotlib import image

    columns = 8
    blank = np.full_like(pictures[0], 255)
    pictures = pictures + [blank] * (-len(pictures) % columns)
    rows = [np.hstack(pictures[i : i + columns]) for i in range(0, len(pictures), columns)]
    image.imsave(path, np.vstack(rows))


def summary(outcomes: list[Outcome]) -> dict[str, Any]:
    """Returns success rate and time percentiles."""
    times = [outcome.seconds for outcome in outcomes if outcome.up]
    percentiles = np.percentile(times, (50, 90, 100)).round(2).tolist() if times else [None] * 3
    return {
        'falls': len(outcomes),
        'up': sum(outcome.up for outcome in outcomes),
        'rolled': sum(outcome.rolled for outcome in outcomes),
        'trips': sum(outcome.trips for outcome in outcomes),
        'success': round(float(np.mean([outcome.up for outcome in outcomes])), 4),
        **dict(zip(('median_s', 'p90_s', 'longest_s'), percentiles, strict=True)),
    }


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--robot', default='a1')
    parser.add_argument('--falls', type=int, default=10, help='of each class')
    parser.add_argument('--classes', nargs='+', default=list(ROLLS), choices=list(ROLLS))
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--friction', type=float, nargs=2, default=[0.5, 1.0])
    parser.add_argument('--self-collision', action='store_true')
    parser.add_argument('--strip', type=Path, help='a picture of the last fall')
    options = parser.parse_args()
    robot = model.load(options.robot)
    everything: list[Outcome] = []
    result: dict[str, Any] = {'benchmark': 'get_up', 'robot': robot.name, 'seed': options.seed}
    for kind in options.classes:
        seeds = [[options.seed, list(ROLLS).index(kind), i] for i in range(options.falls)]
        outcomes = [fall(robot, kind, seed, options) for seed in seeds]
        for i, outcome in enumerate(outcomes):
            if not outcome.up:
                print(f'{kind} {i}: {outcome.seconds:.1f} s, {outcome.reason}')
        result[kind] = summary(outcomes)
        print(kind, result[kind], flush=True)
        everything += outcomes
    print(json.dumps({**result, 'all': summary(everything)}))


if __name__ == '__main__':
    main()
