"""What every node of a run shares: which robot, which gear, which seed, where the run is kept."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from quad_learner.configuration import parameter

LOCKSTEP = 'lockstep'
REAL_TIME = 'real_time'


@dataclass(frozen=True)
class GraphConfig:
    """Parameters that are the same for every node (config/graph.yaml)."""

    robot: str = parameter('Name of a robot in config/robots, or the path of a robot YAML.')
    gear: str = parameter(
        'lockstep: the simulated world waits for each command; real_time: it does not wait.',
        choices=(LOCKSTEP, REAL_TIME),
    )
    seed: int = parameter('Of everything random in the run.', '', 0, 2**31 - 1)
    run_directory: str = parameter('Folder that keeps the run; empty keeps nothing.')
    minutes: float = parameter('Robot time of the run.', 'min', 0.01, 100000.0)
    robot_id: str = parameter(
        'Which robot: what the graph says bears it, and what bears another is dropped.'
    )
    open_to_network: bool = parameter(
        'Whether safety and robot may start though other machines can speak to them.'
    )
    real_time_priority: int = parameter(
        'Of the estimator, one more than of other control processes and two more than of reset, '
        'where gear is real_time and the machine allows it; 0: ordinary.',
        '',
        0,
        99,
    )
    elapsed_s: float = parameter('Robot time of the run before this start.', 's', 0.0, 1e9)

    def __post_init__(self) -> None:
        """Raises ValueError for a name that cannot stand before a slash."""
        if '/' in self.robot_id:
            raise ValueError(f'robot_id = {self.robot_id!r} must hold no slash')

    @property
    def lockstep(self) -> bool:
        """Whether the world waits for each command."""
        return self.gear == LOCKSTEP

    def generator(self, part: str) -> np.random.Generator:
        """Returns the random numbers of `part`: independent of other parts', fixed by seed."""
        start = round(self.elapsed_s * 1000)  # a resumed run must not repeat its beginning
        return np.random.default_rng([self.seed, zlib.crc32(part.encode()), start])
