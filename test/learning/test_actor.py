"""The squashed Gaussian against its definition."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.distributions import Normal, TransformedDistribution
from torch.distributions.transforms import TanhTransform

from quad_learner.learning.actor import Actor
from quad_learner.learning.flat import FlatAdam
from quad_learner.learning.learner_config import LearnerConfig

ConfigBuilder = Callable[..., LearnerConfig]


@pytest.fixture
def actor(make_config: ConfigBuilder) -> Actor:
    return Actor(3, 2, make_config(), torch.Generator().manual_seed(0))


def test_the_density_is_that_of_a_squashed_gaussian(actor: Actor) -> None:
    generator = torch.Generator().manual_seed(1)
    observation = torch.randn(50, 3, generator=generator)
    noise = torch.randn(50, 2, generator=generator)
    with torch.no_grad():
        action, density = actor.sample(observation, noise)
        mean, log_std = actor(observation)
        law = TransformedDistribution(
            Normal(mean.double(), log_std.exp().double()), [TanhTransform()]
        )
        expected = law.log_prob(action.double()).sum(-1)
    torch.testing.assert_close(density.double(), expected, rtol=1e-3, atol=1e-3)


def test_the_density_stays_finite_far_out(actor: Actor) -> None:
    with torch.no_grad():
        actor.bias_3[:2] = 40.0
        action, density = actor.sample(torch.zeros(1, 3), torch.zeros(1, 2))
    assert torch.isfinite(density).all()
    assert (action == 1.0).all()


def test_log_std_keeps_to_its_bounds(actor: Actor) -> None:
    with torch.no_grad():
        for bias in (-1e4, 1e4):
            actor.bias_3[2:] = bias
            _, log_std = actor(torch.zeros(1, 3))
            expected = actor.log_std_min if bias < 0 else actor.log_std_max
            torch.testing.assert_close(log_std, torch.full((1, 2), expected))


def test_a_glitch_is_clipped(actor: Actor) -> None:
    seen = actor.normalised(torch.tensor([[1e30, -1e30, 0.0]]))
    assert seen.tolist() == [[10.0, -10.0, 0.0]]


def test_written_gradients_equal_automatic_ones(actor: Actor) -> None:
    generator = torch.Generator().manual_seed(2)
    observation = torch.randn(20, 3, generator=generator)
    noise = torch.randn(20, 2, generator=generator)
    action_slope = torch.randn(20, 2, generator=generator)
    density_slope = torch.randn(20, generator=generator)
    mean, log_std = actor(observation)
    law = TransformedDistribution(Normal(mean, log_std.exp()), [TanhTransform(cache_size=1)])
    action = torch.tanh(mean + log_std.exp() * noise)
    density = law.log_prob(action).sum(-1)
    expected = torch.autograd.grad(
        (action * action_slope).sum() + (density * density_slope).sum(), list(actor.parameters())
    )
    FlatAdam(list(actor.parameters()), 1e-3, 0.9)
    actor.sample(observation, noise)
    actor.backward(action_slope, density_slope)
    for parameter, slope in zip(actor.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, slope, rtol=1e-4, atol=1e-5)
