"""Is a robot that was shoved over back on its feet, and walking, without a hand? With pictures.

The policy of a run walks, without exploring. Some seconds into an episode the robot is shoved
in a direction drawn by chance, hard enough to fall over more often than not. What follows is the
graph's own: safety stops, reset gets up, the policy walks on. Nothing is teleported.

    python benchmarks/shoved.py runs/latest --shoves 20
    python benchmarks/shoved.py runs/latest --shoves 1 --strip shoved.png

Prints a line a shove, the shares and one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from film import Film
from quad_learner.evaluation import Performance, configs_of_run
from quad_learner.experience.run_directory import open_run
from quad_learner.policy.onnx_policy import OnnxPolicy
from quad_learner.robot.signals import NANOSECONDS, JointTarget
from quad_learner.simulation.in_process import InProcessGraph

WALKED_S = 3.0
"""[s] of walking before the shove"""
IMPULSE_NS = 40.0
"""[N·s] 3.3 m/s for the 12 kg of an A1: a kick, not a nudge"""
AFTER_S = 4.0
"""[s] of the episode after it, long enough to see that it walks"""
PICTURES_A_SECOND = 5
"""of simulated time, while filming"""
PICTURE = (240, 180)
"""[pixels]"""
PICTURES, ROWS = 10, 2
"""in a strip"""


def filmed(graph: InProcessGraph) -> Film:
    """Returns a film of `graph`, which looks at each of its ticks from now on."""
    film = Film(graph.sim, graph.robot.command_hz // PICTURES_A_SECOND, PICTURE)
    move = graph.move

    def move_and_look(target: JointTarget | None) -> None:
        move(target)
        film.look()

    graph.move = move_and_look  # type: ignore[method-assign]
    return film


def shove(
    performance: Performance, impulse: NDArray[np.float64], film: Film | None
) -> dict[str, Any]:
    """Returns what came of one shove.

    It says whether the robot fell, and before or after the shove. If after: whether it got up, how
    long after the shove it began to walk again [s], and how far it then came in AFTER_S [m].
    """
    sim, hz = performance.graph.sim, performance.robot.policy_hz
    begins = round((WALKED_S - 1.0) * hz)
    shoves = round(WALKED_S * hz)
    at: dict[str, int] = {}

    def push(step: int) -> None:
        if step == begins and film is not None:
            film.begin()
        if step == shoves:
            sim.push(impulse)
            at['shove'] = sim.time_ns

    def again(step: int) -> None:
        at.setdefault('walks', sim.time_ns)

    first = performance.episode(on_step=push, seconds=WALKED_S + AFTER_S)
    shoved = 'shove' in at
    if first is None or not shoved:
        return {'shoved': shoved, 'fell': first is not None, 'up': first is not None}
    if not first.fell:
        return {'shoved': True, 'fell': False, 'up': True}
    second = performance.episode(on_step=again, seconds=AFTER_S)
    outcome = {'shoved': True, 'fell': True, 'up': second is not None}
    if second is None:
        return outcome
    seconds = (at['walks'] - at['shove']) / NANOSECONDS
    return outcome | {
        'walks_after_s': round(seconds, 2),
        'way_m': round(second.bout.way, 2),
        'fell_again': second.fell,
    }


def summary(outcomes: list[dict[str, Any]]) -> list[str]:
    """Returns in lines what all shoves came to."""
    shoved = [o for o in outcomes if o['shoved']]
    fallen = [o for o in shoved if o['fell']]
    back = [o['walks_after_s'] for o in fallen if o['up']]
    lines = [
        f'{len(fallen)} of {len(shoved)} shoves threw it over, {len(back)} times it walked again'
    ]
    if back:
        lines.append(
            f'median {statistics.median(back):.1f} s, longest {max(back):.1f} s after the shove'
        )
    return lines


def main() -> None:
    """Shoves and tells."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('run', type=Path, help='folder of a run')
    parser.add_argument('--shoves', type=int, default=20)
    parser.add_argument('--impulse', type=float, default=IMPULSE_NS, help='[N·s]')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--strip', type=Path, help='where to write pictures of the last one')
    options = parser.parse_args()
    run = open_run(options.run)
    configs = configs_of_run(run, seed=options.seed)
    performance = Performance(configs)
    performance.connect(OnnxPolicy(run.policy.read_bytes()))
    chance = np.random.default_rng(options.seed)
    film = filmed(performance.graph) if options.strip else None
    outcomes: list[dict[str, Any]] = []
    for _ in range(options.shoves):
        angle = chance.uniform(-np.pi, np.pi)
        impulse = options.impulse * np.array([np.cos(angle), np.sin(angle), 0.0])
        outcomes.append({'angle_rad': round(angle, 2), **shove(performance, impulse, film)})
        print(*(f'{name} {value}' for name, value in outcomes[-1].items()), flush=True)
        if film is not None:
            film.end()
        if not outcomes[-1]['up']:
            break
    if film is not None and film.pictures:
        film.save(options.strip, PICTURES, ROWS)
    performance.close()
    print('\n'.join(summary(outcomes)))
    print(json.dumps({'benchmark': 'shoved', 'seed': options.seed, 'outcomes': outcomes}))


if __name__ == '__main__':
    main()
