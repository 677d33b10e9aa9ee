"""Values of an ensemble made one, and their slopes against automatic ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from quad_learner.learning.pessimism import mean_minus_std, minimum

Pessimism = Callable[[Tensor], tuple[Tensor, Tensor]]
KINDS = {
    'minimum': (minimum, lambda v: v.amin(0)),
    'mean_minus_std': (
        lambda v: mean_minus_std(v, 1.5),
        lambda v: v.mean(0) - 1.5 * v.std(0, correction=0),
    ),
}


@pytest.mark.parametrize('kind', KINDS)
def test_value_and_slope(kind: str) -> None:
    ours, theirs = KINDS[kind]
    value = torch.randn(3, 7, generator=torch.Generator().manual_seed(0)).requires_grad_()
    expected = theirs(value)
    (slope,) = torch.autograd.grad(expected.sum(), value)
    found, found_slope = ours(value.detach())
    torch.testing.assert_close(found, expected.detach())
    torch.testing.assert_close(found_slope, slope)


def test_members_that_agree_share_evenly() -> None:
    value, slope = mean_minus_std(torch.full((4, 2), 3.0), 1.0)
    assert value.tolist() == [3.0, 3.0]
    assert (slope == 0.25).all()
