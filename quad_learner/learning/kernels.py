"""What lies between the matrix products of an update, compiled: each number is touched once.

As separate array operations this takes as long as the products. Every array is float32. What is
not finite stays so on the way: the optimiser looks for it at the end.

A hidden layer of the critics:   h = relu(γ · n + β),  n = layer norm of (x W + b)
                                 (Ba et al. 2016, arXiv 1607.06450)
The head of the actor:           u = mean + std · ε,  a = tanh(u)    (see actor.py)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import float32, njit, void

NORM_EPSILON = 1e-5
"""added to the variance in layer norm"""
_ZERO, _ONE, _EPSILON = np.float32(0.0), np.float32(1.0), np.float32(NORM_EPSILON)
_HALF, _TWO = np.float32(0.5), np.float32(2.0)
_LOG_2 = np.float32(math.log(2.0))
_HALF_LOG_TAU = np.float32(0.5 * math.log(2.0 * math.pi))
# Sums may be taken in another order, sixteen at a time; NaN and infinity keep their meaning.
_FAST = {'reassoc', 'contract', 'arcp', 'nsz'}
_ROWS = float32[:, :, ::1]
_UNITS = float32[:, ::1]
_COLUMN = float32[::1]


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


@_compile(_UNITS, _UNITS, float32, float32, _UNITS, _UNITS, _UNITS, _COLUMN)
def squash(
    heads: Any,
    noise: Any,
    middle: Any,
    reach: Any,
    squashed: Any,
    deviation: Any,
    action: Any,
    density: Any,
) -> None:  # pragma: no cover
    """Turns the actor's head into actions and their log density.

    Args:
        heads: mean and spread side by side, (batch, 2 · actions).
        noise: ε, (batch, actions).
        middle: log std = middle + reach · tanh(spread).
        reach: see middle.
        squashed: is given tanh(spread), (batch, actions).
        deviation: is given std · ε, (batch, actions).
        action: is given a, (batch, actions).
        density: is given log π(a|o) [nat], (batch,).
    """
    rows, actions = noise.shape
    for i in range(rows):
        total = _ZERO
        for j in range(actions):
            bent = math.tanh(heads[i, actions + j])
            log_std = middle + reach * bent
            moved = math.exp(log_std) * noise[i, j]
            u = heads[i, j] + moved
            # log(1 − tanh²u) = 2 (log 2 − |u| − log(1 + e^(−2|u|))) loses no digits for large |u|
            size = abs(u)
            tail = _LOG_2 - size - math.log1p(math.exp(-_TWO * size))
            total -= _HALF * noise[i, j] * noise[i, j] + log_std + _HALF_LOG_TAU + _TWO * tail
            squashed[i, j], deviation[i, j], action[i, j] = bent, moved, math.tanh(u)
        density[i] = total


@_compile(_UNITS, _UNITS, _UNITS, float32, _UNITS, _COLUMN, _UNITS)
def squash_slope(
    squashed: Any,
    deviation: Any,
    action: Any,
    reach: Any,
    action_slope: Any,
    density_slope: Any,
    slope: Any,
) -> None:  # pragma: no cover
    """Gives d loss / d heads, (batch, 2 · actions), in `slope`.

    d tanh u / d u = 1 − a²;  d log π / d u = 2 a, as d log(1 − a²) / d u = −2 a

    Args:
        squashed: as `squash` gave it, likewise deviation and action.
        deviation: see squashed.
        action: see squashed.
        reach: as `squash` was given it.
        action_slope: d loss / d a, (batch, actions).
        density_slope: d loss / d log π, (batch,).
        slope: is given the result.
    """
    rows, actions = action.shape
    for i in range(rows):
        along = density_slope[i]
        for j in range(actions):
            a, bent = action[i, j], squashed[i, j]
            u = action_slope[i, j] * (_ONE - a * a) + _TWO * along * a
            slope[i, j] = u
            log_std = u * deviation[i, j] - along
            slope[i, actions + j] = log_std * reach * (_ONE - bent * bent)


@_compile(_UNITS, _UNITS, _COLUMN, _COLUMN, float32, _COLUMN, _COLUMN, float32, _UNITS)
def bellman_errors(
    value: Any,
    following: Any,
    now: Any,
    ended: Any,
    end: Any,
    bonus: Any,
    discount: Any,
    deviations: Any,
    error: Any,
) -> None:  # pragma: no cover
    """Gives value − target of some members that share one target.

    target = now + discount · [(1 − ended) (pessimistic(following) + bonus) + ended · end]

    Args:
        value: of each member at the step, (members, batch).
        following: of each member one step later, (members, batch).
        now: what the step earned, (batch,).
        ended: 1 where the future ended, (batch,).
        end: what an ended future is worth.
        bonus: added to what a future is worth, (batch,).
        discount: of the future, (batch,).
        deviations: so many standard deviations below the members' mean; below 0: their minimum.
        error: is given the result, (members, batch).
    """
    members, rows = value.shape
    for i in range(rows):
        least, mean, squares = following[0, i], _ZERO, _ZERO
        for m in range(members):
            least = min(least, following[m, i])
            mean += following[m, i]
        mean /= members
        for m in range(members):
            squares += (following[m, i] - mean) * (following[m, i] - mean)
        if not math.isfinite(mean):
            least = mean
        future = least if deviations < _ZERO else mean - deviations * math.sqrt(squares / members)
        future = (_ONE - ended[i]) * (future + bonus[i]) + ended[i] * end
        for m in range(members):
            error[m, i] = value[m, i] - now[i] - discount[i] * future
