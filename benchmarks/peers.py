"""What do other people's learners make of the same task? The mark from outside.

The Gymnasium environment `quad_learner/Walk-v0` as it ships: estimator, latency, noise, safety,
and a robot that gets up by itself. SBX's CrossQ and DroQ with the settings published for learning
on such robots and Stable-Baselines3's SAC with its own, scored by the rules of learning.py, which
is ours. One process a trial, one thread each. Robot time is simulated and waits for updates: a
slow learner is judged by what it learns, not by how long it thinks.

    pip install -r requirements/bench.txt
    python benchmarks/peers.py --algorithms crossq droq sac --seeds 0 1 2 3 4 --minutes 10

Prints a line a trial as it ends, a table and one line of JSON; the curves go into the file --out.
"""

from __future__ import annotations

import os

os.environ['OMP_NUM_THREADS'] = '1'
os.environ['XLA_FLAGS'] = '--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1'

import importlib
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import gymnasium

import trial_cli
from scoring import ScoredEnv, TrialOver, line

ID = 'quad_learner.gymnasium_env:quad_learner/Walk-v0'
OUT = Path('runs/benchmarks/peers.json')
WARMUP = 1000
"""[steps] at random before the first update, as both robot papers have it"""
TARGET_ENTROPY = -6.0
"""[nat] minus half the actions, as both robot papers have it"""
REPLAY = 100_000
"""[steps] more than a trial has; the default of a million takes a gigabyte"""


@dataclass(frozen=True)
class Peer:
    """A learner of Stable-Baselines' kind and its settings."""

    module: str
    name: str
    settings: Mapping[str, Any]
    policy: Mapping[str, Any] = field(default_factory=dict)


PEERS: Mapping[str, Peer] = {
    # Gait in Eight (arXiv 2503.08375): CrossQ at 40 Hz on a robot of this size.
    'crossq': Peer(
        'sbx',
        'CrossQ',
        {
            'learning_rate': 0.005,
            'batch_size': 128,
            'learning_starts': WARMUP,
            'target_entropy': TARGET_ENTROPY,
        },
        {'net_arch': [256, 256], 'renorm_warmup_steps': 1000},
    ),
    # A Walk in the Park (arXiv 2208.07860). SBX has DroQ as its SAC with these critics.
    'droq': Peer(
        'sbx',
        'SAC',
        {
            'learning_rate': 3e-4,
            'batch_size': 256,
            'gradient_steps': 20,
            'policy_delay': 20,
            'learning_starts': WARMUP,
            'ent_coef': 'auto_0.1',
            'target_entropy': TARGET_ENTROPY,
        },
        {'net_arch': [256, 256], 'dropout_rate': 0.01, 'layer_norm': True},
    ),
    # Stable-Baselines3's own defaults.
    'sac': Peer('stable_baselines3', 'SAC', {'device': 'cpu'}),
}


def learn(algorithm: str, seed: int, minutes: float) -> dict[str, Any]:
    """Returns the figures of one trial."""
    import torch

    torch.set_num_threads(1)
    peer = PEERS[algorithm]
    kind = getattr(importlib.import_module(peer.module), peer.name)
    env = ScoredEnv(gymnasium.make(ID, disable_env_checker=True), minutes)
    model = kind(
        'MlpPolicy',
        env,
        seed=seed,
        buffer_size=REPLAY,
        policy_kwargs=dict(peer.policy),
        **peer.settings,
    )
    decisions = round(minutes * 60.0 * env.walk.robot.policy_hz)
    problem = ''
    try:
        model.learn(decisions)
    except TrialOver as over:
        problem = str(over)
    result = {
        'algorithm': algorithm,
        'seed': seed,
        **env.figures(),
        'updates': int(model._n_updates),
        'problem': problem,
    }
    env.close()
    return result


def main() -> None:
    """Prints a line a trial, a table and one line of JSON."""
    parser = trial_cli.parser(__doc__, OUT, 'JSON with curves', jobs=1)
    parser.add_argument('--algorithms', nargs='+', default=list(PEERS), choices=list(PEERS))
    options = parser.parse_args()
    results = []
    # A new process for each trial: what one has compiled or allocated is no help to the next.
    with ProcessPoolExecutor(
        options.jobs, mp_context=get_context('spawn'), max_tasks_per_child=1
    ) as pool:
        futures = [
            pool.submit(learn, algorithm, seed, options.minutes)
            for algorithm in options.algorithms
            for seed in options.seeds
        ]
        for future in as_completed(futures):
            results.append(future.result())
            print(line(results[-1]), flush=True)
    results.sort(key=lambda r: (options.algorithms.index(r['algorithm']), r['seed']))
    rows = {
        name: [result for result in results if result['algorithm'] == name]
        for name in options.algorithms
    }
    trial_cli.tell('peers', options, rows)


if __name__ == '__main__':
    main()
