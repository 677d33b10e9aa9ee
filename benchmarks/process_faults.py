"""How soon is the robot safe when a process is killed or frozen, and does it stay so?

The real graph in real time, on this machine alone, in a ROS domain of its own, without a learner:
an untrained policy drives, which steps about the stance, or the one given with --policy. Again and
again policy, estimator, safety or the robot's own node gets SIGKILL or SIGSTOP at a random moment
while the robot stands, walks or gets up. Measured is the time from the signal to the first moment
at which the robot damps or follows a command that does not need the process: by the robot's own
record, with the steady clock that processes share. For the robot's node itself it is the first
stop that safety sends. Then the process goes on or is begun anew.

    python benchmarks/process_faults.py --trials 3
    python benchmarks/process_faults.py --minutes 8 --processes policy estimator safety
    python benchmarks/process_faults.py --states walking --policy runs/latest/policy.onnx

--trials are of each signal, process and state; --minutes makes as many as fit. --orders strikes
all four, in each of the 24 orders, so many times with each signal, while walking. --ages is a
parameter file; without it the ages are those that the package ships. To save time a stop may end
at once here, and reset makes fresh requests soon: neither changes how a stop begins.

A trial that took longer than its bound is told with what was heard, and with whether the machine
itself stood still meanwhile (pauses.py). It counts all the same.

It ends with 1 if a bound is not kept, a session went on that a stop had ended, the judge found a
command unsafe, or less was tried than asked for; with 2, whatever was found, if a plain loop of
5 ms, or the robot's tick while nothing was wrong, was later than 10 ms more than once in a
thousand: then the machine was too busy to measure anything. One JSON line comes last.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import rclpy

from fault_bench import SIGNALS, Bench, Stranger, StuckError
from fault_graph import Graph
from fault_report import BOUND_MS, Findings, shares, table, tell, verdict
from fault_verdict import State
from lateness import lateness_ms
from pauses import Sleepers
from quad_learner.configuration import read
from quad_learner.learn import node_environment
from quad_learner.resources import config_directory
from quad_learner.robot.model import load
from quad_learner.task.config import TaskConfig
from quad_learner.task.walk import WalkTask
from run_watcher import ENDLESS_MIN

DOMAIN = '98'
"""of ROS, for this benchmark alone"""
LATE_MS = 10.0
"""[ms] 99.9 % of loop and ticks must be less late than this, or nothing was measured"""
HURRY = {'clear_time_s': 0.05, 'rearm_interval_s': 0.0, 'latch_trips': 100, 'request_grace': 0.1}
HURRY |= {'attempts': 20, 'blend_time': 0.1, 'standing_hold': 0.05, 'cool_down': 0.0}
HURRY |= {'rest_cooling': 0.5}  # motors get warm by getting up again and again
"""parameters that shorten the way back to where the next trial begins"""
SECONDS_A_MINUTE = 60.0
TOLD = 10
"""unsafe commands that are told in words"""


def untrained(seed: int) -> bytes:
    """Returns the model of a policy that has learned nothing: it wriggles about the stance."""
    # The fork server's children read this file too, and need no torch.
    import torch

    from quad_learner.learning.actor import Actor
    from quad_learner.learning.export import policy_onnx
    from quad_learner.learning.learner_config import LearnerConfig

    config = config_directory()
    task = WalkTask(load('a1'), read(TaskConfig, config / 'task.yaml', {}))
    learner = read(LearnerConfig, config / 'learner.yaml', {})
    generator = torch.Generator().manual_seed(seed)
    return policy_onnx(
        Actor(task.observation_size, task.action_size, learner, generator), {'version': '1'}
    )


def rounds(options: argparse.Namespace) -> Iterator[int]:
    """Counts rounds, one trial of everything each, until there are enough or the time is over."""
    began = time.monotonic()
    for number in itertools.count():
        spent = (time.monotonic() - began) / SECONDS_A_MINUTE
        if number >= options.trials if options.minutes is None else spent >= options.minutes:
            return
        if options.minutes is not None:
            options.trials = number + 1
        yield number


def strike(bench: Bench, options: argparse.Namespace) -> None:
    """Makes all trials, in an order drawn by the seed."""
    random = np.random.default_rng(options.seed)
    cells = list(itertools.product(options.signals, options.processes))
    for _ in rounds(options):
        for state in map(State, options.states):
            bench.begin(may_drive=state is State.WALKING)
            for cell in random.permutation(len(cells)):
                bench.trial(*cells[cell], state)
    if options.orders:
        bench.begin(may_drive=True)
    for _ in range(options.orders):
        for name in options.signals:
            for order in itertools.permutations(BOUND_MS):
                bench.order(name, order)


def tried(options: argparse.Namespace) -> Findings:
    """Returns what all trials found, on a graph that is there for them alone."""
    with tempfile.TemporaryDirectory() as folder:
        graph = Graph(
            Path(folder), HURRY | {'seed': options.seed, 'minutes': ENDLESS_MIN}, options.ages
        )
        graph.start_all()
        rclpy.init()
        policy = options.policy.read_bytes() if options.policy else untrained(options.seed)
        bench = Bench(graph, Stranger(policy), options.seed)
        try:
            strike(bench, options)
        except StuckError as stuck:
            bench.found.complaints.append(str(stuck))
        finally:
            graph.kill_all()
            graph.chronicle.close()
            rclpy.shutdown()
        said = graph.said('robot').splitlines()
        bench.found.complaints += [line for line in said if 'unsafe command' in line][:TOLD]
    return bench.found


def lateness_told(busy: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Prints how late each of `busy` was [ms]; returns what all but one in a thousand kept."""
    kept = {name: float(np.percentile(ms, 99.9, method='higher')) for name, ms in busy.items()}
    for name, values in busy.items():
        p50, p99, largest = shares(values).values()
        print(
            f'{name} was late by p50 {p50:.1f}, p99 {p99:.1f}, p99.9 {kept[name]:.1f}, '
            f'max {largest:.1f} ms, n {len(values)}'
        )
    return kept


