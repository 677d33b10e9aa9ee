"""What does each ingredient give? One change at a time, several seeds of each.

Each (change, seed) is a trial of learning.py, and a line of JSON in the file --out as soon as it
ends. Trials that are in the file are not run again: stop at any time and call again to go on, with
more changes or seeds if you like. Seeds go round the changes in turn, so that an early stop leaves
all changes with as many.

    python benchmarks/ablations.py --seeds 0 1 2 3 4 --minutes 10
    python benchmarks/ablations.py --changes default 'constraint off' --seeds 0 1
    python benchmarks/ablations.py --seeds                 # the table of what is there
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml

import trial_cli
from learning import learn
from plain_critics import PlainCritics
from quad_learner.experience.durable import write_atomically
from quad_learner.experience.metrics_table import cut_torn_line
from quad_learner.learning import critics
from quad_learner.resources import config_directory
from scoring import line, table

OUT = Path('runs/benchmarks/ablations.jsonl')
ROBOTS = Path('runs/benchmarks/robots')
"""folder of robot files that a change needs"""
BOX = 'action_box'
"""not a parameter but a fact of the robot file: the change gives a share of what is there"""
LAYER_NORM = 'layer_norm'
"""no parameter either: without it the critics are those of plain_critics.py"""

BY_HAND: Mapping[str, Any] = {
    'alive_reward': 0.5,
    'lean_scale_rad': 0.35,
    'upright_weight': 0.2,
}
"""parts of a reward that speak of leaning and falling, in place of the constraint"""

CHANGES: Mapping[str, Mapping[str, Any]] = {
    'default': {},
    'constraint off': {'constrained': False},
    'safety in the reward, by hand': {**BY_HAND, 'constrained': False},
    'constraint, and safety in the reward': BY_HAND,
    'constraint on, all of the box open': {'box_start': 1.0},
    'the box, and λ held at 0': {'initial_multiplier': 0.0, 'multiplier_rate': 0.0},
    'no way back after a fall': {'fall_back_steps': 0},
    'margin not capped': {'margin_cap_rad': 4.0, 'margin_required_rad': 0.15},
    'errors of values not bounded': {'reward_error_max': 1e6, 'margin_error_max': 1e6},
    'multiplier by PID': {'multiplier_law': 'pid'},
    # With two members the mean less one deviation is the lower of the two.
    'safety pessimism: four members, mean minus half a std': {
        'safety_pessimism': 'mean_minus_std',
        'safety_critics': 4,
        'safety_pessimism_std': 0.5,
    },
    'values not centred': {'center_values': False},
    'no layer norm': {LAYER_NORM: False},
    'no layer norm, no gate': {LAYER_NORM: False, 'gated': False},
    # 0.001 is what CrossQ was published with; 0.005 what it walked with on a robot.
    'CrossQ critics, rate 0.001': {'critic_kind': 'crossq', 'critic_rate': 0.001},
    'CrossQ critics, rate 0.001, no gate': {
        'critic_kind': 'crossq',
        'critic_rate': 0.001,
        'gated': False,
    },
    'CrossQ critics, rate 0.005': {'critic_kind': 'crossq', 'critic_rate': 0.005},
    'DroQ critics, 4 updates a step': {'dropout': 0.01, 'updates_per_step': 4.0},
    'DroQ critics, 20 updates a step': {'dropout': 0.01, 'updates_per_step': 20.0},
    '2 updates a step': {'updates_per_step': 2.0},
    '4 updates a step': {'updates_per_step': 4.0},
    'no eager beginning': {'eager_steps': 0},
    'no updates during the reset': {'updates_per_reset': 0},
    'exploration smooth for 0.15 s': {'noise_correlation_s': 0.15},
    'exploration smooth for 0.05 s': {'noise_correlation_s': 0.05},
    'actions smoothed by half': {'action_smoothing': 0.5},
    'reach halved': {BOX: 0.5},
    'reach one and a quarter': {BOX: 1.25},
    'saturated actions not drawn back': {'saturation_pull': 0.0},
    '3-step returns': {'n_step': 3},
    'feet need not keep time': {'rhythm_weight': 0.0},
    'no oscillator': {'use_oscillator': False},
    'no mirror': {'mirror': False},
    'a frame of history': {'history': 1},
    'history of 3': {'history': 3},
}


def settings_of(change: Mapping[str, Any], folder: Path = ROBOTS) -> dict[str, Any]:
    """Returns the parameters that `change` sets, writing the robot file it may need."""
    settings = dict(change)
    if BOX in settings:
        share = settings.pop(BOX)
        robot = yaml.safe_load((config_directory() / 'robots' / 'a1.yaml').read_text())
        robot['joints'][BOX] = [share * reach for reach in robot['joints'][BOX]]
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f'a1_box_{share:g}.yaml'
        write_atomically(path, yaml.safe_dump(robot))
        settings['robot'] = str(path)
    return settings


def read(path: Path) -> list[dict[str, Any]]:
    """Returns the trials in a file; one that was being written when all was stopped is cut off."""
    if not path.exists():
        return []
    cut_torn_line(path)
    return [json.loads(text) for text in path.read_text().splitlines()]


def key(trial: Mapping[str, Any]) -> tuple[str, str, int, float]:
    """Returns what tells trials apart: name and content of the change, seed, minutes."""
    content = json.dumps(trial['settings'], sort_keys=True)
    return trial['change'], content, trial['seed'], trial['minutes']


def wanted(names: Sequence[str], seeds: Sequence[int], minutes: float) -> list[dict[str, Any]]:
    """Returns the trials asked for, as the beginnings of their lines."""
    return [
        {'change': name, 'settings': dict(CHANGES[name]), 'seed': seed, 'minutes': minutes}
        for seed in seeds
        for name in names
    ]


def learn_changed(seed: int, minutes: float, settings: dict[str, Any]) -> dict[str, Any]:
    """Runs a trial, with critics of another kind where its settings ask for such."""
    if settings.pop(LAYER_NORM, True):
        return learn(seed, minutes, settings)
    with patch.object(critics, 'LayerNormCritics', PlainCritics):
        return learn(seed, minutes, settings)


def run(
    trials: Sequence[Mapping[str, Any]],
    path: Path,
    jobs: int,
    learn_one: Callable[[int, float, dict[str, Any]], dict[str, Any]] = learn_changed,
) -> None:
    """Runs what is not in the file yet and adds each trial as it ends."""
    known = {key(trial) for trial in read(path)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(jobs) as pool, path.open('a') as file:
        futures = {
            pool.submit(
                learn_one, trial['seed'], trial['minutes'], settings_of(trial['settings'])
            ): trial
            for trial in trials
            if key(trial) not in known
        }
        for future in as_completed(futures):
            trial = {**futures[future], **future.result()}
            file.write(json.dumps(trial) + '\n')
            file.flush()
            print(line(trial), flush=True)


def main() -> None:
    """Runs what is missing and prints the table of all that is there for these minutes."""
    parser = trial_cli.parser(__doc__, OUT, 'a line a trial', seeds='*')
    parser.add_argument('--changes', nargs='+', default=list(CHANGES), choices=list(CHANGES))
    options = parser.parse_args()
    run(wanted(options.changes, options.seeds, options.minutes), options.out, options.jobs)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in CHANGES}
    for trial in sorted(read(options.out), key=lambda trial: trial['seed']):
        if trial['minutes'] == options.minutes and trial['change'] in rows:
            rows[trial['change']].append(trial)
    print(table({name: trials for name, trials in rows.items() if trials}))


if __name__ == '__main__':
    main()
