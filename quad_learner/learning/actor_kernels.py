"""The actor of `actor.py`, there and back.

h = relu(x W + b), twice;  mean, spread = h W + b
u = mean + std · ε,  a = tanh(u),  log std = middle + reach · tanh(spread)
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import float32, void

from quad_learner.learning.compiled_at_start import (
    APART,
    COLUMN,
    HALF,
    ONE,
    ROWS,
    TWO,
    ZERO,
    compiled_at_start,
)
from quad_learner.learning.elementary import exp, log1p
from quad_learner.learning.products import product, product_left, product_right

SATURATED = np.float32(0.9)
"""an action beyond it hardly feels its own gradient any more: 1 − a² is below 0.19"""
_LOG_2 = np.float32(math.log(2.0))
_HALF_LOG_TAU = np.float32(0.5 * math.log(2.0 * math.pi))


@compiled_at_start(void(ROWS, COLUMN, COLUMN, float32, ROWS))
def normalise(
    observation: Any, shift: Any, scale: Any, bound: Any, out: Any
) -> None:  # pragma: no cover
    """Gives (observation − shift) · scale within ±bound in the first columns of `out`."""
    for i in range(observation.shape[0]):
        for j in range(observation.shape[1]):
            value = (observation[i, j] - shift[j]) * scale[j]
            value = bound if value > bound else value
            out[i, j] = -bound if value < -bound else value


@compiled_at_start(void(ROWS, COLUMN), inner=True)
def _relu(z: Any, bias: Any) -> None:  # pragma: no cover
    """Turns x W into h."""
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            value = z[i, j] + bias[j]
            z[i, j] = ZERO if value <= ZERO else value


@compiled_at_start(
    void(ROWS, COLUMN, ROWS, float32, float32, ROWS, ROWS, ROWS, COLUMN), inner=True
)
def _squash(
    heads: Any,
    bias: Any,
    noise: Any,
    middle: Any,
    reach: Any,
    bent: Any,
    moved: Any,
    action: Any,
    density: Any,
) -> None:  # pragma: no cover
    rows, actions = noise.shape
    for i in range(rows):
        total = ZERO
        for j in range(actions):
            spread = heads[i, actions + j] + bias[actions + j]
            decay = exp(-TWO * abs(spread))
            bend = (ONE - decay) / (ONE + decay)
            bend = -bend if spread < ZERO else bend
            log_std = middle + reach * bend
            move = exp(log_std) * noise[i, j]
            u = heads[i, j] + bias[j] + move
            decay = exp(-TWO * abs(u))
            squashed = (ONE - decay) / (ONE + decay)
            # log(1 − tanh²u) = 2 (log 2 − |u| − log(1 + e^(−2|u|))) loses no digits for large |u|
            tail = _LOG_2 - abs(u) - log1p(decay)
            total -= HALF * noise[i, j] * noise[i, j] + log_std + _HALF_LOG_TAU + TWO * tail
            bent[i, j], moved[i, j] = bend, move
            action[i, j] = -squashed if u < ZERO else squashed
        density[i] = total


@compiled_at_start(
    void(
        *(APART, ROWS, ROWS, COLUMN, ROWS, COLUMN, ROWS, COLUMN, float32, float32),
        *(ROWS, ROWS, ROWS, ROWS, ROWS, ROWS, COLUMN),
    )
)
def sample(
    inputs: Any,
    noise: Any,
    weight_1: Any,
    bias_1: Any,
    weight_2: Any,
    bias_2: Any,
    weight_3: Any,
    bias_3: Any,
    middle: Any,
    reach: Any,
    heads: Any,
    hidden_1: Any,
    hidden_2: Any,
    bent: Any,
    moved: Any,
    action: Any,
    density: Any,
) -> None:  # pragma: no cover
    """Gives actions and their log density.

    Args:
        inputs: normalised observations, (batch, observations).
        noise: ε, (batch, actions).
        weight_1: W of the first layer, (observations, width).
        bias_1: b of it, (width,); likewise of the other layers.
        weight_2: (width, width).
        bias_2: (width,).
        weight_3: (width, 2 · actions).
        bias_3: (2 · actions,).
        middle: log std = middle + reach · tanh(spread).
        reach: see middle.
        heads: is given mean − b and spread − b side by side, (batch, 2 · actions).
        hidden_1: is given h of the first layer, (batch, width).
        hidden_2: is given h of the second layer.
        bent: is given tanh(spread), (batch, actions).
        moved: is given std · ε, (batch, actions).
        action: is given a, (batch, actions).
        density: is given log π(a|o) [nat], (batch,).
    """
    product(inputs, weight_1, hidden_1)
    _relu(hidden_1, bias_1)
    product(hidden_1, weight_2, hidden_2)
    _relu(hidden_2, bias_2)
    product(hidden_2, weight_3, heads)
    _squash(heads, bias_3, noise, middle, reach, bent, moved, action, density)


@compiled_at_start(
    void(ROWS, ROWS, ROWS, float32, float32, ROWS, float32, ROWS, COLUMN), inner=True
)
def _squash_back(
    bent: Any,
    moved: Any,
    action: Any,
    reach: Any,
    pull: Any,
    action_slope: Any,
    density_slope: Any,
    slope: Any,
    for_bias: Any,
) -> None:  # pragma: no cover
    """d tanh u / d u = 1 − a²;  d log π / d u = 2 a, as d log(1 − a²) / d u = −2 a."""
    rows, actions = action.shape
    for_bias[:] = ZERO
    for i in range(rows):
        for j in range(actions):
            a, bend = action[i, j], bent[i, j]
            u = action_slope[i, j] * (ONE - a * a) + TWO * density_slope * a
            beyond = max(abs(a) - SATURATED, ZERO) / (ONE - SATURATED) * pull
            u += beyond if a > ZERO else -beyond
            slope[i, j] = u
            spread = (u * moved[i, j] - density_slope) * reach * (ONE - bend * bend)
            slope[i, actions + j] = spread
            for_bias[j] += u
            for_bias[actions + j] += spread


@compiled_at_start(void(ROWS, ROWS, COLUMN), inner=True)
def _relu_back(slope: Any, hidden: Any, for_bias: Any) -> None:  # pragma: no cover
    """Turns d loss / d h into d loss / d (x W + b), and gives b's gradient, its sum."""
    for_bias[:] = ZERO
    for i in range(slope.shape[0]):
        for j in range(slope.shape[1]):
            value = ZERO if hidden[i, j] <= ZERO else slope[i, j]
            slope[i, j] = value
            for_bias[j] += value


