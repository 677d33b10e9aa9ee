"""What lies between the matrix products of a hidden layer, compiled: each number is touched once.

h = relu(γ · n + β),  n = layer norm of (x W + b)          (Ba et al. 2016, arXiv 1607.06450)

As separate array operations this takes as long as the products. Every array is float32; (members,
batch, width) for what differs from row to row, (members, width) for what belongs to a unit. What
is not finite stays so on the way: the optimiser looks for it at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import float32, njit, void

NORM_EPSILON = 1e-5
"""added to the variance in layer norm"""
_ZERO, _ONE, _EPSILON = np.float32(0.0), np.float32(1.0), np.float32(NORM_EPSILON)
# Sums may be taken in another order, sixteen at a time; NaN and infinity keep their meaning.
_FAST = {'reassoc', 'contract', 'arcp', 'nsz'}
_ROWS = float32[:, :, ::1]
_UNITS = float32[:, ::1]


Kernel = Callable[..., None]


def _compile(*arguments: Any) -> Callable[[Kernel], Kernel]:
    """Compiles for these types when this file is imported: an update never waits for it."""
    compiled: Callable[[Kernel], Kernel] = njit(
        void(*arguments), fastmath=_FAST, error_model='numpy'
    )
    return compiled


@_compile(_ROWS, _UNITS, _UNITS, _UNITS, _UNITS, _ROWS)
def norm_relu(
    z: Any, bias: Any, gamma: Any, beta: Any, scale: Any, out: Any
) -> None:  # pragma: no cover
    """Turns x W into a layer's output.

    Args:
        z: x W; becomes n.
        bias: b.
        gamma: γ.
        beta: β.
        scale: is given 1 / deviation of each row, (members, batch).
        out: is given h.
    """
    members, rows, width = z.shape
    share = _ONE / np.float32(width)
    for m in range(members):
        for i in range(rows):
            total = _ZERO
            for j in range(width):
                value = z[m, i, j] + bias[m, j]
                z[m, i, j] = value
                total += value
            mean = total * share
            squares = _ZERO
            for j in range(width):
                value = z[m, i, j] - mean
                squares += value * value
            inverse = _ONE / np.sqrt(squares * share + _EPSILON)
            scale[m, i] = inverse
            for j in range(width):
                value = (z[m, i, j] - mean) * inverse
                z[m, i, j] = value
                value = value * gamma[m, j] + beta[m, j]
                out[m, i, j] = _ZERO if value <= _ZERO else value


@_compile(_ROWS, _ROWS, _ROWS, _UNITS, _UNITS)
def slope_through(
    slope: Any, out: Any, normal: Any, scale: Any, gamma: Any
) -> None:  # pragma: no cover
    """Turns d loss / d h into d loss / d (x W).

    Args:
        slope: d loss / d h; becomes d loss / d (x W).
        out: h, as `norm_relu` gave it.
        normal: n, likewise.
        scale: likewise.
        gamma: γ.
    """
    members, rows, width = slope.shape
    share = _ONE / np.float32(width)
    for m in range(members):
        for i in range(rows):
            total, along = _ZERO, _ZERO
            for j in range(width):
                value = _ZERO if out[m, i, j] <= _ZERO else slope[m, i, j]
                value *= gamma[m, j]
                slope[m, i, j] = value
                total += value
                along += value * normal[m, i, j]
            total, along, inverse = total * share, along * share, scale[m, i]
            for j in range(width):
                slope[m, i, j] = (slope[m, i, j] - total - normal[m, i, j] * along) * inverse


@_compile(_ROWS, _ROWS, _ROWS, _UNITS, _UNITS, _UNITS, _UNITS, _UNITS)
def gradients_through(
    slope: Any,
    out: Any,
    normal: Any,
    scale: Any,
    gamma: Any,
    bias_slope: Any,
    gamma_slope: Any,
    beta_slope: Any,
) -> None:  # pragma: no cover
    """Does what `slope_through` does, and gives the gradients of b, γ and β."""
    members, rows, width = slope.shape
    share = _ONE / np.float32(width)
    for m in range(members):
        for j in range(width):
            bias_slope[m, j] = gamma_slope[m, j] = beta_slope[m, j] = _ZERO
        for i in range(rows):
            total, along = _ZERO, _ZERO
            for j in range(width):
                value = _ZERO if out[m, i, j] <= _ZERO else slope[m, i, j]
                beta_slope[m, j] += value
                gamma_slope[m, j] += value * normal[m, i, j]
                value *= gamma[m, j]
                slope[m, i, j] = value
                total += value
                along += value * normal[m, i, j]
            total, along, inverse = total * share, along * share, scale[m, i]
            for j in range(width):
                value = (slope[m, i, j] - total - normal[m, i, j] * along) * inverse
                slope[m, i, j] = value
                bias_slope[m, j] += value
