"""The shipped parameters and the rules between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from quad_learner import configuration
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.resources import config_directory

ConfigBuilder = Callable[..., LearnerConfig]


def test_the_shipped_parameters_are_accepted() -> None:
    configuration.read(LearnerConfig, config_directory() / 'learner.yaml')


@pytest.mark.parametrize(
    ('changes', 'complaint'),
    [
        ({'log_std_min': -1.0, 'log_std_max': -1.0}, 'log_std_min'),
        ({'initial_multiplier': 2.0, 'multiplier_max': 1.0}, 'initial_multiplier'),
        ({'warmup_steps': 8, 'batch_size': 16}, 'warmup_steps'),
        ({'replay_capacity': 10}, 'replay_capacity'),
        ({'critic_kind': 'magic'}, 'crossq, layer_norm'),
        ({'critic_kind': 'crossq', 'device': 'cuda'}, "device = 'cuda' needs critic_kind"),
        ({'device': 'gpu'}, 'cpu, cuda'),
        ({'discount': 1.0}, 'discount'),
    ],
)
def test_parameters_that_cannot_work_are_refused(
    make_config: ConfigBuilder, changes: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(configuration.ConfigurationError, match=complaint):
        make_config(**changes)


def test_every_parameter_is_explained_in_the_file() -> None:
    lines = (config_directory() / 'learner.yaml').read_text().splitlines()
    unexplained = [line for line in lines if ': ' in line and '#' not in line]
    assert not unexplained
