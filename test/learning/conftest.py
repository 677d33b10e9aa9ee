"""Builders shared by the tests of learning: small learners, steps and batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from quad_learner import configuration
from quad_learner.experience.run_directory import RunDirectory, create_at
from quad_learner.experience.transition import Transition
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.resources import config_directory
from quad_learner.robot.model import RobotModel, load
from quad_learner.safety.modes import Reason

ConfigBuilder = Callable[..., LearnerConfig]
StepBuilder = Callable[..., Transition]

SHIPPED = config_directory() / 'learner.yaml'
PLAIN: dict[str, Any] = {
    'replay_capacity': 500,
    'warmup_steps': 16,
    'updates_per_step': 1.0,
    'backlog_max': 400,
    'batch_size': 16,
    'mirror': False,
    'critic_kind': 'crossq',
    'critic_width': 16,
    'eager_updates': 0.0,
    'reward_critics': 2,
    'safety_critics': 2,
    'critic_rate': 0.003,
    'reward_error_max': 1e6,
    'margin_error_max': 1e6,
    'renorm_momentum': 0.99,
    'renorm_warmup': 500,
    'renorm_scale_max': 3.0,
    'renorm_shift_max': 5.0,
    'dropout': 0.01,
    'target_smoothing': 0.005,
    'actor_width': 16,
    'actor_rate': 0.003,
    'actor_period': 2,
    'adam_beta1': 0.5,
    'log_std_min': -5.0,
    'log_std_max': 1.0,
    'saturation_pull': 0.0,
    'observation_std_min': 0.03,
    'discount': 0.99,
    'safety_discount': 0.97,
    'n_step': 1,
    'center_values': True,
    'center_steps': 2000,
    'initial_temperature': 0.1,
    'temperature_rate': 0.002,
    'temperature_step_max': 0.01,
    'entropy_per_action': -0.5,
    'constrained': True,
    'margin_required_rad': 0.1,
    'margin_cap_rad': 4.0,
    'box_start': 1.0,
    'fallen_margin_rad': 0.0,
    'safety_pessimism': 'minimum',
    'safety_pessimism_std': 1.0,
    'initial_multiplier': 1.0,
    'multiplier_rate': 0.05,
    'multiplier_step_max': 0.01,
    'multiplier_max': 100.0,
    'multiplier_law': 'ascent',
    'pid_proportional': 1.0,
    'pid_derivative': 0.0,
    'pid_smoothing': 0.9,
    'multiplier_measure': 'critic',
    'recent_steps': 400,
    'rescale_by_multiplier': True,
    'snapshot_period': 200,
    'skips_before_rollback': 3,
    'publish_every': 20,
    'checkpoint_every': 1200,
}
"""A small learner: the shipped values of these may be tuned without a test noticing."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Runs torch as the learner's node does."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def make_config() -> ConfigBuilder:
    """Builds the parameters of a small learner, with what a test changes."""

    def build(**changes: Any) -> LearnerConfig:
        return configuration.read(LearnerConfig, SHIPPED, {**PLAIN, **changes})

    return build


@pytest.fixture
def make_step() -> StepBuilder:
    """Builds a step with 3 observations and 2 actions, random where not given."""

    def build(number: int, generator: np.random.Generator, **changes: Any) -> Transition:
        action = np.tanh(generator.standard_normal(2)).astype(np.float32)
        parts: dict[str, Any] = {
            'sequence': number,
            'episode': 1,
            'task': 0,
            'step': number - 1,
            'time_ns': number,
            'policy_version': 0,
            'observation': generator.standard_normal(3).astype(np.float32),
            'asked': action,
            'action': action,
            'reward': float(generator.standard_normal()),
            'constraint': float(generator.standard_normal()),
            'next_observation': generator.standard_normal(3).astype(np.float32),
            'terminated': bool(generator.random() < 0.1),
            'truncated': False,
            'reasons': Reason.NONE,
        }
        return Transition(**{**parts, **changes})

    return build


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


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stands in for CUDA's streams and graphs; returns what they were asked. No replay runs."""
    events: list[str] = []

    @contextmanager
    def within(name: str) -> Iterator[None]:
        events.append(f'{name} begins')
        yield
        events.append(f'{name} ends')

    def stream(name: str) -> SimpleNamespace:
        def wait(other: SimpleNamespace) -> None:
            events.append(f'{name} waits for {other.name}')

        return SimpleNamespace(name=name, wait_stream=wait)

    main, beside = stream('main'), stream('beside')
    stand_ins = {
        'Stream': lambda: beside,
        'current_stream': lambda: main,
        'stream': lambda stream: within(stream.name),
        'CUDAGraph': lambda: SimpleNamespace(replay=lambda: events.append('replay')),
        'graph': lambda _: within('recording'),
    }
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    return events
