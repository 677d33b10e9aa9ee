"""How well does the estimator know the simulated robot's motion?

Each motion runs once a seed on the simulated robot with its default noise: an open-loop trot at
two speeds, a stumbling like that of an untrained policy, and a shaking of every joint in the
periodic way by which a learner might try to fool the estimate. Printed for each: root mean square
error and bias of the body velocity against truth, of roll and pitch, and the drift of position.

    python benchmarks/estimator_accuracy.py --robot a1 --seconds 10 --seeds 3
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from quad_learner.configuration import read
from quad_learner.estimation.config import EstimatorConfig
from quad_learner.estimation.estimator import Estimator
from quad_learner.resources import config_directory
from quad_learner.robot import rotations
from quad_learner.robot.kinematics import LegKinematics
from quad_learner.robot.model import RobotModel, load
from quad_learner.simulation.config import SimulationConfig
from quad_learner.simulation.robot import SimulatedRobot
from quad_learner.simulation.tryout import command_to
from quad_learner.task.action import oscillator_of

Array = NDArray[np.float64]
Motion = Callable[[float], Array]

SETTLE_S = 1.0
"""[s] left out at the start, while the robot drops on its feet"""
FALLEN_RAD = 0.8
"""[rad] of lean at which a run ends: what follows is not walking"""
TROTS = {'walk': (2.0, 0.07), 'walk_fast': (2.5, 0.09)}
"""strides a second [Hz], and how far the feet swing [m]: by them the A1 walks 0.4 and 0.65 m/s"""
MEMORY = 0.7
"""of an action that is in the next one: a policy that explores smoothly for 0.07 s"""
SLOWEST_HZ = 1.5
"""[Hz] of a shaking; the quickest has a decision for each way"""
SIZE_MOST, MIDDLE_MOST = 1.5, 0.3
"""of the reach of a joint: how far a shaking goes, beyond its ends too, and about which middle"""
HAIR = 1e-6
"""decisions by which a time may be early and count, for it is rounded"""


def trot(robot: RobotModel, frequency_hz: float, reach: float) -> Motion:
    """Returns joint targets that swing the feet fore and aft by `reach` [m] under the rhythm."""
    rhythm = oscillator_of(robot)
    if rhythm is None:
        raise SystemExit(f'robot {robot.name} has no oscillator in its YAML; choose another')
    jacobian = LegKinematics(robot).solve(robot.stance, np.zeros_like(robot.stance)).jacobian
    feet, joints = len(robot.feet), len(robot.joints)
    forward = np.tile((reach, 0.0, 0.0), feet)
    sweep = np.linalg.lstsq(jacobian.reshape(3 * feet, joints), forward, rcond=None)[0]

    def target(t: float) -> Array:
        angle = 2.0 * np.pi * frequency_hz * t
        lift = rhythm.amplitude * np.maximum(0.0, np.sin(angle + rhythm.phase))
        return robot.stance + lift - sweep * np.cos(angle + rhythm.phase)

    return target


def stumble(robot: RobotModel, generator: np.random.Generator) -> Motion:
    """Returns targets that wander at random through the whole action box at the policy's rate."""
    state = {'decision': -1, 'action': np.zeros(len(robot.joints))}

    def target(t: float) -> Array:
        decision = math.floor(t * robot.policy_hz + HAIR)
        if decision != state['decision']:
            fresh = generator.standard_normal(len(robot.joints))
            mixed = MEMORY * state['action'] + math.sqrt(1.0 - MEMORY**2) * fresh
            state.update(decision=decision, action=np.clip(mixed, -1.0, 1.0))
        return robot.stance + robot.action_box * state['action']

    return target


def shake(robot: RobotModel, generator: np.random.Generator) -> Motion:
    """Returns targets that swing each joint at one frequency, with its own size and phase."""
    joints = len(robot.joints)
    frequency = math.exp(generator.uniform(math.log(SLOWEST_HZ), math.log(robot.policy_hz / 2)))
    size = generator.uniform(0.0, SIZE_MOST, joints)
    phase = generator.uniform(0.0, 2 * np.pi, joints)
    middle = generator.uniform(-MIDDLE_MOST, MIDDLE_MOST, joints)

    def target(t: float) -> Array:
        held = math.floor(t * robot.policy_hz + HAIR) / robot.policy_hz
        swing = middle + size * np.sin(2.0 * np.pi * frequency * held + phase)
        return robot.stance + robot.action_box * np.clip(swing, -1.0, 1.0)

    return target


