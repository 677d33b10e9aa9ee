"""How the feet move with the joints, from the Jacobian of the whole tree; compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import boolean, float64, int64, njit, void

from quad_learner.compiled import READ_ROW, READ_ROWS, ROWS, compiled

_INDICES = int64[::1]
_FLAGS = boolean[:, ::1]


@njit
def _slopes(tree: Any, place: Any, moves: Any) -> Any:  # pragma: no cover
    """Returns the twist of one foot for each joint, (6, nv).

    A point p of a body whose origin moves with v and that turns with w moves with v + w cross p.
    """
    slopes = np.zeros(tree.shape)
    for n in range(moves.size):
        if moves[n]:
            for i in range(3):
                j, k = (i + 1) % 3, (i + 2) % 3
                slopes[i, n] = tree[i, n] + tree[3 + j, n] * place[k] - tree[3 + k, n] * place[j]
                slopes[3 + i, n] = tree[3 + i, n]
    return slopes


@compiled(
    void(
        float64[::1, :],
        READ_ROWS,
        _FLAGS,
        _INDICES,
        _INDICES,
        READ_ROWS,
        READ_ROW,
        ROWS,
        ROWS,
        float64[:, :, ::1],
    )
)
def foot_motion(
    tree: Any,
    place: Any,
    moves: Any,
    motors: Any,
    passive: Any,
    response: Any,
    rates: Any,
    out_velocity: Any,
    out_spin: Any,
    out_jacobian: Any,
) -> None:  # pragma: no cover
    """Works out velocity, spin and Jacobian of each foot, body frame.

    Args:
        tree: twist of the body's origin for each joint if it carried the joint's link: 3 linear
            rows, 3 angular rows, (6, nv).
        place: of each foot [m], (feet, 3).
        moves: whether a joint moves a foot, (feet, nv).
        motors: numbers of the joints with motor, (joints,).
        passive: numbers of those without, (passive,).
        response: d passive / d motor, (passive, joints).
        rates: of all joints [rad/s], (nv,).
        out_velocity: of each foot [m/s], (feet, 3).
        out_spin: of each foot's link [rad/s], (feet, 3).
        out_jacobian: d place / d motor [m/rad], (feet, 3, joints).
    """
    for foot in range(place.shape[0]):
        slopes = _slopes(tree, place[foot], moves[foot])
        for i in range(3):
            out_velocity[foot, i], out_spin[foot, i] = 0.0, 0.0
            for n in range(rates.size):
                out_velocity[foot, i] += slopes[i, n] * rates[n]
                out_spin[foot, i] += slopes[3 + i, n] * rates[n]
            for m in range(motors.size):
                slope = slopes[i, motors[m]]
                for p in range(passive.size):
                    slope += slopes[i, passive[p]] * response[p, m]
                out_jacobian[foot, i, m] = slope
