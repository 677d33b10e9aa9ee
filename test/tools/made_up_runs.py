"""Runs that learn from made-up steps, without ROS and without a robot."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from quad_learner.experience.run_directory import RunDirectory
from quad_learner.experience.steps import Steps
from quad_learner.experience.transition import Transition
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.learning.training import Training
from quad_learner.robot.model import RobotModel
from quad_learner.task.kinds import BACKWARD, FORWARD, Kind

ONE: Mapping[Kind, Kind] = {FORWARD: FORWARD}
EACH_ITS_OWN: Mapping[Kind, Kind] = {FORWARD: FORWARD, BACKWARD: BACKWARD}
SHARED: Mapping[Kind, Kind] = {FORWARD: FORWARD, BACKWARD: FORWARD}


def opened(
    run: RunDirectory,
    robot: RobotModel,
    config: LearnerConfig,
    steps: list[Transition],
    taught_by: Mapping[Kind, Kind] = ONE,
) -> Training:
    """Opens a run whose messages are the steps' numbers."""
    training = Training(
        run,
        robot,
        (3, 2),
        config,
        0,
        taught_by,
        dict.fromkeys(taught_by.values()),
        lambda: 0,
        lambda data: steps[int(data) - 1],
        lambda many: Steps.of([steps[int(data) - 1] for data in many]),
    )
    training.open()
    return training


def lived(training: Training, first: int, last: int) -> list[bytes]:
    """Returns the models given away while the steps from `first` to `last` were taken in."""
    models = [training.take_in(b'%d' % n, lambda: True) for n in range(first, last + 1)]
    return [model for each in models for model in each.values()]


def by_turns(steps: list[Transition]) -> list[Transition]:
    """Returns `steps` with every other episode of 25 walked backward, and each with its number."""
    return [
        dataclasses.replace(
            step, task=(BACKWARD if index // 25 % 2 else FORWARD).number, episode=index // 25
        )
        for index, step in enumerate(steps)
    ]
