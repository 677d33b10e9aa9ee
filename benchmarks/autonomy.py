"""Does it stay where it may be, and learn all tasks, with nobody near?

The benchmark `learning` with several tasks in a bounded workspace: each task has a learner of its
own, the scheduler leads the robot back, and it gets up by itself. Where it is, is told by the
robot's own estimate, or with --external-pose by a simulated tag once a second; what is scored is
the truth.

    python benchmarks/autonomy.py --seeds 0 1 2 --minutes 60
    python benchmarks/autonomy.py --minutes 3 --tasks forward,backward --external-pose
    python benchmarks/autonomy.py --params-file config/problems/minitaur_ha2020.yaml \
        --set robot=minitaur --set terrain=mattress --external-pose

Prints a line a seed, a table and one line of JSON.
"""

from __future__ import annotations

import os

os.environ['OMP_NUM_THREADS'] = '1'

import argparse
import json
import math
import statistics
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from following import Following
from learning import Trial, read
from process_growth import growth
from quad_learner import configuration
from quad_learner.experience.durable import write_atomically
from quad_learner.graph import GraphConfig
from quad_learner.gymnasium_env import WalkEnv
from quad_learner.learning.learner import Learner
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.learning.mirror import Mirror
from quad_learner.learning.trainee import seed_of, share_of
from quad_learner.policy.chooser import Chooser
from quad_learner.policy.config import PolicyConfig
from quad_learner.process_size import Size, size
from quad_learner.reset.state import State
from quad_learner.resources import config_directory
from quad_learner.robot.rotations import roll_pitch_yaw
from quad_learner.task.config import TaskConfig
from quad_learner.task.course import workspace_of
from quad_learner.task.kinds import KINDS, Kind
from quad_learner.task.symmetry import symmetry
from quad_learner.task.workspace import Place
from scoring import ScoredEnv, TrialOver, line, without_curves

TASKS = ('forward', 'backward', 'left', 'right')
WORKSPACE_M = (4.0, 3.0)
OUT = Path('runs/benchmarks/autonomy.json')
EXTERNAL_POSE_HZ = 1.0
"""[Hz] of the simulated tag with --external-pose"""
LOST_LAST = 1000
"""decisions that `lost_m` is the mean of: 25 s"""
LAST = 3
"""episodes of a task that its speed is the mean of"""
TOLD_EVERY_S = 600.0
"""[s] of robot time between two lines that say how a run goes"""
WARM_UP_S = 600.0
"""[s] of robot time that memory may grow in: the first updates and get-ups of each kind"""
SHORT_S = 1.0
"""[s] an episode that is shorter, and did not end in a fall, is no evidence of speed"""


@dataclass(frozen=True)
class Leg:
    """One episode, by the truth."""

    kind: Kind
    end_s: float
    seconds: float
    ahead: float
    """way made good along the first heading [m]"""
    turned: float
    """[rad], whole turns included"""
    reward: float
    """mean of a step"""
    fell: bool

    @property
    def speed(self) -> float:
        """In the task's own unit, m/s or rad/s; of `velocity` the mean reward of a step."""
        if self.kind.commanded:
            return self.reward
        return (self.kind.along * self.ahead + self.kind.turn * self.turned) / self.seconds


