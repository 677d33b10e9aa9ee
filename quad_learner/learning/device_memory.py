"""What the learner keeps on a device: networks with Adam's memory of them, and a turn's inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from quad_learner.learning.flat import ADAM_BETA_2, ADAM_EPSILON, Flat, FlatAdam, Numbers, named

_FRESH_2 = float(np.float32(1.0) - np.float32(ADAM_BETA_2))
"""share of a new square in Adam's memory of them, rounded as `FlatAdam` does"""


class DeviceNetwork:
    """A network's parameters on a device, and Adam over them (Kingma & Ba 2015).

    The step count, and with it the correction of the bias, stays with the `FlatAdam` of the host.
    """

    def __init__(self, flat: Flat, adam: FlatAdam, beta_1: float, device: torch.device) -> None:
        """Args:
        flat: names and shapes of the parameters.
        adam: where they and Adam's memory begin.
        beta_1: momentum.
        device: where they are to be.
        """
        self._shapes = flat.shapes
        self._beta_1 = beta_1
        here = [adam.state()[name] for name in ('vector', 'mean', 'square')]
        there = [each.to(device, copy=True) for each in here]
        self.pairs = tuple(zip(here, there, strict=True))
        """what the host keeps, and the same on the device"""
        self.vector, self.mean, self.square = there
        self.weights = named(self.vector, self._shapes)
        """parts of `vector`, by name"""

    def leaf(self) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the parameters as one vector to be differentiated by, and its parts by name."""
        leaf = self.vector.detach().requires_grad_()
        return leaf, named(leaf, self._shapes)

    def step(self, gradient: Tensor, sound: Tensor, rate: Tensor, root: Tensor) -> Tensor:
        """Moves the parameters; returns whether it did, a truth value on the device.

        It does not if the gradient is not finite. Everything is computed in either case, and the
        choice made number by number: the host is not asked.

        Args:
            gradient: of all parameters, (parameters,).
            sound: whether they may be moved at all, ().
            rate: step size with the bias corrected, ().
            root: factor of the square root that corrects its bias, ().
        """
        moved = sound & torch.isfinite(gradient.sum())
        mean = torch.lerp(self.mean, gradient, 1.0 - self._beta_1)
        square = ADAM_BETA_2 * self.square
        square.addcmul_(gradient, gradient, value=_FRESH_2)
        vector = self.vector - rate * mean / (square.sqrt() * root + ADAM_EPSILON)
        for kept, new in ((self.vector, vector), (self.mean, mean), (self.square, square)):
            torch.where(moved, new, kept, out=kept)
        return moved


class DeviceInputs:
    """Named numbers side by side, written on the host and sent to the device in one copy."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]], device: torch.device) -> None:
        size = sum(math.prod(shape) for shape in shapes.values())
        self._there = torch.zeros(size, device=device)
        self._here = torch.zeros(size, pin_memory=device.type == 'cuda')
        self._fields = {name: part.numpy() for name, part in named(self._here, shapes).items()}
        self.values = named(self._there, shapes)
        """as the device sees them, by name"""

    def send(self, values: Mapping[str, Numbers | float]) -> None:
        """Copies `values`, by name; those before have arrived, for their turn has answered."""
        for name, value in values.items():
            self._fields[name][...] = value
        self._there.copy_(self._here, non_blocking=True)
