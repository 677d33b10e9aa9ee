"""Joint angles at random, and whether the robot's parts would be inside each other in them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pybullet
from numpy.typing import NDArray

from quad_learner.reset.motion import motion
from quad_learner.robot.model import RobotModel
from quad_learner.simulation.world import World

Array = NDArray[np.float64]

OVERLAP = 0.003
"""[m] that shapes may be inside each other: the engine's own margin"""
_SKY = 2.0
"""[m] above a foot: higher than any ground"""
_Z = 2
"""of a place in the world"""
_HIT, _NOTHING = 0, -1
"""Field of what a ray hit as the engine reports it, and what it says of a ray that hit nothing."""
_ONE, _OTHER, _DISTANCE = 3, 4, 8
"""Fields of a contact point as the engine reports it: links of both bodies, how far apart."""


def random_poses(robot: RobotModel, generator: np.random.Generator) -> Iterator[Array]:
    """Yields joint angles [rad], (joints,), anywhere within the limits, without end.

    Few angles of a closed leg fit together; those between two that do fit, do: a robot with loops
    is given shares of its stance, its fold and the poses in which it rolls over.

    Raises:
        ConfigurationError: the robot's section `reset` cannot be used.
    """
    moves = motion(robot)
    known = [robot.stance, moves.fold]
    known += [frame.position for frame in moves.from_back + moves.from_left_back]
    while True:
        if robot.loop_closures:
            shares = generator.dirichlet(np.ones(len(known)), len(robot.feet))
            angles = np.stack(known).reshape(len(known), len(robot.feet), -1)
            yield np.einsum('lk,klj->lj', shares, angles).reshape(-1)
        else:
            yield generator.uniform(robot.position_min, robot.position_max)


def overlaps(world: World) -> bool:
    """Returns whether a part is inside another: physics could not get it out again."""
    pybullet.performCollisionDetection(physicsClientId=world.client)
    points = pybullet.getContactPoints(world.body, world.body, physicsClientId=world.client)
    return any(point[_DISTANCE] < -OVERLAP for point in points)


def lowest(world: World) -> float:
    """Returns how high the robot's lowest part is, or a little less [m]: by boxes about them."""
    client, body = world.client, world.body
    boxes = (pybullet.getAABB(body, link, physicsClientId=client) for link in world.link_names)
    return float(min(low[_Z] for low, _ in boxes))


def is_sunk(world: World, foot_radius: float) -> bool:
    """Returns whether a foot is under the ground: uneven ground is a thin shell for the engine.

    It looks straight up from each foot, so a limb of the robot's above a foot can hide the ground.

    Args:
        world: with the robot in it.
        foot_radius: [m] that a foot's middle may be in soft ground.
    """
    feet = world.feet_truth().position
    up = np.array([0.0, 0.0, 1.0])
    above, sky = (feet + foot_radius * up).tolist(), (feet + _SKY * up).tolist()
    hits = pybullet.rayTestBatch(above, sky, physicsClientId=world.client)
    return any(hit[_HIT] not in (_NOTHING, world.body) for hit in hits)


def touching_parts(world: World) -> frozenset[tuple[str, str]]:
    """Returns the pairs of the robot's own parts that touch each other, by their links' names."""
    points = pybullet.getContactPoints(world.body, world.body, physicsClientId=world.client)
    names = world.link_names
    pairs = (sorted((names[point[_ONE]], names[point[_OTHER]])) for point in points)
    return frozenset((one, other) for one, other in pairs)
