"""How many updates a second of one processor does the learner make, beside other people's?

All learn from random steps of the walking task's sizes, with equal widths and batch, on one
thread each. Processor time counts, and rounds alternate, so that what else runs on the machine
weighs less and meets everybody. An update is one of the critics; `actor 1/n` says that the actor
has its turn in every nth. Ours is measured as it ships (two critics of the reward, two of the
constraint, actor 1/2) and with as many critics in all as the peers have; the peers as they ship,
and CrossQ with its actor 1/1 too. The peers make all updates of a round in one call, which suits
them: SBX compiles the loop over updates. The limit is the time of the matrix products alone that
our updates consist of, by the library that ours uses. Where there is a GPU, ours on it takes part
too, operation by operation and as CUDA graphs, by the time on the wall.

    pip install -r requirements/bench.txt
    python benchmarks/learner_throughput.py --width 128 256 --rounds 9

Peers that are not installed are left out and named. One JSON line comes last.
"""

from __future__ import annotations

import os

os.environ['OMP_NUM_THREADS'] = '1'
os.environ['XLA_FLAGS'] = '--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1'

import argparse
import importlib
import json
import math
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import torch

from quad_learner import configuration
from quad_learner.experience.transition import Transition
from quad_learner.learning.device_updater import DeviceUpdater
from quad_learner.learning.learner import Learner
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.learning.products import product
from quad_learner.resources import config_directory
from quad_learner.robot.model import load
from quad_learner.safety.modes import Reason
from quad_learner.task.config import TaskConfig
from quad_learner.task.walk import WalkTask

ROBOT = 'a1'
"""whose walking task's sizes are learned with"""
TASK = WalkTask(load(ROBOT), configuration.read(TaskConfig, config_directory() / 'task.yaml'))
OBSERVATIONS, ACTIONS = TASK.observation_size, TASK.action_size
STEPS = 2000
"""in the replay"""
REFERENCE = 'sbx CrossQ, as shipped: actor 1/3'
"""whose rate the others' are divided by"""
EAGER, GRAPHS = 'ours on a GPU, eager', 'ours on a GPU, CUDA graphs'
"""by the time on the wall: while the GPU works, the processor need not"""
GRAPHS_GOAL = 5.0
"""times eager's rate"""
WARM_UPS = 4
"""rounds that do not count: SBX compiles anew for each place of the actor's turn in a round"""
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


