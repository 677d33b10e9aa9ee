"""The safety constraint of the task: how far from falling the trunk is.

f_s = min(p̂ − |pitch|, r̂ − |roll|) [rad]: positive while upright enough, negative when the robot
leans too far. The learner keeps its discounted sum at or above zero (Ha et al. 2020, arXiv
2002.08550; p̂ and r̂ are in the robot's YAML).
"""

from __future__ import annotations

from quad_learner.robot.model import RobotModel


def upright_margin(roll: float, pitch: float, robot: RobotModel) -> float:
    """Returns f_s [rad] for `roll` and `pitch` [rad]."""
    return min(robot.constraint_pitch - abs(pitch), robot.constraint_roll - abs(roll))
