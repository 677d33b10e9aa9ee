"""What stands in for motion capture, or a camera and a tag: the robot's place, now and then.

`external/pose` of the graph. Its chance is its own, so that with it and without it the robot and
its sensors are the same to the last bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quad_learner.robot.model import RobotModel
from quad_learner.robot.rotations import roll_pitch_yaw
from quad_learner.robot.ticks import Ticks
from quad_learner.simulation.config import SimulationConfig
from quad_learner.simulation.truth import GroundTruth
from quad_learner.task.workspace import Place

Array = NDArray[np.float64]


class Tag:
    """Sees the robot `external_pose_hz` times a second."""

    def __init__(
        self, robot: RobotModel, config: SimulationConfig, generator: np.random.Generator
    ) -> None:
        """Args:
        robot: gives the rate of its ticks.
        config: how often, how well.
        generator: the source of all chance.
        """
        self._ticks = Ticks(robot)
        rate = config.external_pose_hz
        self._every = max(1, round(robot.command_hz / rate)) if rate > 0.0 else 0
        self._deviation = np.array(
            (config.external_pose_noise_m, config.external_pose_noise_m, 0.0)
        )
        self._deviation[2] = config.external_pose_noise_rad
        self._generator = generator

    @property
    def sees(self) -> bool:
        """Whether there is any."""
        return self._every > 0

    def is_due(self, time_ns: int) -> bool:
        """Tells whether the robot is seen at the tick `time_ns` [ns]."""
        index = self._ticks.index(time_ns)
        return self._every > 0 and index > 0 and index % self._every == 0

    def see(self, truth: GroundTruth) -> Place:
        """Returns where the robot appears to be."""
        error = self._deviation * self._generator.standard_normal(3)
        x, y, _ = truth.position.tolist()
        yaw = roll_pitch_yaw(truth.orientation)[2]
        return Place(x + error[0], y + error[1], yaw + error[2])