def ours(width: int, batch: int, eager: bool = False, **changes: Any) -> Run:
    """Returns a function that makes so many updates of our learner.

    Args:
        width: of the networks.
        batch: steps.
        eager: on a GPU, operation by operation.
        changes: of the parameters.
    """
    values = {'critic_width': width, 'actor_width': width, 'batch_size': batch, 'mirror': False}
    config = configuration.read(
        LearnerConfig, config_directory() / 'learner.yaml', {**values, **changes}
    )
    learner = Learner(OBSERVATIONS, ACTIONS, config, seed=0)
    if eager:
        learner.updater = DeviceUpdater(config, learner.parts, torch.device('cuda'))
    task = RandomTask()
    before, _ = task.reset()
    for number in range(1, STEPS + 1):
        after, reward, *_ = task.step(None)
        action = np.tanh(before[:ACTIONS])
        learner.ingest(
            Transition(
                sequence=number,
                episode=1,
                task=0,
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


def peer(
    module: str,
    name: str,
    width: int,
    batch: int,
    policy: dict[str, Any] | None = None,
    **changes: Any,
) -> Run:
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
        policy_kwargs={'net_arch': [width, width], **(policy or {})},
        device='cpu',
        seed=0,
        **changes,
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
    heads = ((batch, OBSERVATIONS, width), (batch, width, width), (batch, width, 2 * ACTIONS))
    critics, backs = members * _factors(sizes), members * _factors(back)
    to_action, again = _factors(((batch, width, ACTIONS),)), _factors(sizes[1:])
    actor = _factors(heads)
    now_and_next_and_back = (*critics, *critics, *backs, *actor)
    through_and_back = members * (*critics[: len(sizes)], *again, *to_action)
    the_turn = (*through_and_back, *actor, *actor, *actor[1:])  # weights and inputs

    def run(updates: int) -> None:
        owed = 0.0
        for _ in range(updates):
            for each in now_and_next_and_back:
                product(*each)
            owed += actor_share
            if owed >= 1.0:
                owed -= 1.0
                for each in the_turn:
                    product(*each)

    return run


def _factors(sizes: Sequence[tuple[int, int, int]]) -> list[tuple[Any, Any, Any]]:
    """Returns what `product` takes, for each (rows, inner, columns)."""
    chance = np.random.default_rng(0)
    draw: Any = partial(chance.standard_normal, dtype=np.float32)
    return [(draw((m, k)), draw((k, n)), np.empty((m, n), np.float32)) for m, k, n in sizes]


def contenders(width: int, batch: int) -> tuple[dict[str, Run], list[str]]:
    """Returns who takes part, and who could not."""
    pair = {'reward_critics': 1, 'safety_critics': 1}
    found = {
        'limit: products of ours, as shipped': products(width, batch, 4, 0.5),
        'limit: products of ours, 1 + 1, actor 1/1': products(width, batch, 2, 1.0),
        'ours, as shipped: 2 + 2, actor 1/2': ours(width, batch),
        'ours, 2 + 2, actor 1/1': ours(width, batch, actor_period=1),
        'ours, 1 + 1, actor 1/1': ours(width, batch, actor_period=1, **pair),
        'ours, 1 + 1, actor 1/3': ours(width, batch, actor_period=3, **pair),
        'ours, CrossQ critics, 1 + 1, actor 1/3': ours(
            width, batch, critic_kind='crossq', actor_period=3, **pair
        ),
    }
    missing = []
    if torch.cuda.is_available():
        found[EAGER] = ours(width, batch, eager=True)
        found[GRAPHS] = ours(width, batch, device='cuda')
    else:
        missing.append(f'{EAGER}; {GRAPHS}: there is none that torch {torch.__version__} can use')
    # SBX has DroQ as its SAC with these critics.
    droq = {'dropout_rate': 0.01, 'layer_norm': True}
    for words, module, name, options in (
        ('stable_baselines3 SAC, actor 1/1', 'stable_baselines3', 'SAC', {}),
        ('sbx SAC, actor 1/1', 'sbx', 'SAC', {}),
        (REFERENCE, 'sbx', 'CrossQ', {}),
        ('sbx CrossQ, actor 1/1', 'sbx', 'CrossQ', {'policy_delay': 1}),
        ('sbx DroQ, actor 1/1', 'sbx', 'SAC', {'policy': droq}),
    ):
        try:
            found[words] = peer(module, name, width, batch, **options)
        except ImportError as error:
            missing.append(f'{words}: {error}')
    return found, missing


def measure(found: dict[str, Run], updates: int, rounds: int) -> dict[str, dict[str, Any]]:
    """Returns each one's rates [updates/s] and its median ratio to the reference's, by name."""
    rates: dict[str, list[float]] = {name: [] for name in found}
    for run in WARM_UPS * list(found.values()):
        run(updates)
    for _ in range(rounds):
        for name, run in found.items():
            clock = time.perf_counter if name in (EAGER, GRAPHS) else time.process_time
            began = clock()
            run(updates)
            rates[name].append(updates / (clock() - began))
    reference = rates.get(REFERENCE)
    rows: dict[str, dict[str, Any]] = {}
    for name, each in rates.items():
        rows[name] = {'updates_per_s': [round(one, 1) for one in each]}
        if reference:
            ratios = [one / other for one, other in zip(each, reference, strict=True)]
            rows[name]['ratio'] = round(statistics.median(ratios), 3)
    return rows


def of_eager(rows: dict[str, dict[str, Any]]) -> float:
    """Returns the median of the rounds' ratios of graphs to eager."""
    both = (rows[name]['updates_per_s'] for name in (GRAPHS, EAGER))
    return statistics.median(one / other for one, other in zip(*both, strict=True))


def main() -> None:
    """Prints a table for each width and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--width', type=int, nargs='+', default=[128, 256])
    parser.add_argument('--batch', type=int, default=128)
    parser.add_argument('--updates', type=int, default=100, help='of each in a round')
    parser.add_argument('--rounds', type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    tables = {}
    for width in options.width:
        found, missing = contenders(width, options.batch)
        rows = tables[str(width)] = measure(found, options.updates, options.rounds)
        print(f'width {width:<36d} {"updates/s":>10s}  {"range":>14s}  {"of sbx CrossQ":>14s}')
        for name, row in rows.items():
            each = row['updates_per_s']
            print(
                f'{name:42s} {statistics.median(each):10.0f}  '
                f'{min(each):6.0f} …{max(each):6.0f}  {row.get("ratio", math.nan):14.2f}'
            )
        if GRAPHS in rows:
            print(f'CUDA graphs: {of_eager(rows):.2f} times eager, goal {GRAPHS_GOAL}')
        for words in missing:
            print(f'left out: {words}')
    result = {**vars(options), 'rows': tables}
    print(json.dumps({'benchmark': 'learner_throughput', **result}))


if __name__ == '__main__':
    main()
