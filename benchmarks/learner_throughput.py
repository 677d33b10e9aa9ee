"""How many updates a second does the learner make, beside other people's, on one thread?

All learn from random steps of the walking task's sizes, with equal widths and batch, on one thread
each. Rounds alternate, so that a slow spell of the machine meets everybody. Ours is measured as it
ships (two critics of the reward, two of the constraint, the actor every second update) and with an
actor update for each of the critics', as the peers have it. The limit is the time of the matrix
products alone that our updates consist of.

    pip install -r requirements/bench.txt
    python benchmarks/learner_throughput.py --width 256 --rounds 5

Peers that are not installed are left out and named. One JSON line comes last.
"""

from __future__ import annotations

import os

os.environ['OMP_NUM_THREADS'] = '1'
os.environ['XLA_FLAGS'] = '--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1'

import argparse
import importlib
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import torch

from quad_learner import configuration
from quad_learner.experience.transition import Transition
from quad_learner.learning.learner import Learner
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.resources import config_directory
from quad_learner.safety.modes import Reason

OBSERVATIONS, ACTIONS = 102, 12
"""of the A1's walking task"""
STEPS = 2000
"""in the replay"""
Run = Callable[[int], Any]


class RandomTask(gymnasium.Env[Any, Any]):
    """A task of the right sizes in which nothing is to be learned, at no cost."""

    observation_space = gymnasium.spaces.Box(-5.0, 5.0, (OBSERVATIONS,), np.float32)
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (ACTIONS,), np.float32)

    def __init__(self) -> None:
        self._chance = np.random.default_rng(0)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Returns an observation."""
        return self._observation(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Returns chance."""
        return self._observation(), float(self._chance.standard_normal()), False, False, {}

    def _observation(self) -> Any:
        return self._chance.standard_normal(OBSERVATIONS).astype(np.float32)


def ours(width: int, batch: int, **changes: Any) -> Run:
    """Returns a function that makes so many updates of our learner."""
    values = {'critic_width': width, 'actor_width': width, 'batch_size': batch, 'mirror': False}
    config = configuration.read(
        LearnerConfig, config_directory() / 'learner.yaml', {**values, **changes}
    )
    learner = Learner(OBSERVATIONS, ACTIONS, config, seed=0)
    task = RandomTask()
    before, _ = task.reset()
    for number in range(1, STEPS + 1):
        after, reward, *_ = task.step(None)
        action = np.tanh(before[:ACTIONS])
        learner.ingest(
            Transition(
                sequence=number,
                episode=1,
                step=number - 1,
                time_ns=number,
                policy_version=0,
                observation=before,
                asked=action,
                action=action,
                reward=reward,
                constraint=0.1,
                next_observation=after,
                terminated=False,
                truncated=False,
                reasons=Reason.NONE,
            )
        )
        before = after

    def run(updates: int) -> None:
        for _ in range(updates):
            learner.update()

    return run


def peer(module: str, name: str, width: int, batch: int, **policy: Any) -> Run:
    """Returns a function that makes so many updates of a learner of Stable-Baselines' kind.

    Raises:
        ImportError: it is not installed.
    """
    kind = getattr(importlib.import_module(module), name)
    model = kind(
        'MlpPolicy',
        RandomTask(),
        batch_size=batch,
        learning_starts=STEPS - 1,
        gradient_steps=1,
        policy_kwargs={'net_arch': [width, width], **policy},
        device='cpu',
        seed=0,
    )
    model.learn(STEPS)

    def run(updates: int) -> None:
        model.train(updates, batch)

    return run


def products(width: int, batch: int, members: int, actor_share: float) -> Run:
    """Returns a function that makes the matrix products of so many of our updates, and no more."""
    inputs = OBSERVATIONS + ACTIONS
    sizes = ((batch, inputs, width), (batch, width, width))
    back = (*((k, m, n) for m, k, n in sizes), (batch, width, width))
    critics = [(torch.randn(members, m, k), torch.randn(members, k, n)) for m, k, n in sizes]
    backs = [(torch.randn(members, m, k), torch.randn(members, k, n)) for m, k, n in back]
    heads = ((batch, OBSERVATIONS, width), (batch, width, width), (batch, width, 2 * ACTIONS))
    actor = [(torch.randn(m, k), torch.randn(k, n)) for m, k, n in heads]

    def run(updates: int) -> None:
        owed = 0.0
        for _ in range(updates):
            for pair in (*critics, *critics, *backs):  # values now and next, and the way back
                torch.bmm(*pair)
            for one in actor:  # the next action
                torch.mm(*one)
            owed += actor_share
            if owed < 1.0:
                continue
            owed -= 1.0
            for pair in (*critics, critics[1], critics[0]):  # through the critics and back
                torch.bmm(*pair)
            for one in (*actor, *actor, *actor):  # there, and back twice: weights and inputs
                torch.mm(*one)

    return run


def contenders(width: int, batch: int) -> tuple[dict[str, Run], list[str]]:
    """Returns who takes part, and who could not."""
    both = {'actor_period': 1}
    found = {
        'limit: products of ours, as shipped': products(width, batch, 4, 0.5),
        'limit: products of ours, 1 + 1 critics': products(width, batch, 2, 1.0),
        'ours, as shipped': ours(width, batch),
        'ours, actor each time': ours(width, batch, **both),
        'ours, 1 + 1 critics, actor each time': ours(
            width, batch, reward_critics=1, safety_critics=1, **both
        ),
        'ours, CrossQ critics': ours(width, batch, critic_kind='crossq', **both),
    }
    missing = []
    for words, module, name, policy in (
        ('stable_baselines3 SAC', 'stable_baselines3', 'SAC', {}),
        ('sbx SAC', 'sbx', 'SAC', {}),
        ('sbx CrossQ', 'sbx', 'CrossQ', {}),
        # SBX has DroQ as its SAC with these critics.
        ('sbx DroQ', 'sbx', 'SAC', {'dropout_rate': 0.01, 'layer_norm': True}),
    ):
        try:
            found[words] = peer(module, name, width, batch, **policy)
        except ImportError as error:
            missing.append(f'{words}: {error}')
    return found, missing


def main() -> None:
    """Prints a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--width', type=int, default=256)
    parser.add_argument('--batch', type=int, default=128)
    parser.add_argument('--updates', type=int, default=100, help='of each in a round')
    parser.add_argument('--rounds', type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    found, missing = contenders(options.width, options.batch)
    rates: dict[str, list[float]] = {name: [] for name in found}
    for run in 2 * list(found.values()):
        run(options.updates)  # compiles, some at the second call, and warms up
    for _ in range(options.rounds):
        for name, run in found.items():
            began = time.perf_counter()
            run(options.updates)
            rates[name].append(options.updates / (time.perf_counter() - began))
    reference = rates.get('sbx CrossQ')
    print(f'{"":42s} {"updates/s":>10s}  {"range":>14s}  {"of sbx CrossQ":>14s}')
    rows = {}
    for name, each in rates.items():
        median = statistics.median(each)
        ratios = [one / other for one, other in zip(each, reference or each, strict=True)]
        ratio = statistics.median(ratios) if reference else float('nan')
        print(f'{name:42s} {median:10.0f}  {min(each):6.0f} …{max(each):6.0f}  {ratio:14.2f}')
        rows[name] = {'updates_per_s': [round(one, 1) for one in each], 'ratio': round(ratio, 3)}
    for words in missing:
        print(f'left out: {words}')
    print(json.dumps({'benchmark': 'learner_throughput', **vars(options), 'rows': rows}))


if __name__ == '__main__':
    main()