class WatchedEnv(ScoredEnv):
    """Also notes where the robot really is, at each decision while it drives and gets up."""

    def __init__(self, walk: WalkEnv, minutes: float, config: TaskConfig) -> None:
        super().__init__(walk, minutes)
        self._workspace = workspace_of(config)
        self.legs: list[Leg] = []
        self._sizes: list[Size] = []
        self.outside = self.watched = 0
        self.strays: list[tuple[float, float, float]] = []
        """times beyond the bounds: from, to [s], and how far at most [m]"""
        self._is_out = False
        self._following = Following(1.0 / walk.robot.policy_hz)
        self.gave_up = 0
        """times that get-up lay down and waited, for a while or for a person"""
        self._gives_up = False
        self.furthest = -math.inf
        """beyond the bounds [m]"""
        self._yaw = self._turned = 0.0
        self._lost: list[float] = []

    def watch(self) -> None:
        """Notes where the robot is now."""
        super().watch()
        truth = self.walk.graph.sim.truth()
        yaw = roll_pitch_yaw(truth.orientation)[2]
        place = Place(float(truth.position[0]), float(truth.position[1]), yaw)
        beyond = self._workspace.beyond(place)
        self.watched += 1
        self.outside += beyond > 0.0
        self.furthest = max(self.furthest, beyond)
        self._note_stray(beyond)
        self._turned += math.remainder(yaw - self._yaw, 2.0 * math.pi)
        self._yaw = yaw
        thought = self.walk.course.place
        self._lost.append(math.hypot(thought.x - place.x, thought.y - place.y))
        given_up = self.walk.graph.get_up.state is State.GIVE_UP
        self.gave_up += given_up and not self._gives_up
        self._gives_up = given_up

    def _note_stray(self, beyond: float) -> None:
        if beyond <= 0.0:
            self._is_out = False
            return
        now_s = round(self.robot_time_s, 1)
        if not self._is_out:
            self.strays.append((now_s, now_s, 0.0))
        begin_s, _, furthest = self.strays[-1]
        self._is_out = True
        self.strays[-1] = (begin_s, now_s, max(furthest, round(beyond, 3)))

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        """Gets the robot up."""
        found = super().reset(**options)
        self._turned = 0.0
        return found

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Drives for one policy period."""
        command = self.walk.course.wanted()
        result = super().step(action)
        if self.walk.kind.commanded:
            truth = self.walk.graph.sim.truth()
            rate = float(truth.angular_velocity_world[2])
            self._following.note(command, truth.velocity_world, self._yaw, rate)
        if result[2] or result[3]:
            self._following.end()
            episode = self.rows[-1].episode
            leg = Leg(
                self.walk.kind,
                episode.end_s,
                self._length / self.walk.robot.policy_hz,
                episode.displacement,
                self._turned,
                episode.total_reward / self._length,
                episode.fell,
            )
            self.legs.append(leg)
            size_now = size(os.getpid(), self.robot_time_s)
            if size_now is not None:
                self._sizes.append(size_now)
        return result

    def so_far(self) -> str:
        """Returns how the trial goes, in a line."""
        own = self.by_task()
        return (
            f'{self.robot_time_s / 60.0:.0f} min, falls {sum(leg.fell for leg in self.legs)}, '
            f'outside {100.0 * self.outside / max(1, self.watched):.2f} %, '
            + ', '.join(f'{name} {last_speed(legs)}' for name, legs in own.items())
        )

    def by_task(self) -> dict[str, list[Leg]]:
        """Returns the episodes of each task, by its name."""
        kinds = self.walk.course.kinds
        return {kind.name: [leg for leg in self.legs if leg.kind is kind] for kind in kinds}

    def autonomy(self) -> dict[str, Any]:
        """Returns the figures of the trial."""
        own = self.by_task()
        grown = growth(self._sizes, WARM_UP_S)
        return {
            'resident_mib': None if grown is None else round(grown.resident_mib, 1),
            'mib_per_robot_hour': None if grown is None else round(grown.mib_per_hour, 2),
            'human_resets': int(self.walk.graph.sim.human_resets),
            'gave_up': self.gave_up,
            'outside_share': round(self.outside / max(1, self.watched), 5),
            'furthest_out_m': round(self.furthest, 3),
            **self._following.figures(),
            'strays': self.strays,
            'lost_m': round(statistics.fmean(self._lost[-LOST_LAST:]), 3),
            'speeds': {name: last_speed(legs) for name, legs in own.items()},
            'minutes': {
                name: round(sum(leg.seconds for leg in legs) / 60.0, 2)
                for name, legs in own.items()
            },
            'episodes_of': {name: len(legs) for name, legs in own.items()},
            'falls_of': {name: sum(leg.fell for leg in legs) for name, legs in own.items()},
            'curves_of': {
                name: [(round(leg.end_s, 1), round(leg.speed, 3), leg.fell) for leg in legs]
                for name, legs in own.items()
            },
        }


def last_speed(legs: Sequence[Leg]) -> float | None:
    """Returns the mean speed of the last episodes that tell, None where there are too few."""
    telling = [leg.speed for leg in legs if leg.fell or leg.seconds >= SHORT_S][-LAST:]
    return round(float(np.mean(telling)), 3) if len(telling) == LAST else None


def learn(seed: int, minutes: float, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the figures of one seed; `changes` are parameters that differ from the shipped."""
    torch.set_num_threads(1)
    policy = read(PolicyConfig, 'policy', changes)
    task = read(TaskConfig, 'task', changes)
    taught_by = task.taught_by()
    learned = tuple(dict.fromkeys(taught_by.values()))
    config = share_of(read(LearnerConfig, 'learner', changes), len(learned))
    others = {field.name for kind in (PolicyConfig, LearnerConfig) for field in fields(kind)}
    walk = WalkEnv(**{key: value for key, value in changes.items() if key not in others})
    sizes = walk.observation_space.shape[0], walk.action_space.shape[0]
    graph = configuration.read(GraphConfig, config_directory() / 'graph.yaml', {'seed': seed})
    noise = graph.generator('exploration')
    env = WatchedEnv(walk, minutes, task)

    def trial(kind: Kind) -> Trial:
        found = symmetry(walk.robot, task, kind)
        mirror = None if found is None else Mirror(*found)
        learner = Learner(*sizes, config, seed_of(kind, seed), mirror)
        return Trial(env, learner, Chooser(policy, *sizes, 1.0 / walk.robot.policy_hz, noise))

    trials = {kind: trial(kind) for kind in learned}
    try:
        observation, _ = env.reset(seed=seed)
        due = TOLD_EVERY_S
        while True:
            trials[taught_by[walk.kind]].episode(observation)
            if env.robot_time_s >= due:
                due += TOLD_EVERY_S
                sys.stderr.write(f'seed {seed}: {env.so_far()}\n')
            observation, _ = env.reset()
    except TrialOver as over:
        problem = str(over)
    updates = {kind.name: each.learner.updates for kind, each in trials.items()}
    result = {'seed': seed, **env.figures(), **env.autonomy(), 'updates': updates}
    env.close()
    return result | {'problem': problem}


