"""The written-out gradients and the running statistics of the CrossQ critics."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from quad_learner.learning.crossq import CrossQCritics
from quad_learner.learning.learner_config import LearnerConfig

ConfigBuilder = Callable[..., LearnerConfig]

OBSERVATIONS, ACTIONS, ROWS = 5, 2, 8


def _ensemble(make_config: ConfigBuilder, **changes: float) -> CrossQCritics:
    config = make_config(renorm_warmup=0, critic_width=12, **changes)
    return CrossQCritics(OBSERVATIONS, ACTIONS, config, torch.Generator().manual_seed(3))


def _inputs(seed: int, rows: int = ROWS) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, OBSERVATIONS + ACTIONS, generator=generator)


def _moved(critics: CrossQCritics) -> None:
    """Gives every weight and statistic a value of its own, so that no term hides."""
    generator = torch.Generator().manual_seed(7)
    for name, value in _state(critics).items():
        if value.is_floating_point():
            spread = torch.rand(value.shape, generator=generator)
            value += 0.3 * spread if 'variance' in name else 0.3 * (spread - 0.5)


def _state(critics: CrossQCritics) -> dict[str, Tensor]:
    return {**critics.flat.values, **critics.memory()}


def _reference(state: dict[str, Tensor], now: Tensor, following: Tensor) -> Tensor:
    """The first batch's values, member by member, by automatic differentiation's own operators."""
    values = []
    for member in range(len(state['weight_1'])):
        live, constant = now, following
        for layer in (1, 2):
            weight = state[f'weight_{layer}'][member]
            live, constant = live @ weight, (constant @ weight).detach()
            rows = torch.cat((live, constant))
            mean, std = rows.mean(0), (rows.var(0, correction=0) + 1e-3).sqrt()
            running = {
                name: state[f'running_{name}_{layer}'][member, 0] for name in ('mean', 'variance')
            }
            running_std = (running['variance'] + 1e-3).sqrt()
            scale = (std / running_std).clamp(1 / 3, 3).detach()
            shift = ((mean - running['mean']) / running_std).clamp(-5, 5).detach()
            gamma, beta = (state[f'{n}_{layer}'][member, 0] for n in ('gamma', 'beta'))
            live, constant = (
                torch.relu(gamma * ((z - mean) / std * scale + shift) + beta)
                for z in (live, constant)
            )
            constant = constant.detach()
        values.append((live @ state['weight_3'][member] + state['bias_3'][member])[:, 0])
    return torch.stack(values)


def test_written_gradients_equal_automatic_ones(make_config: ConfigBuilder) -> None:
    critics = _ensemble(make_config)
    _moved(critics)
    now, following = _inputs(1), _inputs(2)
    leaves = {name: value.clone() for name, value in _state(critics).items()}
    learned = [leaves[name].requires_grad_() for name in critics.flat.values]
    expected = _reference(leaves, now, following)
    slope = torch.randn(expected.shape, generator=torch.Generator().manual_seed(4))
    gradients = torch.autograd.grad(expected, learned, slope)
    value, _ = critics.pair(now, following)
    torch.testing.assert_close(value, expected.detach())
    critics.backward(slope)
    for found, gradient in zip(critics.flat.slopes.values(), gradients, strict=True):
        torch.testing.assert_close(found, gradient, rtol=1e-4, atol=1e-5)


def test_both_batches_share_one_set_of_statistics(make_config: ConfigBuilder) -> None:
    critics = _ensemble(make_config)
    now, following = _inputs(1), _inputs(2)
    value, later = critics.pair(now, following)
    swapped_later, swapped_value = critics.pair(following, now)
    torch.testing.assert_close(value, swapped_value)
    torch.testing.assert_close(later, swapped_later)


def test_action_slope_equals_finite_differences(make_config: ConfigBuilder) -> None:
    critics = _ensemble(make_config)
    _moved(critics)
    inputs = _inputs(5)
    observation, action = inputs[:, :OBSERVATIONS], inputs[:, OBSERVATIONS:]
    weights = torch.rand(critics.probe(inputs).shape)
    slope = critics.action_slope(weights)
    for column in range(ACTIONS):
        nudge = torch.zeros_like(action)
        nudge[:, column] = 1e-3
        high = (critics.probe(torch.cat((observation, action + nudge), 1)) * weights).sum(0)
        low = (critics.probe(torch.cat((observation, action - nudge), 1)) * weights).sum(0)
        torch.testing.assert_close(slope[:, column], (high - low) / 2e-3, rtol=2e-2, atol=2e-3)


def test_running_statistics_become_those_of_a_repeated_batch(make_config: ConfigBuilder) -> None:
    critics = _ensemble(make_config)
    now, following = _inputs(1), _inputs(2)
    for _ in range(2000):
        critics.pair(now, following)
        critics.settle()
    value, _ = critics.pair(now, following)
    frozen = critics.probe(now)
    torch.testing.assert_close(value, frozen, rtol=1e-3, atol=1e-4)


def test_a_pair_that_is_not_settled_leaves_no_trace(make_config: ConfigBuilder) -> None:
    critics = _ensemble(make_config)
    before = {name: value.clone() for name, value in _state(critics).items()}
    critics.pair(_inputs(1), _inputs(2))
    for name, value in _state(critics).items():
        assert torch.equal(value, before[name]), name
