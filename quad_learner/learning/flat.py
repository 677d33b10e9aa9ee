"""All parameters of a network in one vector: one step, one copy, one check for all of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numba import boolean, float32
from numpy.typing import NDArray
from torch import Tensor

from quad_learner.learning.compiled_at_start import COLUMN, ONE, ZERO, compiled_at_start

Numbers = NDArray[np.float32]

ADAM_BETA_2 = 0.999
"""Adam's memory of squared gradients (Kingma & Ba 2015)"""
ADAM_EPSILON = 1e-8
"""added to the root of them, likewise"""


def linear_weight(shape: tuple[int, ...], inputs: int, generator: torch.Generator) -> Tensor:
    """Returns a weight drawn uniformly from ±1/√inputs, the usual start of a linear layer."""
    bound = 1.0 / math.sqrt(inputs)
    return torch.empty(shape).uniform_(-bound, bound, generator=generator)


class Flat:
    """Named parameters side by side in one vector, and their gradients in another."""

    def __init__(self, values: Mapping[str, Tensor]) -> None:
        """Args:
        values: copied; what they begin with.
        """
        self.shapes = {name: value.shape for name, value in values.items()}
        self.vector = torch.cat([value.reshape(-1) for value in values.values()])
        self.gradient = torch.zeros_like(self.vector)
        self.values = named(self.vector, self.shapes)
        """parts of `vector`, by name"""
        self.slopes = named(self.gradient, self.shapes)
        """parts of `gradient`, by name"""


def named(vector: Tensor, shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    """Returns the parts of `vector` by name; they lie side by side in the order of `shapes`."""
    parts = vector.split([math.prod(shape) for shape in shapes.values()])
    return {
        name: part.view(tuple(shape))
        for (name, shape), part in zip(shapes.items(), parts, strict=True)
    }


def arrays(tensors: Iterable[Tensor]) -> tuple[Numbers, ...]:
    """Returns the same numbers as the compiled functions take them."""
    return tuple(tensor.numpy() for tensor in tensors)


class FlatAdam:
    """Adam (Kingma & Ba 2015) over one vector."""

    def __init__(self, flat: Flat, rate: float, beta_1: float) -> None:
        """Args:
        flat: what is moved, by its gradients.
        rate: step size.
        beta_1: momentum.
        """
        self.vector = flat.vector
        self._rate, self._beta_1 = rate, beta_1
        self._steps = torch.zeros(())
        self._mean = torch.zeros_like(flat.vector)
        self._square = torch.zeros_like(flat.vector)
        self._arrays = arrays((flat.vector, flat.gradient, self._mean, self._square))

    def step(self) -> bool:
        """Moves the parameters; does nothing and returns False if the gradient is not finite."""
        if not _adam(*self._arrays, self._beta_1, *self.corrections()):
            return False
        self.count()
        return True

    def corrections(self) -> tuple[float, float]:
        """Returns the next step's size and the factor of its root, which correct the bias."""
        count = float(self._steps) + 1.0
        rate = self._rate / (1.0 - self._beta_1**count)
        return rate, 1.0 / math.sqrt(1.0 - ADAM_BETA_2**count)

    def count(self) -> None:
        """Counts a step that was made, here or elsewhere with the same corrections."""
        self._steps += 1.0

    def state(self) -> dict[str, Tensor]:
        """Returns the parameters and Adam's memory by name; not copies."""
        return {
            'vector': self.vector,
            'step': self._steps,
            'mean': self._mean,
            'square': self._square,
        }


_BETA_2, _EPSILON = np.float32(ADAM_BETA_2), np.float32(ADAM_EPSILON)


@compiled_at_start(boolean(COLUMN, COLUMN, COLUMN, COLUMN, float32, float32, float32))
def _adam(
    vector: Any, gradient: Any, mean: Any, square: Any, beta_1: Any, rate: Any, root: Any
) -> Any:  # pragma: no cover
    """Makes a step with the bias corrected by `rate` and `root`, if the gradient is finite."""
    total = ZERO
    for i in range(gradient.size):
        total += gradient[i]
    if not math.isfinite(total):
        return False
    for i in range(gradient.size):
        slope = gradient[i]
        mean[i] += (ONE - beta_1) * (slope - mean[i])
        square[i] = _BETA_2 * square[i] + (ONE - _BETA_2) * slope * slope
        vector[i] -= rate * mean[i] / (np.sqrt(square[i]) * root + _EPSILON)
    return True
