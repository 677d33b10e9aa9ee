"""The shapes of the ground, by name. A new terrain is one function in `TERRAINS`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pybullet
import pybullet_data

from quad_learner.simulation.config import SimulationConfig

_ROUGH_POINTS = 128
"""Points along each side of rough ground: about 19 m at 0.15 m."""


@dataclass(frozen=True)
class Terrain:
    """Ground that has been built in a physics client."""

    bodies: tuple[int, ...]
    """its bodies, all of which get the ground's friction"""
    height: Callable[[float, float], float]
    """height of the ground at world x, y [m]"""


Builder = Callable[[int, SimulationConfig, np.random.Generator], Terrain]


def _flat(client: int, config: SimulationConfig, generator: np.random.Generator) -> Terrain:
    # The implicit plane: three times cheaper to collide with than a wide box.
    path = Path(pybullet_data.getDataPath()) / 'plane_implicit.urdf'
    body = pybullet.loadURDF(str(path), useFixedBase=True, physicsClientId=client)
    return Terrain((body,), lambda x, y: 0.0)


def _slope(client: int, config: SimulationConfig, generator: np.random.Generator) -> Terrain:
    path = Path(pybullet_data.getDataPath()) / 'plane_implicit.urdf'
    # Turning about y by a negative angle lifts the ground along x.
    turn = pybullet.getQuaternionFromEuler((0.0, -config.terrain_slope_rad, 0.0))
    body = pybullet.loadURDF(
        str(path), (0.0, 0.0, 0.0), turn, useFixedBase=True, physicsClientId=client
    )
    rise = math.tan(config.terrain_slope_rad)
    return Terrain((body,), lambda x, y: rise * x)


def _rough(client: int, config: SimulationConfig, generator: np.random.Generator) -> Terrain:
    cell, span = config.terrain_cell_m, config.terrain_height_m
    heights = generator.uniform(0.0, span, (_ROUGH_POINTS, _ROUGH_POINTS))
    # Two corners pin the lowest and highest point: the engine centres the field between them.
    heights[0, 0], heights[-1, -1] = 0.0, span
    shape = pybullet.createCollisionShape(
        pybullet.GEOM_HEIGHTFIELD,
        meshScale=(cell, cell, 1.0),
        heightfieldData=heights.ravel().tolist(),
        numHeightfieldRows=_ROUGH_POINTS,
        numHeightfieldColumns=_ROUGH_POINTS,
        physicsClientId=client,
    )
    body = pybullet.createMultiBody(
        0.0, shape, basePosition=(0.0, 0.0, span / 2.0), physicsClientId=client
    )
    middle = (_ROUGH_POINTS - 1) / 2.0

    def height(x: float, y: float) -> float:
        """Returns the highest corner of the cell under x, y: nothing placed there sinks in."""
        row = int(np.clip(math.floor(y / cell + middle), 0, _ROUGH_POINTS - 2))
        column = int(np.clip(math.floor(x / cell + middle), 0, _ROUGH_POINTS - 2))
        return float(heights[row : row + 2, column : column + 2].max())

    return Terrain((body,), height)


TERRAINS: Mapping[str, Builder] = {'flat': _flat, 'rough': _rough, 'slope': _slope}
"""Every terrain by its name in config/simulation.yaml."""
