"""The critics with target networks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from quad_learner.learning.layer_norm_critics import LayerNormCritics
from quad_learner.learning.layer_norm_kernels import BETA, BIAS, GAMMA, HEAD
from quad_learner.learning.learner_config import LearnerConfig

ConfigBuilder = Callable[..., LearnerConfig]


def _critics(make_config: ConfigBuilder, **changes: float) -> LayerNormCritics:
    config = make_config(critic_kind='layer_norm', **{'dropout': 0.0, **changes})
    return LayerNormCritics(3, 2, config, torch.Generator().manual_seed(0))


def _moved(critics: LayerNormCritics) -> LayerNormCritics:
    """Takes it away from the start, where γ = 1 and β = 0 hide mistakes."""
    generator = torch.Generator().manual_seed(9)
    critics.flat.vector += 0.1 * torch.randn(critics.flat.vector.shape, generator=generator)
    return critics


def _inputs(seed: int) -> torch.Tensor:
    return torch.randn(8, 5, generator=torch.Generator().manual_seed(seed))


def test_targets_start_equal_and_follow_slowly(make_config: ConfigBuilder) -> None:
    critics = _critics(make_config, target_smoothing=0.25)
    value, later = critics.pair(_inputs(1), _inputs(1))
    torch.testing.assert_close(value, later)
    critics.flat.values['bias'] += 4.0
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
    calm = [critics.probe(inputs) for _ in range(2)]
    assert torch.equal(*calm)


@pytest.mark.parametrize('dropout', [0.0, 0.5])
def test_written_gradients_equal_automatic_ones(
    make_config: ConfigBuilder, dropout: float
) -> None:
    critics = _moved(_critics(make_config, dropout=dropout, critic_width=12))
    leaves = {name: value.clone().requires_grad_() for name, value in critics.flat.values.items()}
    inputs, slope = _inputs(1), torch.randn(4, 8, generator=torch.Generator().manual_seed(4))
    value, _ = critics.pair(inputs, _inputs(2))
    masks = torch.from_numpy(critics._tape.masks.copy())
    expected = _reference(leaves, inputs, masks if dropout else torch.ones(2, 8, 12))
    torch.testing.assert_close(value, expected.detach(), rtol=1e-4, atol=1e-5)
    expected.backward(slope)
    critics.flat.gradient.fill_(torch.nan)
    critics.backward(slope)
    for name, leaf in leaves.items():
        torch.testing.assert_close(critics.flat.slopes[name], leaf.grad, rtol=1e-3, atol=1e-5)


def _reference(leaves: dict[str, Tensor], inputs: Tensor, masks: Tensor) -> Tensor:
    """Returns the values by torch's own operators."""
    hidden = inputs.expand(4, -1, -1)
    for layer, mask in zip((1, 2), masks, strict=True):
        units = leaves[f'units_{layer}'].unsqueeze(2)
        hidden = (hidden @ leaves[f'weight_{layer}'] + units[:, BIAS]) * mask
        normal = torch.nn.functional.layer_norm(hidden, hidden.shape[-1:], eps=1e-5)
        hidden = torch.relu(normal * units[:, GAMMA] + units[:, BETA])
    return (hidden * units[:, HEAD]).sum(-1) + leaves['bias'].unsqueeze(1)


def test_the_slope_of_the_action_is_the_automatic_one(make_config: ConfigBuilder) -> None:
    critics = _moved(_critics(make_config))
    inputs = _inputs(3).requires_grad_()
    slope = torch.randn(4, 8, generator=torch.Generator().manual_seed(4))
    slope[0, ::2] = 0.0  # a row that takes no part in one member does in others
    slope[3] = 0.0
    expected = _reference(critics.flat.values, inputs, torch.ones(2, 1, 1))
    expected.backward(slope)
    critics.probe(inputs.detach())
    found = critics.action_slope(slope)
    torch.testing.assert_close(found, inputs.grad[:, 3:], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize('bad', [float('nan'), float('inf')])
def test_what_is_not_finite_is_never_hidden(make_config: ConfigBuilder, bad: float) -> None:
    critics, inputs = _critics(make_config), _inputs(1)
    inputs[2, 1] = bad
    value, _ = critics.pair(inputs, _inputs(2))
    assert not torch.isfinite(value[:, 2]).any()
    assert torch.isfinite(value[:, 3]).all()
    slope = torch.zeros_like(value)
    slope[1, 2] = 1.0
    critics.backward(slope)
    assert not torch.isfinite(critics.flat.slopes['weight_2'][1]).all()
