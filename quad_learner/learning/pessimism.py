"""How the members of an ensemble become one cautious value, and what each contributes to it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import float32, types

from quad_learner.learning.compiled_at_start import COLUMN, ONE, ROWS, ZERO, compiled_at_start

MINIMUM = -1.0
"""in place of a number of deviations: the least member's value (Fujimoto et al. 2018, TD3)"""


@compiled_at_start(types.Tuple((COLUMN, ROWS))(ROWS, float32), reordered=False)
def pessimistic(value: Any, deviations: Any) -> Any:  # pragma: no cover
    """Returns one value, (batch,), and its slope, (members, batch): how much it moves with each.

    Both are not finite where the value of any member is not.

    Args:
        value: of each member, (members, batch).
        deviations: so many standard deviations below the mean (Wu et al. 2024, arXiv 2401.14758),
            or MINIMUM.
    """
    members, rows = value.shape
    out, share, count = np.empty(rows, np.float32), np.empty_like(value), np.float32(members)
    for i in range(rows):
        least, mean, squares = 0, ZERO, ZERO
        for m in range(members):
            mean += value[m, i]
            least = m if value[m, i] < value[least, i] else least
        mean /= count
        for m in range(members):
            squares += (value[m, i] - mean) * (value[m, i] - mean)
        deviation = np.sqrt(squares / count)
        minimal = deviations < ZERO and math.isfinite(mean)
        out[i] = value[least, i] if minimal else mean - deviations * deviation
        for m in range(members):
            if minimal:
                share[m, i] = ONE if m == least else ZERO
            elif deviation == ZERO:  # members that agree have no direction of disagreement
                share[m, i] = ONE / count
            else:
                share[m, i] = (ONE - deviations * (value[m, i] - mean) / deviation) / count
    return out, share
