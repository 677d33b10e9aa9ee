"""Which task, within which bounds, at which command: what is decided from the robot's place."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from quad_learner.robot.rotations import roll_pitch_yaw
from quad_learner.robot.signals import Estimate
from quad_learner.task.commander import REST, Commander
from quad_learner.task.config import TaskConfig
from quad_learner.task.kinds import Kind, kinds
from quad_learner.task.place_keeper import PlaceKeeper
from quad_learner.task.scheduler import Scheduler, faces
from quad_learner.task.workspace import SLACK_M, Leash, Place, Workspace

Array = NDArray[np.float64]


class Course:
    """Plans episodes: `see` each decision, `next` before an episode, `begin` at its start."""

    def __init__(
        self, config: TaskConfig, generator: np.random.Generator, only: Kind | None = None
    ) -> None:
        """Args:
        config: tasks, bounds, commands.
        generator: of the commands.
        only: the one task of those that is to be done; None for all.
        """
        self.kinds = (only,) if only else kinds(config.tasks)
        self.workspace = workspace_of(config)
        self._stray_m = config.workspace_stray_m
        self._scheduler = Scheduler(self.kinds, self.workspace, config.starvation_episodes)
        self._commander = Commander(config, self.workspace, generator)
        self._keeper = PlaceKeeper()
        self._leash = Leash()
        self._kind = self.kinds[0]
        self._homing = False
        self._time_ns = 0

    def see(self, estimate: Estimate) -> None:
        """Takes in the estimate of a decision."""
        self._time_ns = estimate.time_ns
        variance = float(estimate.position_covariance[0, 0])
        self._keeper.see(estimate.time_ns, place_of(estimate), variance)

    def correct(self, time_ns: int, given: Place) -> str:
        """Takes in where it was at `time_ns` [ns]; returns why that does not count, or nothing."""
        return self._keeper.correct(time_ns, given)

    @property
    def corrected_m(self) -> float:
        """How far the last external pose that counted moved the place [m]."""
        return self._keeper.corrected_m

    @property
    def place(self) -> Place:
        """Where the robot is."""
        return self._keeper.place

    @property
    def is_home(self) -> bool:
        """Whether the robot is well inside the workspace."""
        return self.workspace.beyond(self.place) <= -SLACK_M

    @property
    def strayed_m(self) -> float:
        """How far the robot is out of bounds [m], where that is too far to go on; else 0."""
        beyond = self.workspace.beyond(self.place)
        return beyond if beyond > self._stray_m else 0.0

    def next(self) -> Kind:
        """Returns the task of the episode that is about to begin."""
        self._kind = self._scheduler.next(self.place)
        return self._kind

    def begin(self) -> None:
        """Begins an episode of that task here."""
        self._scheduler.begun(self._kind)
        excursion = self.workspace.excursion(self.place)
        self._homing = excursion > 0.0 and not faces(self.place)
        self._leash.begin(excursion)
        self._commander.begin()

    def is_over(self) -> bool:
        """Tells whether the episode is to end here: out of bounds, or turned to the centre."""
        if self._homing and self._kind.turn != 0.0 and faces(self.place):
            return True
        return self._leash.left(self.workspace.excursion(self.place))

    def wanted(self) -> Array:
        """Returns the velocity to follow now, (3,); zeros in a task that follows none."""
        return self._commander.wanted(self._time_ns, self.place) if self._kind.commanded else REST


def workspace_of(config: TaskConfig) -> Workspace:
    """Returns the bounds; a size of 0 stands for none."""
    half_x, half_y = (0.5 * size if size > 0.0 else math.inf for size in config.workspace_m)
    return Workspace(half_x, half_y, config.workspace_margin_m)


def place_of(estimate: Estimate) -> Place:
    """Returns where the robot is by its own estimate."""
    x, y, _ = estimate.position.tolist()
    return Place(x, y, roll_pitch_yaw(estimate.orientation)[2])
