"""The shapes of the ground, by name. A new terrain is one function in `TERRAINS`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pybullet
import pybullet_data

from quad_learner.simulation.body import BASE
from quad_learner.simulation.config import SimulationConfig

UPRIGHT = (0.0, 0.0, 0.0, 1.0)
_ROUGH_POINTS = 128
"""Points along each side of rough ground: about 19 m at 0.15 m."""
_MATTRESS_GRIP = 1.4
"""Times the friction of a floor: cloth on foam takes hold of what sinks into it (estimate)."""
_MAT_CELL = 0.02
"""[m] between the points of the doormat: as wide as the A1's foot is thick in half"""
_MAT_POINTS = 241
"""Points along each side of the doormat: 4.8 m, so that a robot which rolls stays on it."""
_MAT_DEPTH = 0.02
"""[m] of its crevices"""
_MAT_EVERY = 4
"""A crevice at each so-manieth point: 8 cm apart and, at the top, 4 cm wide."""
_STONES = 400
"""Stones of the rubble: with the sizes below they stand out of a fifth of its ground or more."""
_RUBBLE_REACH = 2.5
"""[m] of the rubble to each side of the origin"""
_STONE_SIDE = (0.06, 0.25)
"""[m] shortest and longest side of a stone: half a brick to a slab"""
_STONE_THICK = 0.1
"""[m] half of a stone's thickness, most of it under the floor"""
_STONE_LOWEST = 0.4
"""Least height of a stone, of the highest."""
_STONE_TILT = 0.12
"""[rad] deviation of a stone's roll and pitch: they lie on each other's edges"""


@dataclass(frozen=True)
class Terrain:
    """Ground that has been built in a physics client."""

    bodies: tuple[int, ...]
    """its bodies, all of which get the ground's friction"""
    height: Callable[[float, float], float]
    """height of the ground at world x, y [m]; nothing placed there sinks in"""
    grip: float = 1.0
    """times the ground's friction"""


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


def _mattress(client: int, config: SimulationConfig, generator: np.random.Generator) -> Terrain:
    flat = _flat(client, config, generator)
    pybullet.changeDynamics(
        flat.bodies[0],
        BASE,
        contactStiffness=config.terrain_stiffness_n_m,
        contactDamping=config.terrain_damping_ns_m,
        physicsClientId=client,
    )
    return replace(flat, grip=_MATTRESS_GRIP)


def _doormat(client: int, config: SimulationConfig, generator: np.random.Generator) -> Terrain:
    crevice = np.arange(_MAT_POINTS) % _MAT_EVERY == 0
    heights = np.where(crevice[:, np.newaxis] | crevice, 0.0, _MAT_DEPTH)
    shape = pybullet.createCollisionShape(
        pybullet.GEOM_HEIGHTFIELD,
        meshScale=(_MAT_CELL, _MAT_CELL, 1.0),
        heightfieldData=heights.ravel().tolist(),
        numHeightfieldRows=_MAT_POINTS,
        numHeightfieldColumns=_MAT_POINTS,
        physicsClientId=client,
    )
    # The engine centres the field: the ribs' tops are at half the depth.
    middle = (0.0, 0.0, -_MAT_DEPTH / 2.0)
    body = pybullet.createMultiBody(0.0, shape, basePosition=middle, physicsClientId=client)
    floor = _flat(client, config, generator).bodies[0]
    below = (0.0, 0.0, -_MAT_DEPTH)
    pybullet.resetBasePositionAndOrientation(floor, below, UPRIGHT, physicsClientId=client)
    return Terrain((body, floor), lambda x, y: 0.0)


def _rubble(client: int, config: SimulationConfig, generator: np.random.Generator) -> Terrain:
    bodies = [*_flat(client, config, generator).bodies]
    places = generator.uniform(-_RUBBLE_REACH, _RUBBLE_REACH, (_STONES, 2))
    halves = generator.uniform(*_STONE_SIDE, (_STONES, 2)) / 2.0
    tops = config.terrain_height_m * generator.uniform(_STONE_LOWEST, 1.0, _STONES)
    turns = generator.normal(0.0, _STONE_TILT, (_STONES, 2))
    headings = generator.uniform(-math.pi, math.pi, _STONES)
    reach = np.linalg.norm(halves, axis=1)
    # Sunk so far that the highest corner is at most at the stone's height.
    for place, (a, b), top, (roll, pitch), heading in zip(
        places, halves, tops, turns, headings, strict=True
    ):
        shape = pybullet.createCollisionShape(
            pybullet.GEOM_BOX, halfExtents=(a, b, _STONE_THICK), physicsClientId=client
        )
        turn = pybullet.getQuaternionFromEuler((roll, pitch, heading))
        rise = a * abs(math.sin(pitch)) + b * abs(math.sin(roll)) + _STONE_THICK
        bodies.append(
            pybullet.createMultiBody(
                0.0,
                shape,
                basePosition=(*place.tolist(), top - rise),
                baseOrientation=turn,
                physicsClientId=client,
            )
        )

    def height(x: float, y: float) -> float:
        """Returns the top of the highest stone that may be under x, y."""
        under = np.hypot(places[:, 0] - x, places[:, 1] - y) <= reach
        return float(tops[under].max(initial=0.0))

    return Terrain(tuple(bodies), height)


TERRAINS: Mapping[str, Builder] = {
    'flat': _flat,
    'rough': _rough,
    'slope': _slope,
    'mattress': _mattress,
    'doormat': _doormat,
    'rubble': _rubble,
}
"""Every terrain by its name in config/simulation.yaml."""
