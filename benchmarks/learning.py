"""How soon does the robot walk, how often does it fall, and what does each ingredient give?

The Gymnasium environment (the graph's own robot, estimator, safety and get-up, bit for bit) with
the package's learner, in one process a seed: models are swapped as often as in the graph, updates
are made as many. Nothing is teleported; time is the robot's, get-ups included. Any parameter of
the package's files can be set, so that an ablation is one more call.

    python benchmarks/learning.py --seeds 0 1 2 3 4 --minutes 10
    python benchmarks/learning.py --seeds 0 1 2 3 4 --minutes 15 --set constrained=false

Prints a line a seed and the medians, then one line of JSON.
"""

from __future__ import annotations

import os

os.environ['OMP_NUM_THREADS'] = '1'

import argparse
import json
import math
import statistics
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import numpy as np
import torch
import yaml

from quad_learner import configuration
from quad_learner.experience.metrics_table import Episode, Row, Totals
from quad_learner.experience.transition import Transition
from quad_learner.experience.walking import displacement_along_heading, mean_speed, time_to_walk
from quad_learner.graph import GraphConfig
from quad_learner.gymnasium_env import WalkEnv
from quad_learner.learning.export import policy_onnx
from quad_learner.learning.learner import Learner
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.learning.mirror import Mirror
from quad_learner.policy.chooser import Chooser
from quad_learner.policy.config import PolicyConfig
from quad_learner.policy.onnx_policy import OnnxPolicy
from quad_learner.resources import config_directory
from quad_learner.robot.signals import NANOSECONDS
from quad_learner.safety.modes import Reason
from quad_learner.task.config import TaskConfig
from quad_learner.task.symmetry import symmetry

REST = Reason.OVER_TEMPERATURE | Reason.LOW_BATTERY
"""stops that say nothing of the walking"""
SPEEDS = (0.4, 0.5)
"""[m/s] from which on a robot is said to walk"""


def read(kind: type[Any], name: str, changes: dict[str, Any]) -> Any:
    """Returns the parameters of one file with those of `changes` that are its own."""
    own = {field.name for field in fields(kind)}
    mine = {key: value for key, value in changes.items() if key in own}
    return configuration.read(kind, config_directory() / f'{name}.yaml', mine)


@dataclass
class Trial:
    """One seed's learning."""

    env: WalkEnv
    learner: Learner
    chooser: Chooser
    episode_s: float
    """length of a full episode [s]"""

    def __post_init__(self) -> None:
        self.rows: list[Row] = []
        self.steps = self.leaning = 0
        self._waiting: OnnxPolicy | None = None
        self._version = 0
        self.chooser.swap(self._model())

    def _model(self) -> OnnxPolicy:
        self._version += 1
        return OnnxPolicy(policy_onnx(self.learner.actor, {'version': str(self._version)}))

    @property
    def robot_time_s(self) -> float:
        """Robot time so far [s]."""
        graph = self.env.graph
        return 0.0 if graph is None else graph.sim.time_ns / NANOSECONDS

    def episode(self, observation: Any, info: dict[str, Any]) -> None:
        """Runs one episode, learns from it and scores it by the truth."""
        start, began_s, total, steps = info, self.robot_time_s, 0.0, 0
        terminated = truncated = False
        while not (terminated or truncated):
            choice = self.chooser.choose(observation, steps == 0)
            after, reward, terminated, truncated, info = self.env.step(choice.action)
            steps += 1
            total += reward
            self._learn(observation, choice, after, reward, terminated, truncated, info)
            observation = after
        for _ in range(self.learner.config.updates_per_reset if self.learner.updates else 0):
            self.learner.update()
        self._waiting = None
        self.chooser.swap(self._model())
        way = displacement_along_heading(
            start['true_position'], start['true_orientation'], info['true_position']
        )
        cut = truncated and bool(Reason(info['reasons']) & REST)
        self.rows.append(
            Row(
                Episode(
                    number=len(self.rows) + 1,
                    start_s=began_s,
                    end_s=self.robot_time_s,
                    displacement=way,
                    total_reward=total,
                    steps=steps,
                    fell=terminated,
                    truncated=truncated,
                    cut=cut,
                ),
                speed=way / self.episode_s,
                wall_time_s=0.0,
                totals=Totals(),
                learner={},
            )
        )

    def _learn(
        self,
        observation: Any,
        choice: Any,
        after: Any,
        reward: float,
        terminated: bool,
        truncated: bool,
        info: dict[str, Any],
    ) -> None:
        self.steps += 1
        self.leaning += info['constraint'] < 0.0
        self.learner.ingest(
            Transition(
                sequence=self.steps,
                episode=len(self.rows) + 1,
                step=0,
                time_ns=self.steps,
                policy_version=choice.version,
                observation=observation,
                asked=choice.action,
                action=info['executed_action'],
                reward=reward,
                constraint=info['constraint'],
                next_observation=after,
                terminated=terminated,
                truncated=truncated,
                reasons=Reason(info['reasons']),
            )
        )
        while self.learner.due_updates > 0:
            self.learner.update()
        if self.steps % self.learner.config.publish_every == 0 and not (terminated or truncated):
            # As in the graph: what is made now drives one stretch later.
            if self._waiting is not None:
                self.chooser.swap(self._waiting)
            self._waiting = self._model()