def run(robot: RobotModel, motion: Motion, seed: int, seconds: float) -> dict[str, Array]:
    """Returns errors of estimates along one run, a row a sample."""
    config = read(SimulationConfig, config_directory() / 'simulation.yaml')
    estimator = Estimator(robot, read(EstimatorConfig, config_directory() / 'estimator.yaml'))
    simulated = SimulatedRobot(robot, config, np.random.default_rng(seed))
    simulated.connect()
    rows: dict[str, list[Array]] = {'velocity': [], 'tilt': [], 'speed': [], 'healthy': []}
    spent = 0.0
    estimator.update(simulated.sense())
    for tick in range(round(seconds * robot.command_hz)):
        t = tick / robot.command_hz
        eased = min(1.0, max(0.0, t - SETTLE_S / 2))
        wanted = robot.stance + eased * (motion(t) - robot.stance)
        sample = simulated.step(command_to(robot, wanted))
        start = time.process_time()
        estimate = estimator.update(sample)
        spent += time.process_time() - start
        truth = simulated.truth()
        angles = np.array(rotations.roll_pitch_yaw(truth.orientation))
        if np.abs(angles[:2]).max() > FALLEN_RAD:
            break
        if t < SETTLE_S:
            continue
        velocity = rotations.rotate_back(truth.orientation, truth.velocity_world)
        rows['velocity'].append(estimate.velocity_body - velocity)
        rows['speed'].append(velocity)
        rows['tilt'].append(
            (np.array(rotations.roll_pitch_yaw(estimate.orientation)) - angles)[:2]
        )
        rows['healthy'].append(np.array((float(estimate.healthy),)))
    simulated.close()
    result = {name: np.array(values) for name, values in rows.items()}
    result['seconds_an_update'] = np.array((spent / (tick + 1),))
    return result


def _summary(runs: list[dict[str, Array]]) -> dict[str, object]:
    joined = {
        name: np.concatenate([run[name] for run in runs if len(run[name])]) for name in runs[0]
    }
    bias = [run['velocity'].mean(axis=0) for run in runs if len(run['velocity'])]

    def rms(values: Array) -> list[float]:
        return np.round(np.sqrt(np.mean(np.square(values), axis=0)), 4).tolist()

    return {
        'velocity_rmse_m_s': rms(joined['velocity']),
        'velocity_bias_worst_m_s': np.round(np.abs(bias).max(axis=0), 4).tolist(),
        'roll_pitch_rmse_deg': rms(np.degrees(joined['tilt'])),
        'mean_velocity_m_s': np.round(joined['speed'].mean(axis=0), 3).tolist(),
        'healthy_share': round(float(joined['healthy'].mean()), 4),
        'update_cpu_us': round(1e6 * float(joined['seconds_an_update'].mean())),
    }


def main() -> None:
    """Runs every motion with every seed and prints a table and a JSON line."""
    parser = argparse.ArgumentParser(
        description='Accuracy of the estimator on the simulated robot'
    )
    parser.add_argument('--robot', default='a1')
    parser.add_argument('--seconds', type=float, default=10.0)
    parser.add_argument('--seeds', type=int, default=3)
    arguments = parser.parse_args()
    robot = load(arguments.robot)
    motions: dict[str, Callable[[np.random.Generator], Motion]] = {
        **{name: (lambda _, how=how: trot(robot, *how)) for name, how in TROTS.items()},
        'stumble': lambda generator: stumble(robot, generator),
        'shake': lambda generator: shake(robot, generator),
    }
    result = {}
    for name, build in motions.items():
        runs = [
            run(robot, build(np.random.default_rng(seed)), seed, arguments.seconds)
            for seed in range(arguments.seeds)
        ]
        result[name] = _summary(runs)
        print(name)
        for key, value in result[name].items():
            print(f'    {key:28s}{value}')
    print(json.dumps({'benchmark': 'estimator_accuracy', 'robot': robot.name, **result}))


if __name__ == '__main__':
    main()
