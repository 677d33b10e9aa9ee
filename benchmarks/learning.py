"""How soon does the robot walk, how often does it fall, and what does each ingredient give?

The Gymnasium environment (the graph's own robot, estimator, safety and get-up, bit for bit) with
the package's learner, in one process a seed: models are swapped as often as in the graph, updates
are made as many. Nothing is teleported; time is the robot's, get-ups included. Any parameter of
the package's files can be set, so that an ablation is one more call.

    python benchmarks/learning.py --seeds 0 1 2 3 4 --minutes 10
    python benchmarks/learning.py --seeds 0 1 2 3 4 --minutes 15 --set constrained=false

Prints a line a seed, the medians and one line of JSON; the curves go into the file --out.
"""

from __future__ import annotations

import os

os.environ['OMP_NUM_THREADS'] = '1'

from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
import yaml

import trial_cli
from quad_learner import configuration
from quad_learner.evaluation import configs_of, shipped_files
from quad_learner.experience.transition import Transition
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
from quad_learner.safety.modes import Reason
from quad_learner.task.config import TaskConfig
from quad_learner.task.symmetry import symmetry
from scoring import ScoredEnv, TrialOver, line
from walk_figures import walk_of

OUT = Path('runs/benchmarks/learning.json')
WORLD = 1000
"""seed of the world in which the policy is looked at in the end, as in `quad-learner evaluate`"""


def read(kind: type[Any], name: str, changes: dict[str, Any]) -> Any:
    """Returns the parameters of one file with those of `changes` that are its own."""
    own = {field.name for field in fields(kind)}
    mine = {key: value for key, value in changes.items() if key in own}
    return configuration.read(kind, config_directory() / f'{name}.yaml', mine)


@dataclass
class Trial:
    """One seed's learning."""

    env: ScoredEnv
    learner: Learner
    chooser: Chooser

    def __post_init__(self) -> None:
        self._waiting: OnnxPolicy | None = None
        self._version = 0
        self.chooser.swap(self.model())
        self.env.tell = self._duals

    def _duals(self) -> Mapping[str, float]:
        learner = self.learner
        return {
            'lambda': learner.value_of_multiplier,
            'alpha': learner.temperature.value,
            'box_share': learner.box.value,
            'recent_margin_rad': learner.recent_constraint.value,
        }

    def model(self) -> OnnxPolicy:
        """Returns the policy that is to drive next."""
        self._version += 1
        proposed = self.learner.propose()
        self.learner.incumbent.accept(self._version)
        return OnnxPolicy(policy_onnx(proposed, {'version': str(self._version)}))

    def episode(self, observation: Any) -> None:
        """Runs one episode from its first observation on, and learns from it."""
        begins, over, number = True, False, 1 + len(self.env.rows)
        while not over:
            choice = self.chooser.choose(observation, begins)
            after, reward, terminated, truncated, info = self.env.step(choice.action)
            begins, over = False, terminated or truncated
            steps = self.env.steps
            self.learner.ingest(
                Transition(
                    sequence=steps,
                    episode=number,
                    task=self.env.walk.kind.number,
                    step=0,
                    time_ns=steps,
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
            self._update(steps, over)
            observation = after
        for _ in range(self.learner.config.updates_per_reset if self.learner.updates else 0):
            self.learner.update()
        self._waiting = None
        self.chooser.swap(self.model())

    def _update(self, steps: int, over: bool) -> None:
        while self.learner.due_updates > 0:
            self.learner.update()
        if steps % self.learner.config.publish_every == 0 and not over:
            # As in the graph: what is made now drives one stretch later.
            if self._waiting is not None:
                self.chooser.swap(self._waiting)
            self._waiting = self.model()


def learn(seed: int, minutes: float, changes: dict[str, Any]) -> dict[str, Any]:
    """Returns the figures of one seed."""
    torch.set_num_threads(1)
    policy = read(PolicyConfig, 'policy', changes)
    config = read(LearnerConfig, 'learner', changes)
    learners = {field.name for field in fields(LearnerConfig)}
    others = learners | {field.name for field in fields(PolicyConfig)}
    walk = WalkEnv(**{key: value for key, value in changes.items() if key not in others})
    sizes = walk.observation_space.shape[0], walk.action_space.shape[0]
    found = symmetry(walk.robot, read(TaskConfig, 'task', changes))
    mirror = None if found is None else Mirror(*found)
    graph = configuration.read(GraphConfig, config_directory() / 'graph.yaml', {'seed': seed})
    noise = graph.generator('exploration')
    chooser = Chooser(policy, *sizes, 1.0 / walk.robot.policy_hz, noise)
    env = ScoredEnv(walk, minutes)
    trial = Trial(env, Learner(*sizes, config, seed, mirror), chooser)
    try:
        observation, _ = env.reset(seed=seed)
        while True:
            trial.episode(observation)
            observation, _ = env.reset()
    except TrialOver as over:
        problem = str(over)
    world = configs_of(
        shipped_files(), seed=WORLD, **{k: v for k, v in changes.items() if k not in learners}
    )
    result = {
        'seed': seed,
        **env.figures(),
        'walk': walk_of(trial.model(), world),
        'updates': trial.learner.updates,
        'rolled_back': trial.learner.incumbent.rolled_back,
        'models_refused': trial.learner.incumbent.refused,
        'problem': problem,
    }
    env.close()
    return result


def main() -> None:
    """Prints a line a seed, the medians and one line of JSON."""
    parser = trial_cli.parser(__doc__, OUT, 'JSON with curves')
    parser.add_argument('--set', action='append', default=[], metavar='NAME=VALUE')
    options = parser.parse_args()
    pairs = (words.split('=', 1) for words in options.set)
    changes = {name: yaml.safe_load(value) for name, value in pairs}
    results = []
    with ProcessPoolExecutor(options.jobs) as pool:
        futures = [pool.submit(learn, seed, options.minutes, changes) for seed in options.seeds]
        for future in as_completed(futures):
            results.append(future.result())
            print(line(results[-1]), flush=True)
    results.sort(key=lambda result: options.seeds.index(result['seed']))
    trial_cli.tell('learning', options, {' '.join(options.set) or 'default': results})


if __name__ == '__main__':
    main()
