"""How fast does simulated time pass: raw physics, the Gymnasium environment, the whole graph?

Raw physics is `stepSimulation` alone with the robot standing under position control, at the same
physics rate: the limit of everything that uses it. Rounds alternate. All figures are decision
periods a second; the graph is asked only with `--graph`, for it takes both cores. One JSON line
comes last.

    python benchmarks/simulation_speed.py --rounds 5
    python benchmarks/simulation_speed.py --graph 60
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

import numpy as np
import pybullet
import pybullet_data

from quad_learner.gymnasium_env import WalkEnv
from quad_learner.robot.model import RobotModel, load

Run = Callable[[int], None]
UPRIGHT_M = 0.32


def raw(robot: RobotModel) -> Run:
    """Returns a function that advances so many decision periods of physics and nothing else."""
    client = pybullet.connect(pybullet.DIRECT)
    pybullet.setAdditionalSearchPath(pybullet_data.getDataPath(), physicsClientId=client)
    pybullet.setGravity(0.0, 0.0, -9.81, physicsClientId=client)
    pybullet.setTimeStep(1.0 / robot.physics_hz, physicsClientId=client)
    pybullet.loadURDF('plane.urdf', physicsClientId=client)
    body = pybullet.loadURDF('a1/a1.urdf', (0.0, 0.0, UPRIGHT_M), physicsClientId=client)
    numbers = {
        pybullet.getJointInfo(body, joint, physicsClientId=client)[1].decode(): joint
        for joint in range(pybullet.getNumJoints(body, physicsClientId=client))
    }
    pybullet.setJointMotorControlArray(
        body,
        [numbers[name] for name in robot.joints],
        pybullet.POSITION_CONTROL,
        targetPositions=robot.stance.tolist(),
        physicsClientId=client,
    )
    steps = robot.physics_hz // robot.policy_hz

    def run(periods: int) -> None:
        for _ in range(periods * steps):
            pybullet.stepSimulation(physicsClientId=client)

    return run


def environment() -> Run:
    """Returns a function that makes so many steps of the environment with small random actions."""
    env = WalkEnv()
    env.reset(seed=0)
    chance = np.random.default_rng(0)

    def run(periods: int) -> None:
        for _ in range(periods):
            action = 0.2 * chance.uniform(-1.0, 1.0, env.action_space.shape)
            _, _, terminated, truncated, _ = env.step(action.astype(np.float32))
            if terminated or truncated:
                env.reset()

    return run


def graph(robot: RobotModel, seconds: float) -> float:
    """Returns decision periods a second of the whole graph, learner included."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'run'
        command = [sys.executable, '-m', 'quad_learner.cli', 'learn', '--no-report']
        command += ['--minutes', str(seconds / 60.0), '--run-dir', str(path)]
        environment = {'ROS_DOMAIN_ID': '98', 'OMP_NUM_THREADS': '1', **os.environ}
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
    runs = {'raw physics': raw(robot), 'gymnasium': environment()}
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(options.rounds):
        for name, run in runs.items():
            began = time.perf_counter()
            run(options.periods)
            rates[name].append(options.periods / (time.perf_counter() - began))
    if options.graph > 0.0:
        rates['graph with learner'] = [graph(robot, options.graph)]
    for name, each in rates.items():
        median = statistics.median(each)
        share = median / statistics.median(rates['raw physics'])
        print(
            f'{name:20s} {median:8.0f} periods/s ({min(each):.0f} … {max(each):.0f}), '
            f'{share:.2f} of raw, {median / robot.policy_hz:.1f} × real time'
        )
    print(json.dumps({'benchmark': 'simulation_speed', **vars(options), 'periods_per_s': rates}))


if __name__ == '__main__':
    main()
