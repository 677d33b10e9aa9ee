"""Refuses, before anything is tried, what could not be searched, or written or read in the end."""

from __future__ import annotations

import os
from pathlib import Path

from quad_learner.configuration import ConfigurationError
from quad_learner.get_up_search.lying import MOTIONS
from quad_learner.get_up_search.robot_file import with_blocks
from quad_learner.get_up_search.workers import with_motions
from quad_learner.reset.motion import motion
from quad_learner.robot.model import RobotModel
from quad_learner.safety.config import SafetyConfig
from quad_learner.urdf_check import check_poses


def check_poses_that_stay(robot: RobotModel, safety: SafetyConfig, source: Path) -> None:
    """Asks of the poses that stay as they are what the doctor asks: the others are within.

    Args:
        robot: of the file.
        safety: how far poses keep off the limits.
        source: the robot file.

    Raises:
        ConfigurationError: one is out of reach, or the section `reset` cannot be used.
    """
    motion(robot)
    staying = with_motions(robot, **{name: [] for name in MOTIONS})
    poses = check_poses(staying, safety.position_margin_rad)
    if not poses.ok:
        raise ConfigurationError(f'{source}: {poses.what}. {poses.way_out}')


def check_out(out: Path, source: Path, robot: RobotModel) -> None:
    """Refuses to overwrite a file, and to begin what could not be written, or read, in the end.

    Args:
        out: the robot file to write.
        source: the one that is read.
        robot: of `source`.

    Raises:
        ConfigurationError: it is there, cannot be written, or would not find its URDF.
    """
    if out.exists():
        raise ConfigurationError(f'{out} exists and is not overwritten; choose another --out')
    if not os.access(out.parent, os.W_OK):
        raise ConfigurationError(
            f'--out {out}: {out.parent} is no folder that can be written to; choose another --out'
        )
    with_blocks(source.read_text(), {name: [] for name in MOTIONS})
    beside = robot.urdf.resolve().is_relative_to(source.resolve().parent)
    if beside and out.resolve().parent != source.resolve().parent:
        raise ConfigurationError(
            f'--out {out}: the URDF lies beside {source}, and would not be found from there; '
            'choose an --out in the same folder'
        )
