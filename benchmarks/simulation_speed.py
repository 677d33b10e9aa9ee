"""How fast does simulated time pass: raw physics, the Gymnasium environment, the whole graph?

All figures are decision periods a second. Rounds alternate.

    raw physics     `stepSimulation` alone, in a world of the environment's own (same body, ground,
                    contacts and rate); the engine's position control holds the stance. A motor
                    that the engine controls costs it more than one that is given a torque.
    within env      the environment's own calls of `stepSimulation`: what it would reach if all
                    that is not physics took no time. The strictest measure, for the motion is
                    the very same.
    gymnasium       the steps of the environment, small random actions; resets are not counted
    graph           all processes with a learner, only with `--graph`, for it takes both cores

    python benchmarks/simulation_speed.py --rounds 5
    python benchmarks/simulation_speed.py --graph 60

One JSON line comes last.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pybullet

from quad_learner.gymnasium_env import WalkEnv
from quad_learner.robot.model import RobotModel, load

Run = Callable[[int], dict[str, float]]
"""makes so many decision periods and returns the time that they took [s], by row"""

RAW = 'raw physics'
DOMAIN = '94'
"""of ROS, for this benchmark alone"""
SMALL_ACTION = 0.2
"""of its reach: the robot stays on its feet, and its motors work"""


class Stopwatch:
    """Takes the place of `stepSimulation` and adds up the time spent in it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.step = pybullet.stepSimulation

    def __call__(self, **options: Any) -> None:
        """Does what `stepSimulation` does."""
        began = time.perf_counter()
        self.step(**options)
        self.seconds += time.perf_counter() - began


def raw(robot: RobotModel) -> Run:
    """Returns a run of physics and nothing else, with the robot on its feet."""
    env = WalkEnv()
    env.reset(seed=0)
    assert env.graph is not None
    world = env.graph.sim.world
    joints = {
        pybullet.getJointInfo(world.body, joint, physicsClientId=world.client)[1].decode(): joint
        for joint in range(pybullet.getNumJoints(world.body, physicsClientId=world.client))
    }
    pybullet.setJointMotorControlArray(
        world.body,
        [joints[name] for name in robot.joints],
        pybullet.POSITION_CONTROL,
        targetPositions=robot.stance.tolist(),
        forces=robot.torque_max.tolist(),
        physicsClientId=world.client,
    )
    steps, client, step = (
        robot.physics_hz // robot.policy_hz,
        world.client,
        pybullet.stepSimulation,
    )

    def run(periods: int) -> dict[str, float]:
        began = time.perf_counter()
        for _ in range(periods * steps):
            step(physicsClientId=client)
        seconds = time.perf_counter() - began
        assert sum(world.foot_forces()) > 0.0, 'without contacts it would be no measure'
        return {RAW: seconds}

    return run


def environment() -> Run:
    """Returns a run of the environment with small random actions."""
    env = WalkEnv()
    env.reset(seed=0)
    chance = np.random.default_rng(0)
    stopwatch = Stopwatch()

    def run(periods: int) -> dict[str, float]:
        seconds = within = 0.0
        pybullet.stepSimulation = stopwatch
        for _ in range(periods):
            action = (SMALL_ACTION * chance.uniform(-1.0, 1.0, env.action_space.shape)).astype(
                np.float32
            )
            before, began = stopwatch.seconds, time.perf_counter()
            _, _, terminated, truncated, _ = env.step(action)
            seconds += time.perf_counter() - began
            within += stopwatch.seconds - before
            if terminated or truncated:
                env.reset()
        pybullet.stepSimulation = stopwatch.step
        return {'within env': within, 'gymnasium': seconds}

    return run


def graph(robot: RobotModel, seconds: float) -> float:
    """Returns decision periods a second of the whole graph, learner included."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'run'
        command = [sys.executable, '-m', 'quad_learner.cli', 'learn', '--no-report']
        command += ['--minutes', str(seconds / 60.0), '--run-dir', str(path)]
        environment = {'OMP_NUM_THREADS': '1', **os.environ, 'ROS_DOMAIN_ID': DOMAIN}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
        summary = json.loads((path / 'summary.json').read_text())
    return float(summary['robot_time_s']) * robot.policy_hz / float(summary['wall_time_s'])


def main() -> None:
    """Prints a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--periods', type=int, default=400, help='of each in a round')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--graph', type=float, default=0.0, help='seconds of robot time, 0: none')
    options = parser.parse_args()
    robot = load('a1')
    runs = (raw(robot), environment())
    rates: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        for run in runs:
            for name, seconds in run(options.periods).items():
                rates.setdefault(name, []).append(options.periods / seconds)
    if options.graph > 0.0:
        rates['graph with learner'] = [graph(robot, options.graph)]
    for name, each in rates.items():
        median = statistics.median(each)
        of_raw, of_within = (median / statistics.median(rates[row]) for row in (RAW, 'within env'))
        print(
            f'{name:20s} {median:8.0f} periods/s ({min(each):.0f} … {max(each):.0f}), '
            f'{of_raw:.2f} of raw, {of_within:.2f} of within, '
            f'{median / robot.policy_hz:.1f} × real time'
        )
    print(json.dumps({'benchmark': 'simulation_speed', **vars(options), 'periods_per_s': rates}))


if __name__ == '__main__':
    main()
