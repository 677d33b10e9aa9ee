"""Which tasks lead back into a workspace, and how large it must be, told by a drawing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from quad_learner.task.bounds import why_not_kept
from quad_learner.task.config import TaskConfig

Configure = Callable[..., TaskConfig]
FOUR = ['forward', 'backward', 'left', 'right']


@pytest.mark.parametrize(
    'tasks, kept',
    [
        (['forward'], False),
        (['backward'], False),
        (['left', 'right'], False),
        (['forward', 'backward'], True),
        (['forward', 'left'], True),
        (['backward', 'right'], True),
        (['velocity'], True),
        (FOUR, True),
    ],
)
def test_some_task_must_lead_back(task_config: Configure, tasks: list[str], kept: bool) -> None:
    for size in ([4.0, 3.0], [4.0, 0.0]):
        why = why_not_kept(task_config(tasks=tasks, workspace_m=size))
        assert bool(why) is not kept
        assert kept or f'tasks {", ".join(tasks)}: none leads back' in why
    assert why_not_kept(task_config(tasks=tasks, workspace_m=[0.0, 0.0])) == ''


@pytest.mark.parametrize(
    'size, margin, kept',
    [
        ([0.5, 0.5], 0.4, False),
        ([4.0, 1.2], 0.4, False),
        ([1.3, 1.3], 0.4, True),  # a margin and a body's length to each side of the centre
        ([0.0, 1.2], 0.4, False),
        ([0.5, 0.5], 0.0, True),
    ],
)
def test_the_strips_inside_the_bounds_must_leave_room(
    task_config: Configure, size: list[float], margin: float, kept: bool
) -> None:
    config = task_config(tasks=FOUR, workspace_m=size, workspace_margin_m=margin)
    why = why_not_kept(config)
    assert bool(why) is not kept
    assert kept or f'make it {2.0 * (margin + 0.25):.1f} m or more each way' in why
