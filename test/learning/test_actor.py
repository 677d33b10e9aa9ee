"""The squashed Gaussian against its definition."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch.distributions import Normal, TransformedDistribution
from torch.distributions.transforms import TanhTransform

from quad_learner.learning.actor import Actor
from quad_learner.learning.learner_config import LearnerConfig

ConfigBuilder = Callable[..., LearnerConfig]


@pytest.fixture
def actor(make_config: ConfigBuilder) -> Actor:
    return Actor(3, 2, make_config(), torch.Generator().manual_seed(0))


def test_the_density_is_that_of_a_squashed_gaussian(actor: Actor) -> None:
    generator = torch.Generator().manual_seed(1)
    observation = torch.randn(50, 3, generator=generator)
    noise = torch.randn(50, 2, generator=generator)
    action, density = actor.sample(observation, noise)
    mean, log_std = actor.gaussian(observation)
    law = TransformedDistribution(Normal(mean.double(), log_std.exp().double()), [TanhTransform()])
    expected = law.log_prob(action.double()).sum(-1)
    torch.testing.assert_close(density.double(), expected, rtol=1e-3, atol=1e-3)


def test_the_density_stays_finite_far_out(actor: Actor) -> None:
    actor.flat.values['bias_3'][:2] = 40.0
    action, density = actor.sample(torch.zeros(1, 3), torch.zeros(1, 2))
    assert torch.isfinite(density).all()
    assert (action == 1.0).all()


def test_log_std_keeps_to_its_bounds(actor: Actor) -> None:
    for bias in (-1e4, 1e4):
        actor.flat.values['bias_3'][2:] = bias
        _, log_std = actor.gaussian(torch.zeros(1, 3))
        expected = actor.log_std_min if bias < 0 else actor.log_std_max
        torch.testing.assert_close(log_std, torch.full((1, 2), expected))


def test_a_glitch_is_clipped(actor: Actor) -> None:
    seen = actor.normalised(torch.tensor([[1e30, -1e30, 0.0]]))
    assert seen.tolist() == [[10.0, -10.0, 0.0]]


def test_written_gradients_equal_automatic_ones(actor: Actor) -> None:
    generator = torch.Generator().manual_seed(2)
    for value in actor.flat.values.values():  # away from the start, where biases are 0
        value += 0.1 * torch.randn(value.shape, generator=generator)
    observation = torch.randn(20, 3, generator=generator)
    noise = torch.randn(20, 2, generator=generator)
    action_slope = torch.randn(20, 2, generator=generator)
    leaves = {name: value.clone().requires_grad_() for name, value in actor.flat.values.items()}
    hidden = observation
    for layer in (1, 2):
        hidden = torch.relu(hidden @ leaves[f'weight_{layer}'] + leaves[f'bias_{layer}'])
    mean, spread = (hidden @ leaves['weight_3'] + leaves['bias_3']).tensor_split(2, dim=1)
    low, high = actor.log_std_min, actor.log_std_max
    log_std = low + (torch.tanh(spread) + 1.0) / 2.0 * (high - low)
    law = TransformedDistribution(Normal(mean, log_std.exp()), [TanhTransform(cache_size=1)])
    action = torch.tanh(mean + log_std.exp() * noise)
    density = law.log_prob(action).sum(-1)
    expected = torch.autograd.grad(
        (action * action_slope).sum() + 0.7 * density.sum(), list(leaves.values())
    )
    found, found_density = actor.sample(observation, noise)
    torch.testing.assert_close(found, action.detach(), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found_density, density.detach(), rtol=1e-3, atol=1e-3)
    actor.backward(action_slope, 0.7)
    for slope, reference in zip(actor.flat.slopes.values(), expected, strict=True):
        torch.testing.assert_close(slope, reference, rtol=1e-3, atol=1e-5)


def test_what_is_not_a_number_is_never_hidden(actor: Actor) -> None:
    observation = torch.zeros(3, 3)
    observation[1, 0] = float('nan')
    assert torch.isnan(actor.normalised(observation)[1, 0])
    action, density = actor.sample(actor.normalised(observation), torch.zeros(3, 2))
    assert torch.isnan(action[1]).all()
    assert torch.isnan(density[1])
    assert torch.isfinite(action[0]).all()
    actor.backward(torch.zeros(3, 2), 0.1)
    assert not torch.isfinite(actor.flat.gradient.sum())


def test_actions_at_their_end_are_brought_back_and_others_left_alone(
    make_config: ConfigBuilder,
) -> None:
    """d loss / d u of each row, read from the mean's bias: one row, no other slope."""
    actor = Actor(3, 2, make_config(saturation_pull=0.5), torch.Generator().manual_seed(0))
    for bias, expected in ((8.0, 0.5), (-8.0, -0.5), (math.atanh(0.95), 0.25), (1.0, 0.0)):
        actor.flat.values['weight_3'].zero_()
        actor.flat.values['bias_3'][:2] = bias
        actor.sample(torch.zeros(1, 3), torch.zeros(1, 2))
        actor.backward(torch.zeros(1, 2), 0.0)
        found = actor.flat.slopes['bias_3'][:2]
        torch.testing.assert_close(found, torch.full((2,), expected), rtol=1e-3, atol=1e-5)
