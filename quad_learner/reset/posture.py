"""How the body lies, from the orientation that the inertial unit reports and nothing else.

With g the direction of gravity in the body frame (x forwards, y left, z up):

    tilt = arccos(−g_z)           0 upright, π/2 on a side or on end, π on the back
    lean = atan2(−g_y, −g_z)      0 upright, +π/2 right side down, −π/2 left side down, ±π back
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Posture:
    """The slant of the body."""

    tilt: float
    """between the body's and the world's vertical [rad], 0 to π"""
    lean: float
    """about the body's long axis [rad], −π to π; positive with the right side down"""


def posture(orientation: NDArray[np.float64]) -> Posture:
    """Returns the slant of a body.

    Args:
        orientation: world_from_body quaternion x, y, z, w, shape (4,), unit length.
    """
    x, y, z, w = (float(value) for value in orientation)
    # The third row of the rotation matrix: the world's vertical seen from the body.
    up_y = 2.0 * (y * z + w * x)
    up_z = 1.0 - 2.0 * (x * x + y * y)
    return Posture(tilt=math.acos(min(1.0, max(-1.0, up_z))), lean=math.atan2(up_y, up_z))
