"""Values of an ensemble made one, and their slopes against automatic ones."""

from __future__ import annotations

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
    found, found_slope = pessimistic(value.detach(), deviations)
    torch.testing.assert_close(found, expected.detach())
    torch.testing.assert_close(found_slope, slope)


def test_members_that_agree_share_evenly() -> None:
    value, slope = pessimistic(torch.full((4, 2), 3.0), 1.0)
    assert value.tolist() == [3.0, 3.0]
    assert (slope == 0.25).all()
