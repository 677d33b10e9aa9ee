"""How long does a learner take from its start to its next update, with a million steps logged?

A run is made in a scratch folder, with steps of the A1's walking task and a checkpoint after the
last of them, and removed in the end. Then a fresh process does what the learner's node does:
imports, checkpoint, replay from the log, one update. Processor time counts beside wall time, for
what else runs on the machine weighs less on it.

    python benchmarks/restart.py --steps 1000000 --rounds 3

One JSON line comes last.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any, NamedTuple

STEPS_AN_EPISODE = 400
UNEVEN = 1009
"""different steps, over and over: a prime, so that they meet no period of anything else"""
SCALARS, EPISODE, STEP, TRUNCATED = 13, 1, 3, 11
"""numbers at the beginning of a step's record, and the places of some; its own number is first"""
GOAL_S = 20.0
"""[s] until it learns again, with a million steps (docs/safety.md)"""
_HEAD = struct.Struct('<HIQQ')
"""of a message in MCAP: channel, sequence, when it was logged and when published"""


class Pattern(NamedTuple):
    """What the records of a log have in common that are equally long."""

    start: bytes
    """of the file, before the first"""
    length: bytes
    """before each: that it is a message, and how long"""
    channel: int
    behind: bytes
    """after each, but for the digits of the checksum that end it"""


def training_of(path: Path) -> Any:
    """Returns the learner of the run at `path` as its node builds it, its records and sizes."""
    import torch

    from quad_learner import configuration
    from quad_learner.experience.run_directory import RunDirectory
    from quad_learner.learning.learner_config import LearnerConfig
    from quad_learner.learning.training import Training
    from quad_learner.resources import config_directory
    from quad_learner.robot.model import load
    from quad_learner.ros.packed import Records
    from quad_learner.task.config import TaskConfig
    from quad_learner.task.kinds import FORWARD
    from quad_learner.task.symmetry import symmetry
    from quad_learner.task.walk import WalkTask

    torch.set_num_threads(1)
    robot, folder = load('a1'), config_directory()
    task_config = configuration.read(TaskConfig, folder / 'task.yaml')
    task = WalkTask(robot, task_config)
    records = Records(robot, task.observation_size)
    training = Training(
        RunDirectory(path),
        robot,
        (task.observation_size, task.action_size),
        configuration.read(LearnerConfig, folder / 'learner.yaml'),
        0,
        {FORWARD: FORWARD},
        {FORWARD: symmetry(robot, task_config, FORWARD)},
        time.monotonic_ns,
        records.transition_from,
        records.transitions_from,
    )
    return training, records, (task.observation_size, task.action_size)


def make_run(path: Path, steps: int) -> None:
    """Makes a run of so many steps in the empty folder `path`, with a checkpoint at its end."""
    from quad_learner.experience.run_directory import create_at
    from quad_learner.learning import checkpoint

    run = create_at(path, {})
    training, records, sizes = training_of(path)
    write_log(run.experience, steps, records, *sizes)
    training.learner.last_sequence = steps
    checkpoint.save(run.checkpoint, training.learner, 1, training.identity)


def write_log(path: Path, steps: int, records: Any, observations: int, actions: int) -> None:
    """Writes what the log of so many steps would hold, with the bytes of one as the pattern.

    The writer itself takes minutes for a million: it is made for forty a second.
    """
    import numpy as np

    chance = np.random.default_rng(0)
    seen = chance.standard_normal((UNEVEN, observations)).astype(np.float32)
    done = np.tanh(chance.standard_normal((UNEVEN, actions))).astype(np.float32)
    first = records.transition_to(first_step(seen[0], done[0], seen[1]))
    pattern = pattern_of(path, first)
    scalars = len(first) - 4 * (2 * observations + 2 * actions)
    layout = first[: scalars - 4 * SCALARS]
    numbers = np.frombuffer(first[len(layout) : scalars], np.float32).copy()
    checksum = zlib.crc32(pattern.start)
    with path.open('wb') as file:
        file.write(pattern.start)
        for sequence in range(1, steps + 1):
            index, (episode, step) = sequence % UNEVEN, divmod(sequence - 1, STEPS_AN_EPISODE)
            numbers[0], numbers[EPISODE], numbers[STEP] = sequence, 1 + episode, step
            numbers[TRUNCATED] = step == STEPS_AN_EPISODE - 1
            parts = (numbers, seen[index], done[index], done[index], seen[index + 1 - UNEVEN])
            head = _HEAD.pack(pattern.channel, sequence, sequence, sequence)
            record = pattern.length + head + layout + b''.join(part.tobytes() for part in parts)
            file.write(record + pattern.behind + b'%08x' % zlib.crc32(record, checksum))
            checksum = 0


def first_step(observation: Any, action: Any, next_observation: Any) -> Any:
    """Returns the first step of a run."""
    from quad_learner.experience.transition import Transition
    from quad_learner.safety.modes import Reason
    from quad_learner.task.kinds import FORWARD

    return Transition(
        sequence=1,
        episode=1,
        task=FORWARD.number,
        step=0,
        time_ns=0,
        policy_version=1,
        observation=observation,
        asked=action,
        action=action,
        reward=1.0,
        constraint=0.1,
        next_observation=next_observation,
        terminated=False,
        truncated=False,
        reasons=Reason.NONE,
    )


def pattern_of(path: Path, message: bytes) -> Pattern:
    """Returns the parts of the log that its own writer makes at `path` of one message."""
    from quad_learner.experience.log import CHECKSUM_DIGITS, ExperienceLog

    log = ExperienceLog(path, lambda: 0)
    log.open()
    start = path.read_bytes()
    log.append(1, message, 0)
    whole = path.read_bytes()
    at = whole.index(message)
    head = at - _HEAD.size
    channel = _HEAD.unpack_from(whole, head)[0]
    behind = whole[at + len(message) : -CHECKSUM_DIGITS]
    return Pattern(start, whole[len(start) : head], channel, behind)


def restart(path: Path, began: float) -> dict[str, float]:
    """Returns what passed [s] up to each stage, counted from `began` on the monotonic clock."""
    training, _, _ = training_of(path)
    stages = {'imported_cpu': time.process_time(), 'imported': time.monotonic() - began}
    training.open()
    stages |= {'restored_cpu': time.process_time(), 'restored': time.monotonic() - began}
    training.learner.update()
    stages |= {'updated_cpu': time.process_time(), 'updated': time.monotonic() - began}
    return {**stages, 'replay': float(len(training.learner.replay))}


def main() -> int:
    """Measures; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--steps', type=int, default=1_000_000)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--restart', type=Path, help=argparse.SUPPRESS)
    parser.add_argument('--began', type=float, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.restart:
        print(json.dumps(restart(given.restart, given.began)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / 'run'
        make_run(run, given.steps)
        rounds = []
        for _ in range(given.rounds):
            command = [sys.executable, __file__, '--restart', str(run)]
            command += ['--began', str(time.monotonic())]
            said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
            rounds.append(json.loads(said.splitlines()[-1]))
    median = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
    for name, value in median.items():
        print(f'{name:14} {value:12.2f}')
    print(f'goal           {GOAL_S:12.2f}  load {os.getloadavg()[0]:.1f}')
    print(json.dumps({'steps': given.steps, 'rounds': rounds, 'median': median}))
    return 0


if __name__ == '__main__':
    sys.exit(main())
