"""Rotations as unit quaternions x, y, z, w, plain roll, pitch and yaw, and 3 x 3 matrices.

A quaternion or matrix called `world_from_body` turns a vector given in the body frame into the
world. Roll, pitch and yaw compose as R = Rz(yaw) Ry(pitch) Rx(roll). Everything here is scalar
arithmetic on Python floats: for three or four numbers that is several times faster than numpy.
Finite numbers never raise: a quaternion without length counts as no rotation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Numbers = Sequence[float] | Array
"""A few numbers in a row: a list, a tuple or a flat array."""

IDENTITY = (0.0, 0.0, 0.0, 1.0)
"""The quaternion of no rotation."""
_SHORTEST = 1e-12
"""Norm below which a quaternion has no direction left."""
_SMALL_ANGLE = 1e-8
"""[rad] below it sin(x)/x is 1 to the last digit of a double."""


def _floats(numbers: Numbers) -> Sequence[float]:
    return numbers.tolist() if isinstance(numbers, np.ndarray) else numbers


def normalised(quaternion: Numbers) -> tuple[float, float, float, float]:
    """Returns `quaternion` (x, y, z, w) at unit length; no rotation when it has no length."""
    x, y, z, w = _floats(quaternion)
    length = math.sqrt(x * x + y * y + z * z + w * w)
    if not length > _SHORTEST:
        return IDENTITY
    return x / length, y / length, z / length, w / length


def roll_pitch_yaw(quaternion: Numbers) -> tuple[float, float, float]:
    """Returns roll, pitch and yaw [rad] of a unit quaternion x, y, z, w.

    Roll and yaw are within ±π, pitch within ±π/2; at a pitch of ±π/2 only their sum or difference
    has a meaning.
    """
    x, y, z, w = _floats(quaternion)
    roll = math.atan2(2.0 * (w * x + y * z), 1.0 - 2.0 * (x * x + y * y))
    pitch = math.asin(max(-1.0, min(1.0, 2.0 * (w * y - z * x))))
    yaw = math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))
    return roll, pitch, yaw


def matrix_from_quaternion(quaternion: Numbers) -> Array:
    """Returns the 3 x 3 rotation matrix of a unit quaternion x, y, z, w."""
    x, y, z, w = _floats(quaternion)
    return np.array(
        (
            (1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)),
            (2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)),
            (2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)),
        )
    )


def skew(vector: Numbers) -> Array:
    """Returns the 3 x 3 matrix that takes another vector to its cross product with `vector`."""
    x, y, z = _floats(vector)
    return np.array(((0.0, -z, y), (z, 0.0, -x), (-y, x, 0.0)))


def quaternion_from_rpy(roll: float, pitch: float, yaw: float) -> Array:
    """Returns the unit quaternion x, y, z, w of `roll`, `pitch` and `yaw` [rad], (4,)."""
    cr, sr = math.cos(roll / 2.0), math.sin(roll / 2.0)
    cp, sp = math.cos(pitch / 2.0), math.sin(pitch / 2.0)
    cy, sy = math.cos(yaw / 2.0), math.sin(yaw / 2.0)
    return np.array(
        (
            sr * cp * cy - cr * sp * sy,
            cr * sp * cy + sr * cp * sy,
            cr * cp * sy - sr * sp * cy,
            cr * cp * cy + sr * sp * sy,
        )
    )


def quaternion_from_rotation_vector(vector: Numbers) -> tuple[float, float, float, float]:
    """Returns the quaternion of a turn about `vector` by its length [rad]."""
    x, y, z = _floats(vector)
    angle = math.sqrt(x * x + y * y + z * z)
    scale = 0.5 if angle < _SMALL_ANGLE else math.sin(angle / 2.0) / angle
    return x * scale, y * scale, z * scale, math.cos(angle / 2.0)


def multiply(left: Numbers, right: Numbers) -> tuple[float, float, float, float]:
    """Returns the quaternion of `right` followed by `left`."""
    ax, ay, az, aw = _floats(left)
    bx, by, bz, bw = _floats(right)
    return (
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
        aw * bw - ax * bx - ay * by - az * bz,
    )


def conjugate(quaternion: Numbers) -> tuple[float, float, float, float]:
    """Returns the quaternion of the opposite turn, of a unit quaternion x, y, z, w."""
    x, y, z, w = _floats(quaternion)
    return -x, -y, -z, w


def rotate(quaternion: Numbers, vector: Numbers) -> Array:
    """Returns `vector` turned by a unit quaternion x, y, z, w, (3,)."""
    return np.array(rotated(quaternion, vector))


def rotated(quaternion: Numbers, vector: Numbers) -> tuple[float, float, float]:
    """Returns what `rotate` does, as plain numbers for more arithmetic on them."""
    x, y, z, w = _floats(quaternion)
    a, b, c = _floats(vector)
    # With t = 2 (q cross v), the turned vector is v + w t + (q cross t).
    p, q, r = 2.0 * (y * c - z * b), 2.0 * (z * a - x * c), 2.0 * (x * b - y * a)
    return (
        a + w * p + y * r - z * q,
        b + w * q + z * p - x * r,
        c + w * r + x * q - y * p,
    )


def rotate_back(quaternion: Numbers, vector: Numbers) -> Array:
    """Returns `vector` turned the opposite way: a world vector into the body, (3,)."""
    return rotate(conjugate(quaternion), vector)