def asked() -> argparse.Namespace:
    """Returns what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--trials', type=int, default=3, help='of each signal, process and state')
    parser.add_argument('--minutes', type=float, help='whole rounds begun in so long a time')
    parser.add_argument('--orders', type=int, default=0, help='times every order of all four')
    parser.add_argument('--signals', nargs='+', choices=SIGNALS, default=list(SIGNALS))
    parser.add_argument('--processes', nargs='+', choices=BOUND_MS, default=list(BOUND_MS))
    names = [state.value for state in State]
    parser.add_argument('--states', nargs='+', choices=names, default=names)
    parser.add_argument('--ages', type=Path, help='parameter file with other ages')
    parser.add_argument('--policy', type=Path, help='ONNX file that drives; default: untrained')
    parser.add_argument('--seed', type=int, default=0)
    return parser.parse_args()


def main() -> None:
    """Prints a table and one line of JSON."""
    options = asked()
    os.environ |= node_environment({**os.environ, 'ROS_DOMAIN_ID': DOMAIN})
    began = time.monotonic()
    late = lateness_ms()
    with Sleepers() as sleepers:
        found = tried(options)
    late += lateness_ms()
    rows = table(found, options)
    tell(found, rows, options, sleepers.pauses)
    late_ms = lateness_told({'a plain loop of 5 ms': late, "the robot's tick": found.tick_late_ms})
    wrong = verdict(found, rows, options)
    print(*wrong, sep='\n')
    invalid = max(late_ms.values()) > LATE_MS
    print('INVALID: the machine was too busy' if invalid else 'FAILED' if wrong else 'kept')
    # JSON knows no infinity: what was never safe is null.
    told = [{k: None if v == float('inf') else v for k, v in row.items()} for row in rows]
    result = {'benchmark': 'process_faults', 'seed': options.seed, 'rows': told, 'wrong': wrong}
    result |= {
        'ages': str(options.ages or 'shipped'),
        'policy': str(options.policy or 'untrained'),
        'invalid': invalid,
        'late_p99_9_ms': late_ms,
    }
    result |= {'orders': dict(found.recovered), 'wall_s': time.monotonic() - began}
    print(json.dumps(result, default=float))
    sys.exit(2 if invalid else 1 if wrong else 0)


if __name__ == '__main__':
    main()
