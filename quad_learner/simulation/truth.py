"""What is really so in the simulated world: for scoring and tests, never for control."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class GroundTruth:
    """The true motion of the root link's frame."""

    time_ns: int
    position: Array
    """world frame [m], (3,)"""
    orientation: Array
    """world_from_body quaternion x, y, z, w, (4,)"""
    velocity_world: Array
    """of the root link's origin, world frame [m/s], (3,)"""
    angular_velocity_world: Array
    """world frame [rad/s], (3,)"""


@dataclass(frozen=True)
class EnergyTruth:
    """What has been spent since the start."""

    work: float
    """done by each motor while it drives, braking of none deducted [J]"""
    drawn: float
    """by motors and computers, also from a battery long empty [J]"""


@dataclass(frozen=True)
class FeetTruth:
    """Where the feet really are and what really touches."""

    position: Array
    """of each foot link's origin, or where a leg's two halves meet on it, world [m], (feet, 3)"""
    contact: NDArray[np.bool_]
    """foot pressed on something that is not the robot, (feet,)"""
    other_contacts: tuple[str, ...]
    """the other links that touch something that is not the robot, in alphabetical order"""
