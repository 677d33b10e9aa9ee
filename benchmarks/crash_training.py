"""The learner itself for `crash`: small networks, steps that their number alone decides."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from crash_work import RESTORED, STEP, Promise
from quad_learner import configuration
from quad_learner.experience.run_directory import RunDirectory, create_at
from quad_learner.experience.steps import Steps
from quad_learner.experience.transition import Transition
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.learning.training import Training
from quad_learner.resources import config_directory
from quad_learner.robot.model import load
from quad_learner.safety.modes import Reason
from quad_learner.task.kinds import FORWARD

OBSERVATIONS, ACTIONS, STEPS_AN_EPISODE = 3, 2, 25
SMALL = {
    'replay_capacity': 100_000,
    'warmup_steps': 8,
    'batch_size': 8,
    'mirror': False,
    'critic_width': 16,
    'actor_width': 16,
    'publish_every': 5,
    'checkpoint_every': 10,
}


def _step(number: int) -> Transition:
    chance = np.random.default_rng(number)
    action = np.tanh(chance.standard_normal(ACTIONS)).astype(np.float32)
    return Transition(
        sequence=number,
        episode=1 + number // STEPS_AN_EPISODE,
        task=FORWARD.number,
        step=number % STEPS_AN_EPISODE,
        time_ns=number,
        policy_version=0,
        observation=chance.standard_normal(OBSERVATIONS).astype(np.float32),
        asked=action,
        action=action,
        reward=float(chance.standard_normal()),
        constraint=float(chance.standard_normal()),
        next_observation=chance.standard_normal(OBSERVATIONS).astype(np.float32),
        terminated=False,
        truncated=number % STEPS_AN_EPISODE == 0,
        reasons=Reason.NONE,
    )


def _read(data: bytes) -> Transition:
    return _step(int(data))


def _read_all(messages: Sequence[bytes]) -> Steps:
    return Steps.of([_read(data) for data in messages])


def _opened(folder: Path) -> Training:
    torch.set_num_threads(1)
    if not (folder / 'versions.json').exists():
        shutil.rmtree(folder, ignore_errors=True)
        create_at(folder, {})
    config = configuration.read(LearnerConfig, config_directory() / 'learner.yaml', SMALL)
    training = Training(
        RunDirectory(folder),
        load('a1'),
        (OBSERVATIONS, ACTIONS),
        config,
        os.getpid(),
        {FORWARD: FORWARD},
        {FORWARD: None},
        lambda: 0,
        _read,
        _read_all,
    )
    training.open()
    return training


def learn(folder: Path, promise: Promise) -> None:
    """Learns, from where the run in `folder` is, until it is killed."""
    training = _opened(folder)
    while True:
        training.take_in(b'%d' % (training.sequence + 1), lambda: True)
        promise(STEP, training.sequence)


def take_up(folder: Path, promise: Promise) -> None:
    """Tells how far a fresh learner finds the run, and how many steps it has to learn from."""
    training = _opened(folder)
    promise(RESTORED, training.sequence)
    promise(STEP, len(training.learner.replay))
