"""Rotations by another road than the package's: quaternions put together by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[np.float64]


def _product(a: Array, b: Array) -> Array:
    ax, ay, az, aw = a
    bx, by, bz, bw = b
    return np.array(
        [
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
        ]
    )


@pytest.fixture(scope='session')
def turned() -> Callable[..., Array]:
    """Returns a function that turns a body: first roll about x, then pitch about y, then yaw."""

    def make(roll: float = 0.0, pitch: float = 0.0, yaw: float = 0.0) -> Array:
        about_x = np.array([math.sin(roll / 2), 0.0, 0.0, math.cos(roll / 2)])
        about_y = np.array([0.0, math.sin(pitch / 2), 0.0, math.cos(pitch / 2)])
        about_z = np.array([0.0, 0.0, math.sin(yaw / 2), math.cos(yaw / 2)])
        return _product(about_z, _product(about_y, about_x))

    return make
