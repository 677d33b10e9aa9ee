"""What befalls the run in `soak`, in which order, drawn by the seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quad_learner.robot.model import load
from quad_learner.ros import topics
from quad_learner.simulation.faults import KINDS

RESPAWNED = ('estimator', 'reset', 'policy', 'monitor', 'learner')
ENDING = ('robot', 'safety')
"""the run is over without them, and is resumed"""
FLOODED = (topics.POLICY_TARGET, topics.RESET_TARGET, topics.ODOM, topics.JOINT_COMMAND)
SENSOR_EVERY_S, SENSOR_LASTS_S = 20.0, 0.5
"""[s] of robot time between sensor faults, and how long each lasts"""
NAMES = (
    *(f'kill {name}' for name in (*RESPAWNED, *ENDING)),
    *(f'freeze {name}' for name in (*RESPAWNED, *ENDING, 'all')),
    *(f'flood {topic.name.replace("/", ".")}' for topic in FLOODED),
    'rogue',
    'disk',
    'operator',
)
"""every fault that is drawn from"""


def plan(minutes: float, every_s: float, seed: int, names: Sequence[str] = NAMES) -> list[str]:
    """Returns the faults of a run in their order: each kind before any comes again.

    Nobody is killed in the first half: there each process lives for long enough to be seen
    growing. In the second half each of `names` is drawn from.
    """
    random = np.random.default_rng(seed)
    count = int(minutes * 60.0 // every_s)
    spared = [name for name in names if not name.startswith('kill')] or names
    first = _rounds(spared, count // 2, random)
    return first + _rounds(names, count - len(first), random)


def _rounds(names: Sequence[str], count: int, random: np.random.Generator) -> list[str]:
    rounds = -(-count // len(names))
    return [names[n] for _ in range(rounds) for n in random.permutation(len(names))][:count]


def sensor_faults(minutes: float, seed: int) -> list[str]:
    """Returns what befalls the sensors, in robot time, for longer than a soak of `minutes`."""
    random = np.random.default_rng([seed, 1])
    joints = load('a1').joints
    kinds = sorted(KINDS)
    found = []
    # Lockstep is at most some ten times faster than a robot.
    count = int(10.0 * minutes * 60.0 / SENSOR_EVERY_S)
    for number in range(1, count + 1):
        kind = kinds[int(random.integers(len(kinds)))]
        joint = f':{joints[int(random.integers(len(joints)))]}' if kind.endswith('_joint') else ''
        found.append(f'{kind}{joint}@{number * SENSOR_EVERY_S:.1f}+{SENSOR_LASTS_S}')
    return found
