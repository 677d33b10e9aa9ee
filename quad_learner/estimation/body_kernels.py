"""The arithmetic of `Estimator`, compiled: between feet, IMU and root link; and its limits.

Arrays are float64 and contiguous; the last arguments are given the results. Finite numbers do not
raise: a division by zero gives what IEEE 754 says.
"""

from __future__ import annotations

from typing import Any

from numba import boolean, float64, njit, void

from quad_learner.compiled import READ_ROW, READ_ROWS, ROW, ROWS, compiled


@njit
def _three(row: Any) -> Any:  # pragma: no cover
    return row[0], row[1], row[2]


@njit
def _plus(a: Any, b: Any) -> Any:  # pragma: no cover
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


@njit
def _minus(a: Any, b: Any) -> Any:  # pragma: no cover
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


@njit
def _cross(a: Any, b: Any) -> Any:  # pragma: no cover
    return (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )


@compiled(boolean(READ_ROW, float64))
def is_below(values: Any, limit: float) -> bool:  # pragma: no cover
    """Returns whether the size of each number is below `limit`; NaN is not."""
    within = True
    for value in values:
        within = within and abs(value) < limit
    return within


@compiled(boolean(*(READ_ROW,) * 7, float64))
def are_below(
    a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, limit: float
) -> bool:  # pragma: no cover
    """Returns whether `is_below` is so for all."""
    within = is_below(a, limit) and is_below(b, limit) and is_below(c, limit)
    within = within and is_below(d, limit) and is_below(e, limit)
    return bool(within and is_below(f, limit) and is_below(g, limit))


@compiled(void(READ_ROWS, READ_ROWS, READ_ROWS, READ_ROW, READ_ROWS, READ_ROW, float64, ROWS))
def told_by_feet(
    place: Any, speed: Any, spin: Any, rate: Any, now: Any, arm: Any, radius: float, out: Any
) -> None:  # pragma: no cover
    """Works out the velocity of the IMU if each foot stood, world frame.

    Args:
        place: of each foot, body frame, (feet, 3).
        speed: of each foot relative to the body, (feet, 3).
        spin: of each foot's link relative to the body, (feet, 3).
        rate: of the body, body frame, (3,).
        now: world_from_body, (3, 3).
        arm: of the IMU, body frame, (3,).
        radius: of a foot.
        out: (feet, 3).
    """
    for foot in range(place.shape[0]):
        reach = _minus(_three(place[foot]), _three(arm))
        carried = _plus(_three(speed[foot]), _cross(_three(rate), reach))
        turning = _plus(_three(spin[foot]), _three(rate))
        up = (radius * now[2, 0], radius * now[2, 1], radius * now[2, 2])
        told = _minus(_cross(turning, up), carried)
        for i in range(3):
            out[foot, i] = now[i, 0] * told[0] + now[i, 1] * told[1] + now[i, 2] * told[2]


@compiled(void(READ_ROW, READ_ROW, READ_ROW, READ_ROWS, READ_ROW, ROW, ROW))
def of_root_link(
    position: Any, velocity: Any, rate: Any, now: Any, arm: Any, out: Any, out_velocity: Any
) -> None:  # pragma: no cover
    """Takes the IMU's position and velocity (world) to the root link's (world, and body frame)."""
    swept = _cross(_three(rate), _three(arm))
    for i in range(3):
        out[i] = position[i]
        out_velocity[i] = -swept[i]
        for j in range(3):
            out[i] -= now[i, j] * arm[j]
            out_velocity[i] += velocity[j] * now[j, i]


@compiled(void(READ_ROWS, READ_ROW, READ_ROW, float64, float64, ROW))
def settle_height(
    place: Any, trust: Any, up: Any, radius: float, share: float, position: Any
) -> None:  # pragma: no cover
    """Moves position z by `share` of its way to the height above the feet that stand.

    Args:
        place: of each foot's centre from the root link, body frame, (feet, 3).
        trust: in each foot, (feet,).
        up: the world's vertical, body frame, (3,).
        radius: of a foot.
        share: 0 to 1.
        position: (3,), moved.
    """
    total, depth = 0.0, 0.0
    for foot in range(trust.size):
        x, y, z = _three(place[foot])
        total += trust[foot]
        depth += trust[foot] * (x * up[0] + y * up[1] + z * up[2])
    if total > 0.0:
        position[2] += share * (radius - depth / total - position[2])