@compiled_at_start(
    void(
        *(ROWS, float32, float32, APART, ROWS, ROWS, float32, ROWS, ROWS, ROWS, ROWS, ROWS),
        *(ROWS, COLUMN, ROWS, COLUMN, ROWS, COLUMN, ROWS, ROWS, ROWS),
    )
)
def gradients(
    action_slope: Any,
    density_slope: Any,
    pull: Any,
    inputs: Any,
    weight_2: Any,
    weight_3: Any,
    reach: Any,
    hidden_1: Any,
    hidden_2: Any,
    bent: Any,
    moved: Any,
    action: Any,
    for_weight_1: Any,
    for_bias_1: Any,
    for_weight_2: Any,
    for_bias_2: Any,
    for_weight_3: Any,
    for_bias_3: Any,
    slope_1: Any,
    slope_2: Any,
    slope_3: Any,
) -> None:  # pragma: no cover
    """Gives the gradients of all weights.

    Args:
        action_slope: d loss / d a, (batch, actions).
        density_slope: d loss / d log π of each row.
        pull: added to d loss / d u of an action at ±1, less towards ±SATURATED, away from there.
        inputs: as `sample` was given it, likewise weight_2, weight_3 and reach.
        weight_2: see inputs.
        weight_3: see inputs.
        reach: see inputs.
        hidden_1: as `sample` gave it, likewise hidden_2, bent, moved and action.
        hidden_2: see hidden_1.
        bent: see hidden_1.
        moved: see hidden_1.
        action: see hidden_1.
        for_weight_1: is given the gradient of weight_1, and so on.
        for_bias_1: see for_weight_1.
        for_weight_2: see for_weight_1.
        for_bias_2: see for_weight_1.
        for_weight_3: see for_weight_1.
        for_bias_3: see for_weight_1.
        slope_1: is given d loss / d (x W + b) of the first layer, and so on.
        slope_2: see slope_1.
        slope_3: see slope_1.
    """
    given = (bent, moved, action, reach, pull, action_slope, density_slope)
    _squash_back(*given, slope_3, for_bias_3)
    product_left(hidden_2, slope_3, for_weight_3)
    product_right(slope_3, weight_3, slope_2)
    _relu_back(slope_2, hidden_2, for_bias_2)
    product_left(hidden_1, slope_2, for_weight_2)
    product_right(slope_2, weight_2, slope_1)
    _relu_back(slope_1, hidden_1, for_bias_1)
    product_left(inputs, slope_1, for_weight_1)
