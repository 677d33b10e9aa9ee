"""One vector against parameters that are moved one by one."""

from __future__ import annotations

import torch
from torch import nn

from quad_learner.learning.flat import FlatAdam


def _parameters() -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    shapes = ((3, 2), (4,), (1, 1, 5))
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]


def test_it_moves_as_adam_moves_each_alone() -> None:
    together, apart = _parameters(), _parameters()
    flat = FlatAdam(together, 0.01, 0.5)
    adam = torch.optim.Adam(apart, lr=0.01, betas=(0.5, 0.999))
    for step in range(5):
        for parameter in (*together, *apart):
            if parameter.grad is not None:
                parameter.grad.zero_()
        for group in (together, apart):
            sum(((p - step) ** 2).sum() for p in group).backward()
        assert flat.step()
        adam.step()
    for one, other in zip(together, apart, strict=True):
        torch.testing.assert_close(one, other)


def test_a_gradient_that_is_not_finite_moves_nothing() -> None:
    parameters = _parameters()
    flat = FlatAdam(parameters, 0.01, 0.5)
    before = [p.detach().clone() for p in parameters]
    parameters[1].grad[2] = float('nan')
    assert not flat.step()
    for one, other in zip(parameters, before, strict=True):
        assert torch.equal(one, other)
    assert flat.state()['step'] == 0


def test_its_state_holds_every_parameter() -> None:
    parameters = _parameters()
    state = FlatAdam(parameters, 0.01, 0.5).state()
    assert state['vector'].numel() == 6 + 4 + 5
    state['vector'].fill_(2.0)
    assert all((p == 2.0).all() for p in parameters)
