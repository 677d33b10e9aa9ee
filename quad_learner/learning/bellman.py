"""How far the critics are from the law of their values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float32

from quad_learner.learning.compiled_at_start import (
    COLUMN,
    HALF,
    ONE,
    ROWS,
    ZERO,
    compiled_at_start,
)


@compiled_at_start(float32(ROWS, COLUMN, COLUMN, COLUMN, float32, COLUMN, float32, ROWS))
def bellman_slope(
    value: Any, now: Any, future: Any, ended: Any, end: Any, discount: Any, bound: Any, slope: Any
) -> Any:  # pragma: no cover
    """Returns half the mean squared error of some members that share one target.

    target = now + discount · [(1 − ended) future + ended · end]

    Args:
        value: of each member at the step, (members, batch).
        now: what the step earned, (batch,).
        future: what is to come if it goes on, (batch,).
        ended: 1 where the future ended, (batch,).
        end: what an ended future is worth.
        discount: of the future, (batch,).
        bound: errors beyond it pull no harder (Huber 1964): the one step of a batch that ends in a
            fall is off by forty times what the others are, and must not outweigh them all.
        slope: is given d loss / d value, (members, batch), where the loss is the sum over members
            of half the mean squared error of each, linear beyond `bound`.
    """
    members, rows = value.shape
    share, total = ONE / np.float32(rows), ZERO
    for i in range(rows):
        target = now[i] + discount[i] * ((ONE - ended[i]) * future[i] + ended[i] * end)
        for m in range(members):
            error = value[m, i] - target
            slope[m, i] = min(max(error, -bound), bound) * share
            total += error * error
    return HALF * total * share / np.float32(members)
