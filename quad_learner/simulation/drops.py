"""Falls to get up from: lets a simulated robot drop and lie limp, and tells whether it stands.

What is the same wherever falls are drawn: from how high, turned how far, with which joints, and
what counts as up in the end. Who draws them says where and how the body is turned.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from quad_learner.reset.posture import posture
from quad_learner.robot.model import RobotModel
from quad_learner.simulation.poses import overlaps, random_poses
from quad_learner.simulation.robot import SimulatedRobot

Array = NDArray[np.float64]

ROLLS = {'belly': 0.0, 'right': np.pi / 2, 'left': -np.pi / 2, 'back': np.pi}
"""[rad] about the long axis at the drop, by what the robot falls on"""
ROLL_SPREAD = 0.25
"""[rad] standard deviation of roll and pitch from that: no two falls lie alike, and most on what
they were dropped on"""
REACH = 1.0
"""[m] from the middle of the ground, along x and y, so that bumps and crevices differ"""
DROP_LOWEST, DROP_SHARE = 0.4, 1.5
"""[m] of the root link above the ground at least, and of the robot's height: about as far as legs
reach, so that few drops begin with a limb under the ground"""
FRICTION = (0.5, 1.0)
"""of the ground: floors from smooth to rubber"""
LIMP_S = 1.0
"""[s] of the fall itself, and until somebody notices"""
POSES_TRIED = 100
"""joint angles drawn at most, until no limb is inside the body"""
DROPS_TRIED = 10
"""at most, until no foot is under the ground: the engine lets one of a hundred through"""
LONGEST_S = 40.0
"""[s] of a whole get-up: longer than the machine's own budget"""
TRUE_TILT = 0.35
"""[rad] of the true body that still counts as standing"""
TRUE_HEIGHT = 0.6
"""of the robot's height: the true body above the ground, at least"""


def clearance(robot: RobotModel) -> float:
    """Returns how high above the ground the root link is let go, at least [m]."""
    return max(DROP_LOWEST, DROP_SHARE * robot.height)


def drop(
    sim: SimulatedRobot,
    position: Array,
    orientation: Array,
    generator: np.random.Generator,
    look: Callable[[], None] = lambda: None,
) -> None:
    """Lets the robot fall with its joints anywhere, and lie limp for `LIMP_S`.

    Args:
        sim: a connected robot.
        position: of the root link's origin where it is let go, world frame [m], (3,).
        orientation: world_from_body quaternion x, y, z, w, (4,).
        generator: draws the joints' angles.
        look: called before each tick of the fall.

    Raises:
        ConfigurationError: the robot's section `reset` cannot be used.
    """
    poses = random_poses(sim.robot, generator)
    for _, joints in zip(range(POSES_TRIED), poses, strict=False):
        sim.place(position, orientation, joints)
        if not overlaps(sim.world):
            break
    lie_limp(sim, look)


def lie_limp(sim: SimulatedRobot, look: Callable[[], None] = lambda: None) -> None:
    """Lets the robot go limp for `LIMP_S`; `look` is called before each tick."""
    for _ in range(round(LIMP_S * sim.robot.command_hz)):
        look()
        sim.step(None)


def stands(sim: SimulatedRobot) -> bool:
    """Returns whether the true body is upright and high above the ground."""
    truth = sim.truth()
    x, y, z = truth.position.tolist()
    height = z - sim.world.ground_height(x, y)
    tilt = posture(truth.orientation).tilt
    return bool(tilt < TRUE_TILT and height > TRUE_HEIGHT * sim.robot.height)
