"""The reward of each task, built from parts that each say what they want.

Forward and backward mean along the heading that the body had when the episode began, as in the
displacement reward of Ha et al. 2020: curving away earns nothing. Turning means about the body's
own axis. A full-speed step earns about 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quad_learner.task.config import TaskConfig
from quad_learner.task.kinds import FORWARD, Kind

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Motion:
    """What the reward looks at, all of it estimated by the robot itself."""

    forward_speed: float
    """along the episode's heading, or the body's own in tasks that keep none [m/s]"""
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
    displacement: tuple[float, float]
    """since the last step, along and across the same heading [m]"""
    turned: float
    """since the last step [rad]"""
    out_of_step: float
    """share of the feet that touch while the rhythm lifts them or are in the air while they are to
    stand, each counted as far as its leg is in swing or stance, 0 … 1"""
    commanded: Array
    """velocity to follow: ahead, to the left [m/s], yaw rate [rad/s], (3,)"""


def upright(motion: Motion, config: TaskConfig) -> float:
    """Returns what share of its reward a motion is worth, less the further the body leans.

    As shipped all of it is: not to dive is the constraint's matter (`lean_scale_rad` 0). Where
    nothing is constrained a dive on the nose pays better than standing, for it is fast.
    """
    scale = config.lean_scale_rad
    return math.exp(-((motion.lean / scale) ** 2)) if scale else 1.0


def walking(motion: Motion, config: TaskConfig, along: float) -> float:
    """Returns speed over the wanted speed, −1 … 1, `along` 1 ahead and −1 backward."""
    speed = max(min(along * motion.forward_speed / config.target_speed_m_s, 1.0), -1.0)
    return speed * upright(motion, config)


def turning(motion: Motion, config: TaskConfig, turn: float) -> float:
    """Returns yaw rate over the wanted one, −1 … 1, `turn` 1 to the left and −1 to the right."""
    rate = max(min(turn * motion.yaw_rate / config.target_yaw_rate_rad_s, 1.0), -1.0)
    return rate * upright(motion, config)


def following(motion: Motion, config: TaskConfig) -> float:
    """Returns 1 for the commanded velocity, less in proportion to what is missing, down to −1."""
    ahead, left, turn = motion.commanded.tolist()
    missing = math.hypot(motion.forward_speed - ahead, motion.lateral_speed - left)
    missing_turn = abs(motion.yaw_rate - turn)
    share: float = missing / config.target_speed_m_s + missing_turn / config.target_yaw_rate_rad_s
    return (1.0 - min(share, 2.0)) * upright(motion, config)


def straightness(motion: Motion, config: TaskConfig) -> float:
    """Returns what sideways and turning motion costs, ≤ 0."""
    return -(
        config.lateral_weight * abs(motion.lateral_speed)
        + config.yaw_rate_weight * abs(motion.yaw_rate)
    )


def steadiness(motion: Motion, config: TaskConfig) -> float:
    """Returns what going elsewhere costs who is to turn on the spot, ≤ 0."""
    return -config.lateral_weight * math.hypot(motion.forward_speed, motion.lateral_speed)


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


def rhythm(motion: Motion, config: TaskConfig) -> float:
    """Returns what feet cost that do not follow the rhythm, ≤ 0.

    Without it feet come down twice a stride: a hop at double the rhythm earns as much.
    """
    return -config.rhythm_weight * motion.out_of_step


def _mean_square(values: Array) -> float:
    return float(values.dot(values)) / values.size


def displacement(motion: Motion, config: TaskConfig, kind: Kind, period_s: float) -> float:
    """Returns the reward of Ha et al. 2020 a second: way and turn less squared acceleration.

    The acceleration is that of a step: joint angles' second difference.
    """
    along, _ = motion.displacement
    acceleration = motion.joint_acceleration * period_s**2
    cost = config.acceleration_weight * float(acceleration.dot(acceleration))
    way = kind.along * along + kind.turn * motion.turned
    return (way - cost) / period_s


def reward(motion: Motion, config: TaskConfig, kind: Kind = FORWARD) -> float:
    """Returns the sum of the parts of the shaped reward."""
    if kind.along:
        wanted, astray = walking(motion, config, kind.along), straightness(motion, config)
    elif kind.turn:
        wanted, astray = turning(motion, config, kind.turn), steadiness(motion, config)
    else:
        wanted, astray = following(motion, config), 0.0
    manner = posture(motion, config) + effort(motion, config) + rhythm(motion, config)
    return config.alive_reward + wanted + astray + manner
