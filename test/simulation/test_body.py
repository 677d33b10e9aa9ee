"""Claims about finding the robot's joints and links in its URDF."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from quad_learner.configuration import ConfigurationError
from quad_learner.robot.model import RobotModel
from quad_learner.simulation.config import SimulationConfig
from quad_learner.simulation.robot import SimulatedRobot

Configure = Callable[..., SimulationConfig]


@pytest.mark.parametrize(
    'change, complaint',
    [
        ({'base_link': 'FR_hip'}, "base_link = 'FR_hip' must be the root link .* 'trunk'"),
        ({'feet': ('paw',)}, "'paw' is not in .*a1.urdf; it has FL_hip"),
        ({'joints': ('elbow',)}, "'elbow' is not in .*a1.urdf; it has FL_hip_fixed"),
        ({'urdf': Path('/nowhere/robot.urdf')}, '/nowhere/robot.urdf cannot be loaded'),
    ],
)
def test_a_robot_file_that_does_not_fit_its_urdf_is_refused(
    a1: RobotModel, configure: Configure, change: dict[str, object], complaint: str
) -> None:
    wrong = dataclasses.replace(a1, **change)
    simulated = SimulatedRobot(wrong, configure(), np.random.default_rng(0))
    with pytest.raises(ConfigurationError, match=complaint):
        simulated.connect()
    simulated.close()
