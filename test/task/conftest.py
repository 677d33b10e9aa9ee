"""Episodes, and rotations by another road than the package's: quaternions put together by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from made_up_walk import Commands, Estimates, Samples, Walk
from numpy.typing import NDArray

from quad_learner.robot.model import RobotModel
from quad_learner.task.config import TaskConfig

Array = NDArray[np.float64]
Configure = Callable[..., TaskConfig]


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


@pytest.fixture
def walk(
    robot: RobotModel,
    task_config: Configure,
    sample_of: Samples,
    estimate_of: Estimates,
    command_of: Commands,
) -> Callable[..., Walk]:
    """Returns a function that makes an episode of a task in which speed alone counts."""
    bare = {
        'alive_reward': 0.0,
        'fall_reward': 0.0,
        'yaw_rate_weight': 0.0,
        'lateral_weight': 0.0,
        'upright_weight': 0.0,
        'effort_weight': 0.0,
        'torque_weight': 0.0,
        'smoothness_weight': 0.0,
        'rhythm_weight': 0.0,
        'target_speed_m_s': 1.0,
        'lean_scale_rad': 10.0,
        'use_oscillator': False,
        'episode_s': 10.0,
    }

    def make(robot: RobotModel = robot, **changed: Any) -> Walk:
        config = task_config(**(bare | changed))
        return Walk(robot, config, (sample_of, estimate_of, command_of))

    return make
