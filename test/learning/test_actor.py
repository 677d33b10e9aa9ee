"""The squashed Gaussian against its definition."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.distributions import Normal, TransformedDistribution
from torch.distributions.transforms import TanhTransform

from quad_learner.learning.actor import Actor
from quad_learner.learning.learner_config import LearnerConfig

ConfigBuilder = Callable[..., LearnerConfig]


@pytest.fixture(params=['none', 'layer_norm'])
def actor(make_config: ConfigBuilder, request: pytest.FixtureRequest) -> Actor:
    config = make_config(actor_norm=request.param)
    return Actor(3, 2, config, torch.Generator().manual_seed(0))


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
