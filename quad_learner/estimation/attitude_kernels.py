"""The arithmetic of `AttitudeFilter`, compiled. The formulas and the reasons are there.

Vectors and quaternions are tuples, as in robot/rotations.py. Arrays are float64 and contiguous;
the last arguments, `out…`, are given the results. Finite numbers do not raise: a division by zero
gives what IEEE 754 says.
"""

from __future__ import annotations

import math
from typing import Any

from numba import float64, njit, void

from quad_learner.compiled import READ_ROW, ROW, ROWS, compiled

SHORTEST = 1e-12
"""Norm below which a quaternion has no direction left."""
SMALL_ANGLE = 1e-8
"""[rad] below it sin(x)/x is 1 to the last digit of a double."""


@njit
def _four(row: Any) -> Any:  # pragma: no cover
    return row[0], row[1], row[2], row[3]


@njit
def _cross(a: Any, b: Any) -> Any:  # pragma: no cover
    return (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )


@njit
def _multiply(left: Any, right: Any) -> Any:  # pragma: no cover
    ax, ay, az, aw = left
    bx, by, bz, bw = right
    return (
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
        aw * bw - ax * bx - ay * by - az * bz,
    )


@njit
def _turn(x: float, y: float, z: float) -> Any:  # pragma: no cover
    angle = math.sqrt(x * x + y * y + z * z)
    scale = 0.5 if angle < SMALL_ANGLE else math.sin(angle / 2.0) / angle
    return x * scale, y * scale, z * scale, math.cos(angle / 2.0)


@njit
def _rotate(quaternion: Any, vector: Any) -> Any:  # pragma: no cover
    axis = (quaternion[0], quaternion[1], quaternion[2])
    # With t = 2 (q cross v), the turned vector is v + w t + (q cross t).
    t = _cross(axis, vector)
    t = (2.0 * t[0], 2.0 * t[1], 2.0 * t[2])
    w, last = quaternion[3], _cross(axis, t)
    return (
        vector[0] + w * t[0] + last[0],
        vector[1] + w * t[1] + last[1],
        vector[2] + w * t[2] + last[2],
    )


@njit
def _normalised(quaternion: Any) -> Any:  # pragma: no cover
    x, y, z, w = quaternion
    length = math.sqrt(x * x + y * y + z * z + w * w)
    if not length > SHORTEST:
        return 0.0, 0.0, 0.0, 1.0
    return x / length, y / length, z / length, w / length


@njit
def _rotation_vector(quaternion: Any) -> Any:  # pragma: no cover
    """Returns axis times angle of a unit quaternion, the short way round."""
    x, y, z, w = quaternion
    sine = math.sqrt(x * x + y * y + z * z)
    scale = 2.0 * math.atan2(sine, abs(w)) / sine if sine > 0.0 else 2.0
    if w < 0.0:
        scale = -scale
    return scale * x, scale * y, scale * z


@njit
def _matrix(quaternion: Any, out: Any) -> None:  # pragma: no cover
    x, y, z, w = quaternion
    out[0, 0] = 1.0 - 2.0 * (y * y + z * z)
    out[0, 1] = 2.0 * (x * y - w * z)
    out[0, 2] = 2.0 * (x * z + w * y)
    out[1, 0] = 2.0 * (x * y + w * z)
    out[1, 1] = 1.0 - 2.0 * (x * x + z * z)
    out[1, 2] = 2.0 * (y * z - w * x)
    out[2, 0] = 2.0 * (x * z - w * y)
    out[2, 1] = 2.0 * (y * z + w * x)
    out[2, 2] = 1.0 - 2.0 * (x * x + y * y)


@compiled(float64(READ_ROW, READ_ROW, READ_ROW, float64, ROW, ROW, ROW, ROWS, ROWS))
def turn_on(
    measured: Any,
    gyro: Any,
    tuning: Any,
    dt: float,
    orientation: Any,
    bias: Any,
    out_rate: Any,
    out_middle: Any,
    out_now: Any,
) -> float:  # pragma: no cover
    """Carries the attitude on by one sample and corrects it where it may; returns the error.

    Args:
        measured: orientation, (4,).
        gyro: mean rate, (3,).
        tuning: time constant, jump believed, how much of an error the offset learns in a second,
            largest offset, (4,).
        dt: since the last sample [s].
        orientation: (4,), moved on.
        bias: of the gyro, (3,), moved on.
        out_rate: without the offset, (3,).
        out_middle: world_from_body half way, (3, 3).
        out_now: world_from_body, (3, 3).
    """
    for i in range(3):
        out_rate[i] = gyro[i] - bias[i]
    half = _turn(out_rate[0] * dt / 2.0, out_rate[1] * dt / 2.0, out_rate[2] * dt / 2.0)
    middle = _multiply(_four(orientation), half)
    carried = _multiply(middle, half)
    x, y, z, w = carried
    error = _rotation_vector(_multiply(_normalised(_four(measured)), (-x, -y, -z, w)))
    size = math.sqrt(error[0] ** 2 + error[1] ** 2 + error[2] ** 2)
    now = carried
    if size <= tuning[1]:
        share = min(1.0, dt / tuning[0])
        now = _multiply(_turn(share * error[0], share * error[1], share * error[2]), carried)
        in_body = _rotate((-x, -y, -z, w), error)
        for i in range(3):
            learnt = bias[i] - dt * tuning[2] * in_body[i]
            bias[i] = max(-tuning[3], min(tuning[3], learnt))
    now = _normalised(now)
    for i in range(4):
        orientation[i] = now[i]
    _matrix(middle, out_middle)
    _matrix(now, out_now)
    return size


@compiled(void(READ_ROW, ROWS))
def matrix(quaternion: Any, out: Any) -> None:  # pragma: no cover
    """Writes the rotation matrix of a unit quaternion, (3, 3)."""
    _matrix(_four(quaternion), out)