def learn(seed: int, minutes: float, changes: dict[str, Any]) -> dict[str, Any]:
    """Returns the figures of one seed."""
    torch.set_num_threads(1)
    policy = read(PolicyConfig, 'policy', changes)
    config = read(LearnerConfig, 'learner', changes)
    others = {field.name for kind in (PolicyConfig, LearnerConfig) for field in fields(kind)}
    env = WalkEnv(**{key: value for key, value in changes.items() if key not in others})
    sizes = env.observation_space.shape[0], env.action_space.shape[0]
    task = read(TaskConfig, 'task', changes)
    found = symmetry(env.robot, task)
    mirror = None if found is None else Mirror(*found)
    graph = configuration.read(GraphConfig, config_directory() / 'graph.yaml', {'seed': seed})
    noise = graph.generator('exploration')
    chooser = Chooser(policy, *sizes, 1.0 / env.robot.policy_hz, noise)
    trial = Trial(env, Learner(*sizes, config, seed, mirror), chooser, task.episode_s)
    problem, first = '', True
    try:
        while first or trial.robot_time_s < minutes * 60.0:
            trial.episode(*env.reset(seed=seed if first else None))
            first = False
    except RuntimeError as error:  # it did not get up: the trial is over, and says so
        problem = str(error)
    falls = [row.episode.end_s for row in trial.rows if row.episode.fell]
    walks = {f'walks_{speed}_s': time_to_walk(trial.rows, speed) for speed in SPEEDS}
    first_walk = walks['walks_0.5_s'] or math.inf
    result = {
        'seed': seed,
        'last_3_m_s': mean_speed(trial.rows),
        **walks,
        'falls': len(falls),
        'falls_before_walking': sum(end_s < first_walk for end_s in falls),
        'leaning_share': round(trial.leaning / max(1, trial.steps), 4),
        'episodes': len(trial.rows),
        'steps': trial.steps,
        'updates': trial.learner.updates,
        'problem': problem,
    }
    print('  '.join(f'{key} {value}' for key, value in result.items() if value != ''), flush=True)
    return result


def main() -> None:
    """Prints a line a seed, the medians and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2, 3, 4])
    parser.add_argument('--minutes', type=float, default=10.0, help='of robot time')
    parser.add_argument('--jobs', type=int, default=2, help='seeds at a time')
    parser.add_argument('--set', action='append', default=[], metavar='NAME=VALUE')
    options = parser.parse_args()
    pairs = (words.split('=', 1) for words in options.set)
    changes = {name: yaml.safe_load(value) for name, value in pairs}
    work = partial(learn, minutes=options.minutes, changes=changes)
    with ProcessPoolExecutor(options.jobs) as pool:
        results = list(pool.map(work, options.seeds))
    for name in ('last_3_m_s', 'walks_0.4_s', 'walks_0.5_s', 'falls', 'leaning_share'):
        values = [result[name] for result in results]
        known = [math.inf if value is None else value for value in values]
        print(f'median {name}: {statistics.median(known):.3f}  of {np.round(known, 3).tolist()}')
    print(json.dumps({'benchmark': 'learning', **vars(options), 'results': results}))


if __name__ == '__main__':
    main()
