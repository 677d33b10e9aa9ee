"""The critics of `layer_norm_critics.py`, there and back, member by member.

    h = relu(γ n + β),  n = layer norm of (x W + b)     (Ba et al. 2016, arXiv 1607.06450)
    value = h_2 · w + c

One member's weights and activations stay in the processor's cache while they are worked on. A
layer's `units` are what it has for each unit, in the order of `BIAS`, `GAMMA`, `BETA` (b, γ, β)
and, in the second layer, `HEAD` (w). Member m's two layers lie at 2 m and 2 m + 1 of `normals`,
`hidden` (n and h, (2 · members, batch, width)) and `scales` (1 / deviation, (2 · members, batch)).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import int64, void

from quad_learner.learning.compiled_at_start import (
    APART,
    COLUMN,
    MEMBERS,
    ONE,
    ROWS,
    ZERO,
    compiled_at_start,
)
from quad_learner.learning.products import product, product_left, product_right

BIAS, GAMMA, BETA, HEAD = range(4)
EPSILON = np.float32(1e-5)
"""added to the variance in layer norm"""


@compiled_at_start(void(ROWS, ROWS, ROWS, COLUMN), inner=True)
def _normalise(z: Any, units: Any, mask: Any, scale: Any) -> None:  # pragma: no cover
    """Turns x W into n, where `mask` is not empty that of (x W + b) · mask; gives `scale`."""
    rows, width = z.shape
    share = ONE / np.float32(width)
    for i in range(rows):
        for j in range(width):
            z[i, j] += units[BIAS, j]
        if len(mask):
            for j in range(width):
                z[i, j] *= mask[i, j]
        total, squares = ZERO, ZERO
        for j in range(width):
            total += z[i, j]
        mean = total * share
        for j in range(width):
            squares += (z[i, j] - mean) * (z[i, j] - mean)
        inverse = ONE / np.sqrt(squares * share + EPSILON)
        scale[i] = inverse
        for j in range(width):
            z[i, j] = (z[i, j] - mean) * inverse


@compiled_at_start(void(ROWS, ROWS, ROWS), inner=True)
def _relu(normal: Any, units: Any, out: Any) -> None:  # pragma: no cover
    """Gives h."""
    rows, width = normal.shape
    for i in range(rows):
        for j in range(width):
            value = normal[i, j] * units[GAMMA, j] + units[BETA, j]
            out[i, j] = ZERO if value <= ZERO else value


@compiled_at_start(void(ROWS, ROWS, COLUMN), inner=True)
def _head(normal: Any, units: Any, value: Any) -> None:  # pragma: no cover
    """Adds h · w to each row's value."""
    rows, width = normal.shape
    for i in range(rows):
        total = ZERO
        for j in range(width):
            hidden = normal[i, j] * units[GAMMA, j] + units[BETA, j]
            total += (ZERO if hidden <= ZERO else hidden) * units[HEAD, j]
        value[i] += total


@compiled_at_start(void(COLUMN, ROWS, ROWS, ROWS, ROWS), inner=True)
def _head_back(
    slope: Any, normal: Any, units: Any, gradient: Any, out: Any
) -> None:  # pragma: no cover
    """Gives d loss / d h in `out`, and the gradient of w, from d loss / d value."""
    rows, width = normal.shape
    gradient[HEAD] = ZERO
    for i in range(rows):
        for j in range(width):
            hidden = normal[i, j] * units[GAMMA, j] + units[BETA, j]
            gradient[HEAD, j] += (ZERO if hidden <= ZERO else hidden) * slope[i]
        for j in range(width):
            out[i, j] = slope[i] * units[HEAD, j]


@compiled_at_start(void(ROWS, int64[::1], ROWS, COLUMN, ROWS), inner=True)
def _layer_back(
    slope: Any, places: Any, normal: Any, scale: Any, units: Any
) -> None:  # pragma: no cover
    """Turns d loss / d h into d loss / d (x W + b); row k is that of batch row places[k]."""
    rows, width = slope.shape
    share = ONE / np.float32(width)
    for k in range(rows):
        i = places[k]
        total, along = ZERO, ZERO
        for j in range(width):
            dead = normal[i, j] * units[GAMMA, j] + units[BETA, j] <= ZERO
            value = ZERO if dead else slope[k, j] * units[GAMMA, j]
            slope[k, j] = value
            total += value
            along += value * normal[i, j]
        total, along, inverse = total * share, along * share, scale[i]
        for j in range(width):
            slope[k, j] = (slope[k, j] - total - normal[i, j] * along) * inverse


@compiled_at_start(void(ROWS, int64[::1], ROWS, COLUMN, ROWS, ROWS, ROWS), inner=True)
def _learn(
    slope: Any, places: Any, normal: Any, scale: Any, units: Any, mask: Any, gradient: Any
) -> None:  # pragma: no cover
    """Does what `_layer_back` does, for x W of a layer with a mask, and gives b's, γ's and β's."""
    rows, width = slope.shape
    gradient[:HEAD] = ZERO
    for i in range(rows):
        for j in range(width):
            dead = normal[i, j] * units[GAMMA, j] + units[BETA, j] <= ZERO
            value = ZERO if dead else slope[i, j]
            gradient[BETA, j] += value
            gradient[GAMMA, j] += value * normal[i, j]
    _layer_back(slope, places, normal, scale, units)
    for i in range(rows):
        if len(mask):
            for j in range(width):
                slope[i, j] *= mask[i, j]
        for j in range(width):
            gradient[BIAS, j] += slope[i, j]


