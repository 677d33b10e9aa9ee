"""Whether a robot with these tasks can stay within these bounds at all."""

from __future__ import annotations

import math

from quad_learner.task.config import TaskConfig
from quad_learner.task.course import workspace_of
from quad_learner.task.kinds import kinds
from quad_learner.task.scheduler import NEAR_M


def why_not_kept(config: TaskConfig) -> str:
    """Returns why the workspace cannot be kept, with the way out; '' where it can, or none is."""
    space = workspace_of(config)
    halves = [half for half in (space.half_x, space.half_y) if half < math.inf]
    if not halves:
        return ''
    size, names = list(config.workspace_m), ', '.join(config.tasks)
    if not _leads_back(config):
        return (
            f'workspace_m = {size} with the tasks {names}: none leads back; name velocity, or one '
            'that walks and one that walks the other way or turns (tasks, --tasks), or leave the '
            'bounds out'
        )
    least = 2.0 * (config.workspace_margin_m + NEAR_M)
    if 2.0 * min(halves) < least - 1e-9:
        return (
            f'workspace_m = {size}: with workspace_margin_m = {config.workspace_margin_m} on each '
            f'side no place is left where every task may begin; make it {least:.1f} m or more '
            'each way, or the margin smaller'
        )
    return ''


def _leads_back(config: TaskConfig) -> bool:
    practised = kinds(config.tasks)
    ways = {kind.along for kind in practised if kind.along}
    turns = any(kind.turn for kind in practised)
    return any(kind.commanded for kind in practised) or len(ways) > 1 or (bool(ways) and turns)
