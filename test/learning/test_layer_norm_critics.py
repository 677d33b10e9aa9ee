"""The critics with target networks."""

from __future__ import annotations

from collections.abc import Callable

import torch

from quad_learner.learning.flat import FlatAdam
from quad_learner.learning.layer_norm_critics import LayerNormCritics
from quad_learner.learning.learner_config import LearnerConfig

ConfigBuilder = Callable[..., LearnerConfig]


def _critics(make_config: ConfigBuilder, **changes: float) -> LayerNormCritics:
    config = make_config(critic_kind='layer_norm', **{'dropout': 0.0, **changes})
    critics = LayerNormCritics(3, 2, config, torch.Generator().manual_seed(0))
    FlatAdam(list(critics.weights().values()), 1e-3, 0.9)
    return critics


def _inputs(seed: int) -> torch.Tensor:
    return torch.randn(8, 5, generator=torch.Generator().manual_seed(seed))


def test_targets_start_equal_and_follow_slowly(make_config: ConfigBuilder) -> None:
    critics = _critics(make_config, target_smoothing=0.25)
    value, later = critics.pair(_inputs(1), _inputs(1))
    torch.testing.assert_close(value, later)
    critics.weights()['bias_3'].data += 4.0
    critics.settle()
    moved_value, moved_later = critics.pair(_inputs(1), _inputs(1))
    torch.testing.assert_close(moved_value, value + 4.0)
    torch.testing.assert_close(moved_later, later + 1.0)


def test_dropout_differs_from_draw_to_draw_and_is_off_for_the_actor(
    make_config: ConfigBuilder,
) -> None:
    critics = _critics(make_config, dropout=0.5)
    first, _ = critics.pair(_inputs(1), _inputs(2))
    second, _ = critics.pair(_inputs(1), _inputs(2))
    assert not torch.equal(first, second)
    inputs = _inputs(1)
    calm = [critics.probe(inputs[:, :3], inputs[:, 3:]) for _ in range(2)]
    assert torch.equal(*calm)


def test_action_slope_equals_finite_differences(make_config: ConfigBuilder) -> None:
    critics = _critics(make_config)
    inputs = _inputs(3)
    observation, action = inputs[:, :3], inputs[:, 3:]
    weights = torch.ones_like(critics.probe(observation, action))
    slope = critics.action_slope(weights)
    nudge = torch.tensor([1e-3, 0.0])
    high = critics.probe(observation, action + nudge).sum(0)
    low = critics.probe(observation, action - nudge).sum(0)
    torch.testing.assert_close(slope[:, 0], (high - low) / 2e-3, rtol=5e-2, atol=5e-3)


def test_backward_writes_into_the_gradients(make_config: ConfigBuilder) -> None:
    critics = _critics(make_config)
    value, _ = critics.pair(_inputs(1), _inputs(2))
    critics.backward(torch.ones_like(value))
    # d Σ value / d bias_3 is the number of rows
    assert (critics.weights()['bias_3'].grad == 8.0).all()


def test_written_gradients_equal_automatic_ones(make_config: ConfigBuilder) -> None:
    critics = _critics(make_config)
    weights = critics.weights()
    generator = torch.Generator().manual_seed(9)
    for value in weights.values():  # away from the start, where γ = 1 and β = 0 hide mistakes
        value.data += 0.1 * torch.randn(value.shape, generator=generator)
    leaves = {name: value.detach().clone().requires_grad_() for name, value in weights.items()}
    inputs, slope = _inputs(1), torch.randn(4, 8, generator=generator)
    hidden = inputs.expand(4, -1, -1)
    for layer in (1, 2):
        hidden = hidden @ leaves[f'weight_{layer}'] + leaves[f'bias_{layer}']
        centred = hidden - hidden.mean(-1, keepdim=True)
        normal = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        hidden = (normal * leaves[f'gamma_{layer}'] + leaves[f'beta_{layer}']).clamp(min=0.0)
    ((hidden @ leaves['weight_3'] + leaves['bias_3']).squeeze(-1) * slope).sum().backward()
    critics.pair(inputs, _inputs(2))
    critics.backward(slope)
    for name, leaf in leaves.items():
        torch.testing.assert_close(weights[name].grad, leaf.grad, rtol=1e-3, atol=1e-5)
