"""The motion of the root link, and what an inertial sensor on it measures between two instants.

A sensor with an anti-alias filter gives means over its sample period T. With R the rotation
world_from_body before (0), half way (½) and after (1):
    mean rate     = log(R0ᵀ R1) / T
    mean force    = R½ᵀ ((v1 − v0) / T − g)
so that whoever integrates the readings finds the turn and the change of velocity that took place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quad_learner.robot import rotations

Array = NDArray[np.float64]
Quaternion = tuple[float, float, float, float]

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

    def velocity_at(self, arm: Array) -> Array:
        """Returns the velocity of the point of the body that lies `arm` [m], world axes, off."""
        return self.velocity + cross(self.angular_velocity, arm)


def cross(left: Array, right: Array) -> Array:
    """Returns the cross product of two vectors, (3,); numpy's is ten times slower on one pair."""
    a, b, c = left.tolist()
    x, y, z = right.tolist()
    return np.array((b * z - c * y, c * x - a * z, a * y - b * x))


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
    rotation = rotation_vector(turn)
    half = rotations.quaternion_from_rotation_vector(rotation / 2.0)
    midway = rotations.multiply(before.orientation, half)
    start = before.velocity_at(rotations.rotate(before.orientation, offset))
    end = after.velocity_at(rotations.rotate(after.orientation, offset))
    pull = (end - start) / period_s + (0.0, 0.0, GRAVITY)
    return rotation / period_s, rotations.rotate_back(midway, pull)


def rotation_vector(quaternion: Quaternion) -> Array:
    """Returns the axis times the angle [rad], at most π, of a unit quaternion x, y, z, w."""
    x, y, z, w = quaternion
    sine = math.sqrt(x * x + y * y + z * z)
    if sine < _SMALL:
        return np.array((2.0 * x, 2.0 * y, 2.0 * z)) * math.copysign(1.0, w)
    angle = 2.0 * math.atan2(sine, abs(w))
    return np.array((x, y, z)) * math.copysign(angle / sine, w)
