"""Values of an ensemble made one, and their slopes against automatic ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from quad_learner.learning.pessimism import MINIMUM, pessimistic


def _expected(value: Tensor, deviations: float) -> Tensor:
    if deviations == MINIMUM:
        return value.amin(0)
    return value.mean(0) - deviations * value.std(0, correction=0)


@pytest.mark.parametrize('deviations', [MINIMUM, 0.0, 1.5])
def test_value_and_slope(deviations: float) -> None:
    value = torch.randn(3, 7, generator=torch.Generator().manual_seed(0)).requires_grad_()
    expected = _expected(value, deviations)
    (slope,) = torch.autograd.grad(expected.sum(), value)
    found, found_slope = pessimistic(value.detach().numpy(), deviations)
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found_slope, slope.numpy(), rtol=1e-4, atol=1e-6)


def test_members_that_agree_share_evenly() -> None:
    value, slope = pessimistic(np.full((4, 2), 3.0, np.float32), 1.0)
    assert value.tolist() == [3.0, 3.0]
    assert (slope == 0.25).all()


@pytest.mark.parametrize('deviations', [MINIMUM, 0.0, 1.5])
@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_never_hidden(deviations: float, bad: float) -> None:
    value = np.array([[1.0, 2.0], [bad, 1.0]], np.float32)
    found, slope = pessimistic(value, deviations)
    assert np.isfinite(found).tolist() == [False, True]
    if deviations:
        assert not np.isfinite(slope[:, 0]).any()
