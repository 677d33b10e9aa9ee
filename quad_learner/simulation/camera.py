"""A camera that follows the robot, drawn on the processor: no screen, no graphics card."""

from __future__ import annotations

import numpy as np
import pybullet
from numpy.typing import NDArray

from quad_learner.simulation.robot import SimulatedRobot

_HEIGHTS_AWAY = 4.0
"""of the robot's own: all of it with some ground around, be it small or large"""
_YAW_DEG = 50.0
"""[deg] seen from the front left, the direction of travel to the right"""
_PITCH_DEG = -18.0
"""[deg] from a little above, so that the feet are seen to leave the ground"""
_FIELD_OF_VIEW_DEG = 45.0
_NEAR, _FAR = 0.05, 20.0
"""[m] what is closer or farther is not drawn"""
_RGB = 3


def render(robot: SimulatedRobot, width: int, height: int) -> NDArray[np.uint8]:
    """Returns a picture of the robot, (height, width, 3).

    Args:
        robot: a connected robot.
        width: of the picture [pixels].
        height: of the picture [pixels].
    """
    world = robot.world
    x, y, _ = robot.truth().position.tolist()
    tall = robot.robot.height
    middle = world.ground_height(x, y) + tall / 2.0
    view = pybullet.computeViewMatrixFromYawPitchRoll(
        (x, y, middle), _HEIGHTS_AWAY * tall, _YAW_DEG, _PITCH_DEG, 0.0, 2
    )
    projection = pybullet.computeProjectionMatrixFOV(
        _FIELD_OF_VIEW_DEG, width / height, _NEAR, _FAR
    )
    picture = pybullet.getCameraImage(
        width,
        height,
        view,
        projection,
        renderer=pybullet.ER_TINY_RENDERER,
        flags=pybullet.ER_NO_SEGMENTATION_MASK,
        physicsClientId=world.client,
    )
    pixels = np.array(picture[2], dtype=np.uint8).reshape(height, width, -1)
    return np.ascontiguousarray(pixels[:, :, :_RGB])
