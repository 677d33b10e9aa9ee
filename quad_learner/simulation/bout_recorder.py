"""Writes down what the simulated robot really does: for scoring, never for control."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quad_learner.experience.gait import order_of
from quad_learner.experience.walk_quality import Bout
from quad_learner.experience.walking import displacement_along_heading
from quad_learner.robot import rotations
from quad_learner.robot.kinematics import LegKinematics
from quad_learner.simulation.robot import SimulatedRobot

Array = NDArray[np.float64]


class BoutRecorder:
    """Makes one `Bout` an episode: `begin`, then `act` and `tick` as they come, then `bout`."""

    def __init__(self, sim: SimulatedRobot) -> None:
        """Stores.

        Args:
            sim: the robot; need not be connected yet.
        """
        self._sim = sim
        robot = sim.robot
        stance = LegKinematics(robot).solve(robot.stance, np.zeros_like(robot.stance))
        order = order_of(stance.position)
        self.four_legs = order is not None
        """the robot has one foot in each quarter"""
        self._order = list(range(len(robot.feet))) if order is None else order

    def begin(self) -> None:
        """Starts anew from the robot as it is now."""
        self._start, self._spent = self._sim.truth(), self._sim.energy_truth()
        self._contact: list[NDArray[np.bool_]] = []
        self._others: list[tuple[str, ...]] = []
        self._posture: list[tuple[float, float, float]] = []
        self._action: list[Array] = []

    def act(self, action: NDArray[np.float32]) -> None:
        """Adds an action as the policy asked, (actions,)."""
        self._action.append(action.astype(np.float64))

    def tick(self) -> None:
        """Adds the state after a command tick."""
        truth, feet = self._sim.truth(), self._sim.feet_truth()
        x, y, z = truth.position.tolist()
        roll, pitch, _ = rotations.roll_pitch_yaw(truth.orientation)
        self._contact.append(feet.contact[self._order])
        self._others.append(feet.other_contacts)
        self._posture.append((z - self._sim.world.ground_height(x, y), roll, pitch))

    def bout(self) -> Bout:
        """Returns what was written down since `begin`; one tick and one action at least."""
        sim, robot, spent = self._sim, self._sim.robot, self._sim.energy_truth()
        height, roll, pitch = np.array(self._posture).T
        return Bout(
            tick_hz=robot.command_hz,
            action_hz=robot.policy_hz,
            mass=sim.world.mass(),
            contact=np.array(self._contact),
            others=tuple(self._others),
            height=height,
            roll=roll,
            pitch=pitch,
            action=np.array(self._action),
            way=displacement_along_heading(
                self._start.position, self._start.orientation, sim.truth().position
            ),
            work=spent.work - self._spent.work,
            drawn=spent.drawn - self._spent.drawn,
        )
