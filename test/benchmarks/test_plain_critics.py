"""Critics without layer norm: each member is an ordinary network of torch's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from plain_critics import PlainCritics
from quad_learner.configuration import read
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.resources import config_directory

OBSERVATIONS, ACTIONS, BATCH, WIDTH = 5, 2, 7, 8


def inputs(seed: int) -> Tensor:
    """Returns observations and actions side by side."""
    chance = torch.Generator().manual_seed(seed)
    return torch.randn(BATCH, OBSERVATIONS + ACTIONS, generator=chance)


@pytest.fixture
def critics() -> PlainCritics:
    small = read(
        LearnerConfig,
        config_directory() / 'learner.yaml',
        {'critic_width': WIDTH} | {'target_smoothing': 0.25},
    )
    return PlainCritics(OBSERVATIONS, ACTIONS, small, torch.Generator().manual_seed(1))


def networks(critics: PlainCritics) -> list[nn.Sequential]:
    """Returns the members as ordinary networks with the same weights."""
    values, found = critics.flat.values, []
    for member in range(len(values['bias_0'])):
        layers: list[nn.Module] = []
        for layer in range(3):
            weight = values[f'weight_{layer}'][member]
            linear = nn.Linear(*weight.shape)
            with torch.no_grad():
                linear.weight.copy_(weight.T)
                linear.bias.copy_(values[f'bias_{layer}'][member, 0])
            layers += [linear, nn.ReLU()]
        found.append(nn.Sequential(*layers[:-1]))
    return found


def values_of(members: list[nn.Sequential], batch: Tensor) -> Tensor:
    return torch.stack([member(batch).squeeze(-1) for member in members])


def test_values_and_gradients_are_those_of_ordinary_networks(critics: PlainCritics) -> None:
    members, now = networks(critics), inputs(2)
    value, later = critics.pair(now, inputs(3))
    expected = values_of(members, now)
    np.testing.assert_allclose(value, expected.detach(), atol=1e-6)
    np.testing.assert_allclose(later, values_of(members, inputs(3)).detach(), atol=1e-6)
    slope = torch.randn(value.shape, generator=torch.Generator().manual_seed(4))
    critics.backward(slope)
    expected.backward(slope)
    for number, member in enumerate(members):
        for layer in range(3):
            found, linear = critics.flat.slopes, member[2 * layer]
            for name, gradient in (('weight', linear.weight.grad.T), ('bias', linear.bias.grad)):
                given = found[f'{name}_{layer}'][number].reshape(gradient.shape)
                np.testing.assert_allclose(given, gradient, atol=1e-5)


def test_the_slope_along_actions_is_the_sum_over_members(critics: PlainCritics) -> None:
    batch = inputs(2).requires_grad_()
    slope = torch.randn(len(networks(critics)), BATCH, generator=torch.Generator().manual_seed(4))
    np.testing.assert_allclose(
        critics.probe(batch.detach()), values_of(networks(critics), batch).detach(), atol=1e-6
    )
    values_of(networks(critics), batch).backward(slope)
    assert batch.grad is not None
    np.testing.assert_allclose(critics.action_slope(slope), batch.grad[:, -ACTIONS:], atol=1e-5)


def test_targets_follow_by_the_configured_step(critics: PlainCritics) -> None:
    before = critics.memory()['target'].clone()
    critics.flat.vector += 1.0
    critics.settle()
    np.testing.assert_allclose(critics.memory()['target'] - before, 0.25, rtol=1e-4)
