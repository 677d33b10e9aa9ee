from __future__ import annotations

from dataclasses import replace

import pytest

from quad_learner.robot.model import RobotModel
from quad_learner.task.constraint import upright_margin


@pytest.mark.parametrize(
    'roll, pitch, margin',
    [
        (0.0, 0.0, 0.2),  # level: the narrower of the two limits is left
        (0.0, 0.05, 0.15),
        (0.0, -0.05, 0.15),
        (0.45, 0.0, 0.05),  # the wider limit, once it is the nearer one
        (-0.45, 0.1, 0.05),
        (0.1, 0.2, 0.0),
        (0.0, -0.5, -0.3),
        (0.9, 0.3, -0.4),
    ],
)
def test_the_margin_is_the_smaller_way_to_either_limit(
    robot: RobotModel, roll: float, pitch: float, margin: float
) -> None:
    limits = replace(robot, constraint_roll=0.5, constraint_pitch=0.2)
    assert upright_margin(roll, pitch, limits) == pytest.approx(margin)


def test_the_a1_has_the_limits_of_ha_et_al(robot: RobotModel) -> None:
    # π/12 = 15° of pitch and π/6 = 30° of roll, rounded to the hundredth.
    assert upright_margin(0.0, 0.2618, robot) == pytest.approx(0.0, abs=0.005)
    assert upright_margin(0.5236, 0.0, robot) == pytest.approx(0.0, abs=0.005)