def changes_of(options: argparse.Namespace) -> dict[str, Any]:
    """Returns the parameters that differ from the shipped ones; what is said later wins.

    Raises:
        ConfigurationError: the parameter file cannot be read.
    """
    changes = {'tasks': list(TASKS), 'workspace_m': list(WORKSPACE_M)}
    if options.params_file is not None:
        changes |= configuration.read_values(options.params_file)
    if options.tasks is not None:
        changes['tasks'] = options.tasks.split(',')
    if options.workspace is not None:
        changes['workspace_m'] = [float(size) for size in options.workspace.split('x')]
    changes['external_pose_hz'] = EXTERNAL_POSE_HZ if options.external_pose else 0.0
    pairs = (words.split('=', 1) for words in options.set)
    return changes | {name: yaml.safe_load(value) for name, value in pairs}


def table(results: Sequence[Mapping[str, Any]], tasks: Sequence[str]) -> str:
    """Returns a Markdown table: a line a seed.

    Nobody is there to help: a robot that needs it ends its trial, so what tells are the minutes.
    """
    units = {
        name: 'reward' if KINDS[name].commanded else 'rad/s' if KINDS[name].turn else 'm/s'
        for name in tasks
    }
    titles = [
        *('seed', 'minutes reached', 'human resets', 'gave up', 'outside [%]'),
        *('furthest out [m]', 'falls', 'tumbles'),
        *(f'{name} [{units[name]}]' for name in tasks),
    ]
    lines = [titles, ['---'] * len(titles)]
    for result in results:
        speeds = (result['speeds'][name] for name in tasks)
        lines.append(
            [
                str(result['seed']),
                f'{result["robot_time_s"] / 60.0:.1f}',
                *(str(result[name]) for name in ('human_resets', 'gave_up')),
                f'{100.0 * result["outside_share"]:.2f}',
                *(str(result[name]) for name in ('furthest_out_m', 'falls', 'tumbles')),
                *('—' if speed is None else f'{speed:.2f}' for speed in speeds),
            ]
        )
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)


def options_of(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns what the command line `words` asks for, None for the process's own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seeds', type=int, nargs='+', default=[0])
    parser.add_argument('--minutes', type=float, default=60.0, help='of robot time')
    parser.add_argument('--params-file', type=Path, help='parameters that differ from the shipped')
    parser.add_argument('--tasks', help=f'with commas (default {",".join(TASKS)})')
    parser.add_argument('--workspace', help='length x width [m] (default 4x3)')
    parser.add_argument('--external-pose', action='store_true', help='a tag tells where it is')
    parser.add_argument('--jobs', type=int, default=2, help='seeds at a time')
    parser.add_argument('--set', action='append', default=[], metavar='NAME=VALUE')
    parser.add_argument('--out', type=Path, default=OUT, help=f'JSON with curves (default {OUT})')
    return parser.parse_args(words)


def main() -> None:
    """Prints a line a seed, the table and one line of JSON."""
    options = options_of()
    changes = changes_of(options)
    tasks = changes['tasks']
    results = []
    with ProcessPoolExecutor(options.jobs) as pool:
        futures = [pool.submit(learn, seed, options.minutes, changes) for seed in options.seeds]
        for future in as_completed(futures):
            results.append(future.result())
            print(line(shown(results[-1])), flush=True)
    results.sort(key=lambda result: options.seeds.index(result['seed']))
    print(table(results, tasks))
    asked = {'seeds': options.seeds, 'minutes': options.minutes, 'parameters': changes}
    content = {'benchmark': 'autonomy', **asked, 'results': results}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(options.out, json.dumps(content) + '\n')
    print(json.dumps(content | {'results': [shown(result) for result in results]}))


def shown(result: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the figures that fit a line."""
    curves = ('curves_of', 'strays')
    return {k: v for k, v in without_curves(result).items() if k not in curves}


if __name__ == '__main__':
    main()
