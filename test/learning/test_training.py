"""A run's learner: what it gives away is sound, and a killed run goes on as if never stopped."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from quad_learner.experience.run_directory import RunDirectory, create_at
from quad_learner.experience.steps import Steps
from quad_learner.experience.transition import Transition
from quad_learner.learning import checkpoint
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.learning.training import Training
from quad_learner.robot.model import RobotModel, load

ConfigBuilder = Callable[..., LearnerConfig]
StepBuilder = Callable[..., Transition]


@pytest.fixture
def steps(make_step: StepBuilder) -> list[Transition]:
    """Returns 300 steps in episodes of 25, each beginning where the last one led."""
    generator, steps, seen = np.random.default_rng(0), [], np.zeros(3, np.float32)
    for number in range(1, 301):
        ended = {'terminated': False, 'truncated': number % 25 == 0}
        steps.append(make_step(number, generator, observation=seen, **ended))
        seen = steps[-1].next_observation
    return steps


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """Returns the folder of a run that has just begun."""
    return create_at(tmp_path / 'run', {})


@pytest.fixture(scope='module')
def robot() -> RobotModel:
    """Returns the robot that the models are said to be for."""
    return load('a1')


def _training(
    run: RunDirectory, robot: RobotModel, config: LearnerConfig, steps: list[Transition]
) -> Training:
    """Opens a run whose messages are the steps' numbers."""
    training = Training(
        run,
        robot,
        (3, 2),
        config,
        0,
        None,
        lambda: 0,
        lambda data: steps[int(data) - 1],
        lambda many: Steps.of([steps[int(data) - 1] for data in many]),
    )
    training.open()
    return training


def _lived(training: Training, first: int, last: int) -> list[bytes]:
    """Returns the models given away while the steps from `first` to `last` were taken in."""
    models = [training.take_in(b'%d' % n, lambda: True) for n in range(first, last + 1)]
    return [model for model in models if model is not None]


def _is_finite(model: bytes) -> bool:
    session = onnxruntime.InferenceSession(model, providers=['CPUExecutionProvider'])
    answers = session.run(None, {'observation': np.ones((1, 3), np.float32)})
    return all(np.isfinite(answer).all() for answer in answers)


@pytest.mark.parametrize('poisoned', ['actor_adam', 'critic_adam'])
def test_nothing_poisoned_is_given_away_or_saved(
    run: RunDirectory,
    robot: RobotModel,
    make_config: ConfigBuilder,
    steps: list[Transition],
    poisoned: str,
) -> None:
    # It is left no time to go back by itself.
    config = make_config(publish_every=10, skips_before_rollback=10_000)
    training = _training(run, robot, config, steps)
    _lived(training, 1, 49)
    learned = getattr(training.learner, poisoned).vector.data
    learned[3] = math.nan
    models = _lived(training, 50, 60)
    assert len(models) == 2
    assert all(_is_finite(model) for model in models)

    learned[3] = math.nan
    assert training.save() == ''
    assert _is_finite(run.policy.read_bytes())
    for name, tensor in checkpoint.read(run.checkpoint).tensors.items():
        assert torch.isfinite(tensor.sum()), name


@pytest.mark.parametrize('law', ['ascent', 'pid'])
def test_a_killed_run_goes_on_bit_for_bit(
    run: RunDirectory,
    robot: RobotModel,
    make_config: ConfigBuilder,
    steps: list[Transition],
    tmp_path: Path,
    law: str,
) -> None:
    config = make_config(multiplier_law=law, replay_capacity=60, checkpoint_every=100)
    training = _training(run, robot, config, steps)
    _lived(training, 1, 100)
    shutil.copytree(run.path, tmp_path / 'killed')
    resumed = _training(RunDirectory(tmp_path / 'killed'), robot, config, steps)
    updates = training.learner.updates
    assert (resumed.sequence, resumed.learner.updates) == (100, updates)
    for one in (training, resumed):
        _lived(one, 101, 200)
    assert training.learner.updates >= updates + 100
    assert resumed.learner.updates == training.learner.updates
    assert resumed.learner.dual_state() == training.learner.dual_state()
    again = resumed.learner.learned_tensors()
    for name, tensor in training.learner.learned_tensors().items():
        assert torch.equal(tensor, again[name]), name


def test_what_came_after_the_checkpoint_is_taken_up_from_the_log(
    run: RunDirectory, robot: RobotModel, make_config: ConfigBuilder, steps: list[Transition]
) -> None:
    config = make_config(checkpoint_every=100)
    _lived(_training(run, robot, config, steps), 1, 130)
    resumed = _training(run, robot, config, steps)
    assert (resumed.sequence, len(resumed.learner.replay)) == (130, 130)
    assert resumed.learner.normaliser.count == 130
    assert resumed.due_updates == 0
