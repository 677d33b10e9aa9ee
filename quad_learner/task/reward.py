"""The reward of walking forward, built from parts that each say what they want.

Forward means along the heading that the body had when the episode began, as in the displacement
reward of Ha et al. 2020: curving away earns nothing. A full-speed step earns about 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quad_learner.task.config import TaskConfig

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Motion:
    """What the reward looks at, all of it estimated by the robot itself."""

    forward_speed: float
    """along the episode's heading [m/s]"""
    lateral_speed: float
    """across it [m/s]"""
    yaw_rate: float
    """[rad/s]"""
    lean: float
    """angle between the body's and the world's vertical [rad]"""
    joint_acceleration: Array
    """[rad/s²], (joints,)"""
    torque: Array
    """share of each joint's limit, (joints,)"""
    action_change: Array
    """from the last step's action, (joints,)"""


def forward(motion: Motion, config: TaskConfig) -> float:
    """Returns speed over the wanted speed, −1 … 1, worth less the further the body leans.

    Without the second factor a dive on the nose pays better than standing: it is fast.
    """
    speed = max(min(motion.forward_speed / config.target_speed_m_s, 1.0), -1.0)
    upright = math.exp(-((motion.lean / config.lean_scale_rad) ** 2))
    return speed * upright


def straightness(motion: Motion, config: TaskConfig) -> float:
    """Returns what sideways and turning motion costs, ≤ 0."""
    return -(
        config.lateral_weight * abs(motion.lateral_speed)
        + config.yaw_rate_weight * abs(motion.yaw_rate)
    )


def posture(motion: Motion, config: TaskConfig) -> float:
    """Returns what leaning costs, ≤ 0."""
    return -config.upright_weight * motion.lean


def effort(motion: Motion, config: TaskConfig) -> float:
    """Returns what jerking the joints about and straining them costs, ≤ 0."""
    acceleration = 1e-3 * _mean_square(motion.joint_acceleration)
    change = _mean_square(motion.action_change)
    strain = _mean_square(motion.torque)
    return -(
        config.effort_weight * acceleration
        + config.torque_weight * strain
        + config.smoothness_weight * change
    )


def _mean_square(values: Array) -> float:
    return float(values.dot(values)) / values.size


def reward(motion: Motion, config: TaskConfig) -> float:
    """Returns the sum of the parts."""
    return (
        config.alive_reward
        + forward(motion, config)
        + straightness(motion, config)
        + posture(motion, config)
        + effort(motion, config)
    )
