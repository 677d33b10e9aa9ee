"""The arithmetic of `VelocityFilter`, compiled. The formulas and the reasons are there.

P holds pp, pv, pb, vv, vb, bb. Arrays are float64 and contiguous; the last arguments are given the
results. Finite numbers do not raise: a division by zero gives what IEEE 754 says.
"""

from __future__ import annotations

import math
from typing import Any

from numba import float64, njit, void

from quad_learner.compiled import READ_ROW, READ_ROWS, ROW, compiled


@compiled(void(READ_ROW, READ_ROWS, float64, READ_ROW, ROW, ROW, ROW, ROW))
def predict(
    force: Any,
    middle: Any,
    dt: float,
    tuning: Any,
    position: Any,
    velocity: Any,
    offset: Any,
    spread: Any,
) -> None:  # pragma: no cover
    """Moves position, velocity, offset and P on by `dt`.

    Args:
        force: specific, body frame, (3,).
        middle: world_from_body half way, (3, 3).
        dt: [s].
        tuning: gravity along z, noise at rest, noise for each m/s², time constant of the offset,
            variance of the offset, (5,).
        position: (3,), moved on.
        velocity: (3,), moved on.
        offset: (3,), moved on.
        spread: P, (6,), moved on.
    """
    keep = math.exp(-dt / tuning[3])
    shaking = 0.0
    for i in range(3):
        pull = tuning[0] if i == 2 else 0.0
        for j in range(3):
            pull += middle[i, j] * (force[j] - offset[j])
        position[i] += dt * (velocity[i] + 0.5 * dt * pull)
        velocity[i] += dt * pull
        shaking += pull * pull
    for i in range(3):
        offset[i] *= keep
    noise = tuning[1] + tuning[2] * math.sqrt(shaking)
    pp, pv, pb, vv, vb, bb = spread
    spread[0] = pp + dt * (2.0 * pv + dt * vv)
    spread[1] = pv + dt * (vv - pb - dt * vb)
    spread[2] = keep * (pb + dt * vb)
    spread[3] = vv - dt * (2.0 * vb - dt * bb) + (noise * dt) ** 2
    spread[4] = keep * (vb - dt * bb)
    spread[5] = keep * keep * bb + (1.0 - keep * keep) * tuning[4]


@njit(error_model='numpy')
def _update(
    innovation: Any,
    variance: float,
    now: Any,
    position: Any,
    velocity: Any,
    offset: Any,
    spread: Any,
) -> None:  # pragma: no cover
    pv, vv, vb = spread[1], spread[3], spread[4]
    total = vv + variance
    for i in range(3):
        position[i] += (pv / total) * innovation[i]
        velocity[i] += (vv / total) * innovation[i]
        in_body = innovation[0] * now[0, i] + innovation[1] * now[1, i] + innovation[2] * now[2, i]
        offset[i] += (vb / total) * in_body
    rest = variance / total
    spread[0] -= pv * pv / total
    spread[1] = pv * rest
    spread[2] -= pv * vb / total
    spread[3] = vv * rest
    spread[4] = vb * rest
    spread[5] -= vb * vb / total


@compiled(void(READ_ROWS, READ_ROW, READ_ROWS, READ_ROW, ROW, ROW, ROW, ROW))
def correct(
    told: Any,
    trust: Any,
    now: Any,
    tuning: Any,
    position: Any,
    velocity: Any,
    offset: Any,
    spread: Any,
) -> None:  # pragma: no cover
    """Corrects by what the feet tell.

    Args:
        told: velocity by each foot, world frame, (feet, 3).
        trust: in each foot, (feet,).
        now: world_from_body, (3, 3).
        tuning: variance of a foot, square of the gate, variance upwards, least weight, (4,).
        position: (3,), corrected.
        velocity: (3,), corrected.
        offset: (3,), corrected.
        spread: P, (6,), corrected.
    """
    total, sum_x, sum_y, sum_z = 0.0, 0.0, 0.0, 0.0
    upward = spread[3] + tuning[2]
    for foot in range(told.shape[0]):
        x = told[foot, 0] - velocity[0]
        y = told[foot, 1] - velocity[1]
        z = told[foot, 2] - velocity[2]
        share = trust[foot]
        sideways = share * spread[3] + tuning[0]
        deviation = share * (x * x + y * y) / (2.0 * sideways) + z * z / upward
        weight = share / (tuning[0] * (1.0 + deviation / tuning[1]) ** 2)
        total += weight
        sum_x += weight * x
        sum_y += weight * y
        sum_z += weight * z
    if total > tuning[3]:
        innovation = (sum_x / total, sum_y / total, sum_z / total)
        _update(innovation, 1.0 / total, now, position, velocity, offset, spread)


@compiled(void(float64, READ_ROWS, ROW, ROW, ROW, ROW))
def assume_still(
    variance: float, now: Any, position: Any, velocity: Any, offset: Any, spread: Any
) -> None:  # pragma: no cover
    """Corrects by a measured velocity of zero with that variance."""
    innovation = (-velocity[0], -velocity[1], -velocity[2])
    _update(innovation, variance, now, position, velocity, offset, spread)
