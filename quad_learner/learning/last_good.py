"""The way back: what the learner knew when all its numbers were last seen to be finite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor


class Recoverable(Protocol):
    """What can be put back."""

    @property
    def updates(self) -> int:
        """Updates made."""
        ...

    def learned_tensors(self) -> dict[str, Tensor]:
        """Returns all that updates change, by name; not copies."""
        ...

    def restore_learned(self, saved: Mapping[str, Tensor]) -> None:
        """Takes up copies of what `learned_tensors` returned."""
        ...

    def dual_state(self) -> dict[str, dict[str, float]]:
        """Returns the states of λ, α and the share of the box."""
        ...

    def restore_duals(self, state: Mapping[str, Mapping[str, float]]) -> None:
        """Takes up what `dual_state` returned."""
        ...


class LastGood:
    """Keeps a copy now and then, and puts it back after several bad updates in a row.

    Chance and the replay go on from where they are: the same batch drawn again would fail again.
    """

    def __init__(self, period: int, patience: int) -> None:
        """Args:
        period: updates between copies.
        patience: bad updates in a row before going back.
        """
        self._period = period
        self._patience = patience
        self._tensors: dict[str, Tensor] = {}
        self._duals: dict[str, dict[str, float]] = {}
        self._bad = 0
        self.rollbacks = 0
        """times the copy was put back"""

    @torch.no_grad()
    def good(self, learner: Recoverable) -> None:
        """Ends a row of bad updates; copies the state when it is time and all of it is finite."""
        self._bad = 0
        if self._tensors and learner.updates % self._period:
            return
        live = learner.learned_tensors()
        if not _is_finite(live):
            return
        self._duals = learner.dual_state()
        if not self._tensors:
            self._tensors = {name: tensor.clone() for name, tensor in live.items()}
            return
        for name, tensor in live.items():
            self._tensors[name].copy_(tensor)

    def bad(self, learner: Recoverable) -> None:
        """Counts a bad update; the last one of too many puts the copy back."""
        self._bad += 1
        if self._bad >= self._patience:
            self._go_back(learner)

    def recover(self, learner: Recoverable) -> None:
        """Puts the copy back at once if the state is not finite: it is about to be given away."""
        if not _is_finite(learner.learned_tensors()):
            self._go_back(learner)

    def state(self) -> dict[str, int]:
        """Returns the counts; the copy is not among them."""
        return {'bad': self._bad, 'rollbacks': self.rollbacks}

    def restore(self, state: Mapping[str, int]) -> None:
        """Takes up counts that `state` returned; the next good update makes a copy."""
        self._bad, self.rollbacks = state['bad'], state['rollbacks']

    def _go_back(self, learner: Recoverable) -> None:
        if not self._tensors:
            return
        learner.restore_learned(self._tensors)
        learner.restore_duals(self._duals)
        self.rollbacks += 1
        self._bad = 0


def _is_finite(tensors: Mapping[str, Tensor]) -> bool:
    return all(torch.isfinite(tensor.sum()) for tensor in tensors.values())