@compiled_at_start(
    void(APART, MEMBERS, MEMBERS, MEMBERS, MEMBERS, COLUMN, MEMBERS, MEMBERS, MEMBERS, ROWS, ROWS)
)
def values(
    inputs: Any,
    weight_1: Any,
    units_1: Any,
    weight_2: Any,
    units_2: Any,
    bias: Any,
    masks: Any,
    normals: Any,
    hidden: Any,
    scales: Any,
    value: Any,
) -> None:  # pragma: no cover
    """Gives each member's values of a batch.

    Args:
        inputs: x, (batch, inputs).
        weight_1: W of the first layer, (members, inputs, width).
        units_1: (members, 3, width).
        weight_2: W of the second layer, (members, width, width).
        units_2: (members, 4, width).
        bias: c, (members,).
        masks: of both layers, (2, batch, width), 0 where a unit is dropped; or (2, 0, 0).
        normals: is given n of as many members as it has room for: the last ones.
        hidden: is given h of the first layers, likewise.
        scales: is given 1 / deviation, likewise.
        value: is given the values, (members, batch).
    """
    for m in range(len(value)):
        kept = m % len(hidden)
        first, second = normals[2 * kept], normals[2 * kept + 1]
        product(inputs, weight_1[m], first)
        _normalise(first, units_1[m], masks[0], scales[2 * kept])
        _relu(first, units_1[m], hidden[kept])
        product(hidden[kept], weight_2[m], second)
        _normalise(second, units_2[m], masks[1], scales[2 * kept + 1])
        value[m] = bias[m]
        _head(second, units_2[m], value[m])


@compiled_at_start(
    void(
        *(ROWS, APART, MEMBERS, MEMBERS, MEMBERS, MEMBERS, MEMBERS, MEMBERS, ROWS),
        *(MEMBERS, MEMBERS, MEMBERS, MEMBERS, COLUMN, MEMBERS),
    )
)
def gradients(
    slope: Any,
    inputs: Any,
    units_1: Any,
    weight_2: Any,
    units_2: Any,
    masks: Any,
    normals: Any,
    hidden: Any,
    scales: Any,
    for_weight_1: Any,
    for_units_1: Any,
    for_weight_2: Any,
    for_units_2: Any,
    for_bias: Any,
    work: Any,
) -> None:  # pragma: no cover
    """Gives the gradients of all that `values` was given.

    Args:
        slope: d loss / d value, (members, batch).
        inputs: as `values` was given them, likewise all others up to `scales`.
        units_1: see inputs.
        weight_2: see inputs.
        units_2: see inputs.
        masks: see inputs.
        normals: see inputs.
        hidden: see inputs.
        scales: see inputs.
        for_weight_1: is given the gradient of weight_1, and so on.
        for_units_1: see for_weight_1.
        for_weight_2: see for_weight_1.
        for_units_2: see for_weight_1.
        for_bias: see for_weight_1.
        work: room, (2, batch, width).
    """
    second, first = work[0], work[1]
    every = np.arange(len(inputs))
    for m in range(len(slope)):
        one, two = 2 * m, 2 * m + 1
        for_bias[m] = slope[m].sum()
        _head_back(slope[m], normals[two], units_2[m], for_units_2[m], second)
        _learn(second, every, normals[two], scales[two], units_2[m], masks[1], for_units_2[m])
        product_left(hidden[m], second, for_weight_2[m])
        product_right(second, weight_2[m], first)
        _learn(first, every, normals[one], scales[one], units_1[m], masks[0], for_units_1[m])
        product_left(inputs, first, for_weight_1[m])


@compiled_at_start(void(ROWS, MEMBERS, MEMBERS, MEMBERS, MEMBERS, MEMBERS, ROWS, MEMBERS, ROWS))
def action_slopes(
    slope: Any,
    weight_1: Any,
    units_1: Any,
    weight_2: Any,
    units_2: Any,
    normals: Any,
    scales: Any,
    work: Any,
    out: Any,
) -> None:  # pragma: no cover
    """Gives d loss / d action, the last of the inputs, (batch, actions), in `out`.

    Args:
        slope: d loss / d value, (members, batch); rows of 0 take no part.
        weight_1: as `values` was given it, without masks; likewise all others up to `scales`.
        units_1: see weight_1.
        weight_2: see weight_1.
        units_2: see weight_1.
        normals: see weight_1.
        scales: see weight_1.
        work: room, (2, batch, width).
        out: is given the result.
    """
    batch, actions = out.shape
    places, part = np.empty(batch, np.int64), np.empty((batch, actions), np.float32)
    out[:] = ZERO
    for m in range(len(slope)):
        rows = 0
        for i in range(batch):
            if slope[m, i] != ZERO:
                places[rows] = i
                for j in range(work.shape[2]):
                    work[0, rows, j] = slope[m, i] * units_2[m, HEAD, j]
                rows += 1
        second, first, there = work[0, :rows], work[1, :rows], places[:rows]
        _layer_back(second, there, normals[2 * m + 1], scales[2 * m + 1], units_2[m])
        product_right(second, weight_2[m], first)
        _layer_back(first, there, normals[2 * m], scales[2 * m], units_1[m])
        product_right(first, weight_1[m, -actions:], part[:rows])
        for k in range(rows):
            for j in range(actions):
                out[places[k], j] += part[k, j]
