"""The arithmetic of `ContactDetector`, compiled. The formulas and the reasons are there.

Arrays are float64 and contiguous; the last arguments are given the results. Finite numbers do not
raise: a division by zero gives what IEEE 754 says.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import boolean, float64, njit, void

from quad_learner.compiled import READ_BLOCKS, READ_ROW, ROW, compiled

FLAGS = boolean[::1]
"""Type of an array of flags."""


@njit(error_model='numpy')
def _cholesky(rows: Any, regular: float) -> Any:  # pragma: no cover
    """Returns the lower triangle L with L Lᵀ = rows rowsᵀ + regular."""
    count, width = rows.shape
    factor = np.zeros((count, count))
    for i in range(count):
        for j in range(i + 1):
            total = regular if i == j else 0.0
            for k in range(width):
                total += rows[i, k] * rows[j, k]
            for k in range(j):
                total -= factor[i, k] * factor[j, k]
            factor[i, j] = math.sqrt(total) if i == j else total / factor[j, j]
    return factor


@njit(error_model='numpy')
def _statics(effort: Any, jacobian: Any, regular: float) -> Any:  # pragma: no cover
    """Returns f of (J Jᵀ + regular) f = −J τ, (3 feet,)."""
    feet, _, joints = jacobian.shape
    rows = jacobian.reshape(3 * feet, joints)
    factor = _cholesky(rows, regular)
    force = np.zeros(3 * feet)
    for i in range(force.size):
        for k in range(joints):
            force[i] -= rows[i, k] * effort[k]
        for k in range(i):
            force[i] -= factor[i, k] * force[k]
        force[i] /= factor[i, i]
    for i in range(force.size - 1, -1, -1):
        for k in range(i + 1, force.size):
            force[i] -= factor[k, i] * force[k]
        force[i] /= factor[i, i]
    return force


@compiled(
    void(READ_ROW, READ_BLOCKS, READ_ROW, boolean, READ_ROW, float64, READ_ROW, ROW, FLAGS, ROW)
)
def stand(
    effort: Any,
    jacobian: Any,
    sensed: Any,
    has_sensor: bool,
    up: Any,
    dt: float,
    tuning: Any,
    stood: Any,
    on: Any,
    out_trust: Any,
) -> None:  # pragma: no cover
    """Judges which feet stand, and how far each is trusted.

    Args:
        effort: of the motors, (joints,).
        jacobian: of the feet, (feet, 3, joints).
        sensed: force at each foot, (feet,).
        has_sensor: `sensed` can be used.
        up: the world's vertical, body frame, (3,).
        dt: since the last sample.
        tuning: force that begins contact, force that ends it, load of full trust, time of full
            trust, sideways over upward force of half trust, `regular` of the statics, (6,).
        stood: how long each foot has stood, (feet,), moved on.
        on: whether it stands, (feet,), moved on.
        out_trust: (feet,).
    """
    force = _statics(effort, jacobian, tuning[5])
    for foot in range(stood.size):
        x, y, z = force[3 * foot], force[3 * foot + 1], force[3 * foot + 2]
        upward = x * up[0] + y * up[1] + z * up[2]
        sideways = math.sqrt(max(x * x + y * y + z * z - upward * upward, 0.0))
        load = sensed[foot] if has_sensor else upward
        on[foot] = load > (tuning[1] if on[foot] else tuning[0])
        stood[foot] = stood[foot] + dt if on[foot] else 0.0
        out_trust[foot] = 0.0
        if on[foot]:
            settled = min(1.0, stood[foot] / tuning[3])
            loaded = min(1.0, load / tuning[2])
            # The fourth power keeps a foot well inside its friction cone at nearly full trust.
            gripping = 1.0 / (1.0 + (sideways / (tuning[4] * load)) ** 4)
            out_trust[foot] = settled * loaded * gripping
