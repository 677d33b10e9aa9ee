"""One vector against parameters that are moved one by one."""

from __future__ import annotations

import torch

from quad_learner.learning.flat import Flat, FlatAdam

SHAPES = {'a': (3, 2), 'b': (4,), 'c': (1, 1, 5)}


def _flat() -> Flat:
    generator = torch.Generator().manual_seed(0)
    return Flat({name: torch.randn(shape, generator=generator) for name, shape in SHAPES.items()})


def test_it_moves_as_adam_moves_each_alone() -> None:
    flat = _flat()
    adam = FlatAdam(flat, 0.01, 0.5)
    apart = {name: value.clone().requires_grad_() for name, value in flat.values.items()}
    reference = torch.optim.Adam(apart.values(), lr=0.01, betas=(0.5, 0.999))
    for step in range(5):
        reference.zero_grad()
        sum(((p - step) ** 2).sum() for p in apart.values()).backward()
        for name, value in flat.values.items():  # d (p − step)² / d p
            flat.slopes[name].copy_(2.0 * (value - step))
        assert adam.step()
        reference.step()
    for name, value in flat.values.items():
        torch.testing.assert_close(value, apart[name].detach())


def test_a_gradient_that_is_not_finite_moves_nothing() -> None:
    for bad in (float('nan'), float('inf')):
        flat = _flat()
        adam, before = FlatAdam(flat, 0.01, 0.5), flat.vector.clone()
        flat.slopes['b'][2] = bad
        assert not adam.step()
        assert torch.equal(flat.vector, before)
        assert adam.state()['step'] == 0


def test_its_state_holds_every_parameter() -> None:
    flat = _flat()
    state = FlatAdam(flat, 0.01, 0.5).state()
    assert state['vector'].numel() == 6 + 4 + 5
    state['vector'].fill_(2.0)
    assert all((value == 2.0).all() for value in flat.values.values())


def test_the_start_is_copied() -> None:
    start = torch.ones(3)
    flat = Flat({'a': start})
    flat.vector.zero_()
    assert (start == 1.0).all()
