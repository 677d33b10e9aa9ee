"""The motion of the root link, and what an inertial sensor on it measures between two instants.

A sensor with an anti-alias filter gives means over its sample period T. With R the rotation
world_from_body before (0), half way (½) and after (1):
    mean rate     = log(R0ᵀ R1) / T
    mean force    = R½ᵀ ((v1 − v0) / T − g)
so that whoever integrates the readings finds the turn and the change of velocity that took place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quad_learner.robot import rotations

Array = NDArray[np.float64]
Quaternion = tuple[float, float, float, float]
Vector = tuple[float, float, float]

GRAVITY = 9.81
"""[m/s²] the rounded value, which the robot's documents use too"""
_SMALL = 1e-9
"""Sine of half an angle below which the angle is twice the sine to the last digit."""


@dataclass(frozen=True)
class BaseState:
    """The root link's frame in world coordinates."""

    position: Array
    """[m], (3,)"""
    orientation: Quaternion
    """world_from_body quaternion x, y, z, w"""
    velocity: Array
    """of the link's origin [m/s], (3,)"""
    angular_velocity: Array
    """[rad/s], (3,)"""

    def velocity_at(self, offset: Sequence[float]) -> Vector:
        """Returns the velocity of the point of the body that lies `offset` [m], body axes, off."""
        x, y, z = self.velocity.tolist()
        arm = rotations.rotated(self.orientation, offset)
        p, q, r = cross(self.angular_velocity.tolist(), arm)
        return x + p, y + q, z + r


def cross(left: Sequence[float], right: Sequence[float]) -> Vector:
    """Returns the cross product of two vectors; numpy's is ten times slower on one pair."""
    a, b, c = left
    x, y, z = right
    return b * z - c * y, c * x - a * z, a * y - b * x


def inertial_means(
    before: BaseState, after: BaseState, offset: Array, period_s: float
) -> tuple[Array, Array]:
    """Returns the mean angular rate [rad/s] and the mean specific force [m/s²], body frame.

    Args:
        before: the motion at the start of the period.
        after: the motion at its end.
        offset: of the sensor from the root link's origin, body frame [m], (3,).
        period_s: between the two [s].
    """
    turn = rotations.multiply(rotations.conjugate(before.orientation), after.orientation)
    a, b, c = rotation_vector(turn)
    half = rotations.quaternion_from_rotation_vector((a / 2.0, b / 2.0, c / 2.0))
    midway = rotations.multiply(before.orientation, half)
    place = offset.tolist()
    (u, v, w), (p, q, r) = before.velocity_at(place), after.velocity_at(place)
    pull = ((p - u) / period_s, (q - v) / period_s, (r - w) / period_s + GRAVITY)
    rate = np.array((a / period_s, b / period_s, c / period_s))
    return rate, rotations.rotate_back(midway, pull)


def rotation_vector(quaternion: Quaternion) -> Vector:
    """Returns the axis times the angle [rad], at most π, of a unit quaternion x, y, z, w."""
    x, y, z, w = quaternion
    sine = math.sqrt(x * x + y * y + z * z)
    # For a small turn the angle is twice the sine to the last digit.
    size = 2.0 if sine < _SMALL else 2.0 * math.atan2(sine, abs(w)) / sine
    scale = math.copysign(size, w)
    return x * scale, y * scale, z * scale
