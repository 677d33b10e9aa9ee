"""The learned policies of a run, each ready to drive its task."""

from __future__ import annotations

import numpy as np

from quad_learner.configuration import ConfigurationError
from quad_learner.experience.run_directory import RunDirectory
from quad_learner.policy.chooser import Chooser
from quad_learner.policy.config import PolicyConfig
from quad_learner.policy.onnx_policy import OnnxPolicy, PolicyError
from quad_learner.robot.model import RobotModel
from quad_learner.task.config import TaskConfig
from quad_learner.task.kinds import Kind
from quad_learner.task.walk import WalkTask


def learned(
    run: RunDirectory,
    robot: RobotModel,
    configs: tuple[TaskConfig, PolicyConfig],
    generator: np.random.Generator,
) -> dict[Kind, Chooser]:
    """Returns the policies of `run`, by task.

    Args:
        run: the run.
        robot: that they are to drive.
        configs: what they observe, and how they explore.
        generator: of exploration.

    Raises:
        ConfigurationError: one is for another robot or task.
        RunDirectoryError: there is none.
    """
    task_config, policy_config = configs
    task = WalkTask(robot, task_config)
    choosers = {}
    for kind, learner in task_config.taught_by().items():
        path = run.policy_of(learner.suffix)
        if not path.is_file():
            continue
        sizes = task.observation_size, task.action_size
        chooser = Chooser(policy_config, *sizes, 1.0 / robot.policy_hz, generator)
        try:
            chooser.swap(OnnxPolicy(path.read_bytes()))
        except PolicyError as error:
            raise ConfigurationError(f'{path}: {error}') from error
        choosers[kind] = chooser
    if not choosers:
        run.require_policy()
    return choosers
