"""Builders shared by the tests of learning: small learners, steps and batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from quad_learner import configuration
from quad_learner.experience.transition import Transition
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.safety.modes import Reason

ConfigBuilder = Callable[..., LearnerConfig]
StepBuilder = Callable[..., Transition]

SHIPPED = Path(__file__).parents[2] / 'config' / 'learner.yaml'


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Runs torch as the learner's node does."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def make_config() -> ConfigBuilder:
    """Builds the shipped configuration with small networks, and what a test changes."""

    def build(**changes: Any) -> LearnerConfig:
        small = {
            'critic_width': 16,
            'actor_width': 16,
            'batch_size': 16,
            'warmup_steps': 16,
            'replay_capacity': 500,
            'mirror': False,
        }
        return configuration.read(LearnerConfig, SHIPPED, {**small, **changes})

    return build


@pytest.fixture
def make_step() -> StepBuilder:
    """Builds a step with 3 observations and 2 actions, random where not given."""

    def build(number: int, generator: np.random.Generator, **changes: Any) -> Transition:
        action = np.tanh(generator.standard_normal(2)).astype(np.float32)
        parts: dict[str, Any] = {
            'sequence': number,
            'episode': 1,
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
