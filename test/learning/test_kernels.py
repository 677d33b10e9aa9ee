"""The compiled pieces against layer norm as torch has it, in double precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from quad_learner.learning.kernels import (
    bellman_errors,
    gradients_through,
    norm_relu,
    slope_through,
)

Rows = NDArray[np.float32]
MEMBERS, BATCH, WIDTH = 3, 5, 7


def _random(*shape: int, seed: int) -> Rows:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def _layer() -> dict[str, Rows]:
    """Returns a layer's inputs and parameters, none of which is at its start."""
    z = 3.0 * _random(MEMBERS, BATCH, WIDTH, seed=1)
    units = {n: _random(MEMBERS, WIDTH, seed=k) for k, n in enumerate(('bias', 'gamma', 'beta'))}
    return {'z': z, **units}


def _forward(layer: dict[str, Rows]) -> tuple[Rows, Rows, Rows]:
    """Returns h, n and 1 / deviation as the kernel gives them."""
    normal, out = layer['z'].copy(), np.empty_like(layer['z'])
    scale = np.empty((MEMBERS, BATCH), np.float32)
    norm_relu(normal, layer['bias'], layer['gamma'], layer['beta'], scale, out)
    return out, normal, scale


def _reference(layer: dict[str, Rows]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    leaves = {n: torch.from_numpy(v).double().requires_grad_() for n, v in layer.items()}
    bias, gamma, beta = (leaves[n].unsqueeze(1) for n in ('bias', 'gamma', 'beta'))
    normal = torch.nn.functional.layer_norm(leaves['z'] + bias, (WIDTH,), eps=1e-5)
    return torch.relu(normal * gamma + beta), leaves


def test_the_output_is_that_of_layer_norm_and_relu() -> None:
    layer = _layer()
    out, _, _ = _forward(layer)
    expected, _ = _reference(layer)
    np.testing.assert_allclose(out, expected.detach().numpy(), rtol=1e-4, atol=1e-5)


def test_the_gradients_are_those_of_layer_norm_and_relu() -> None:
    layer, slope = _layer(), _random(MEMBERS, BATCH, WIDTH, seed=9)
    expected, leaves = _reference(layer)
    (expected * torch.from_numpy(slope)).sum().backward()
    kept = _forward(layer)
    found = {name: np.full((MEMBERS, WIDTH), np.nan, np.float32) for name in _layer()}
    learned, alone = slope.copy(), slope.copy()
    units = [found[name] for name in ('bias', 'gamma', 'beta')]
    gradients_through(learned, *kept, layer['gamma'], *units)
    slope_through(alone, *kept, layer['gamma'])
    found['z'] = learned
    for name, leaf in leaves.items():
        np.testing.assert_allclose(found[name], leaf.grad.numpy(), rtol=2e-3, atol=1e-4)
    np.testing.assert_allclose(alone, learned, rtol=1e-5, atol=1e-6)


def test_what_is_not_finite_is_never_hidden() -> None:
    for bad in (np.nan, np.inf):
        layer = _layer()
        layer['z'][1, 2, 3] = bad
        out, normal, scale = _forward(layer)
        assert not np.isfinite(out[1, 2]).all(), bad
        slope, units = _random(MEMBERS, BATCH, WIDTH, seed=9), np.zeros((3, MEMBERS, WIDTH))
        gradients = [unit.astype(np.float32) for unit in units]
        gradients_through(slope, out, normal, scale, layer['gamma'], *gradients)
        assert not np.isfinite(gradients[0][1]).all(), bad
        assert np.isfinite(gradients[0][0]).all(), 'other members are their own'


@pytest.mark.parametrize('deviations', [-1.0, 0.0, 1.5])
def test_the_errors_are_those_of_the_written_law(deviations: float) -> None:
    value, following = _random(2, BATCH, seed=1), _random(2, BATCH, seed=2)
    now, bonus = _random(BATCH, seed=3), _random(BATCH, seed=4)
    terminated = np.array([0, 1, 0, 1, 0], np.float32)
    error = np.empty_like(value)
    discount = np.array([0.9, 0.9, 0.5, 0.5, 0.0], np.float32)
    bellman_errors(value, following, now, terminated, -7.0, bonus, discount, deviations, error)
    for i in range(BATCH):
        one, other = following[:, i]
        pessimistic = (one + other) / 2 - max(deviations, 0.0) * abs(one - other) / 2
        if deviations < 0.0:
            pessimistic = min(one, other)
        future = -7.0 if terminated[i] else pessimistic + bonus[i]
        expected = value[:, i] - now[i] - discount[i] * future
        np.testing.assert_allclose(error[:, i], expected, rtol=1e-4)


def test_a_value_that_is_not_finite_is_never_the_least() -> None:
    following = np.array([[np.nan, 1.0], [1.0, np.inf]], np.float32)
    error, zeros, ones = (np.full(n, x, np.float32) for n, x in (((2, 2), 0), (2, 0), (2, 1)))
    bellman_errors(error.copy(), following, zeros, zeros, 0.0, zeros, ones, -1.0, error)
    assert not np.isfinite(error).any()
