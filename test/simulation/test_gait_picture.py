"""The film shows the beginning of an episode, which is itself whole and scored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from quad_learner.simulation import camera, gait_picture

WHOLE = 400
"""steps of an episode of ten seconds at 40 Hz"""


def stage(score: Any) -> Any:
    """A performance whose episodes are whole and end with `score`."""

    def episode(on_step: Callable[[int], None], seconds: float | None = None) -> Any:
        assert seconds is None, 'the episode is cut short'
        for step in range(WHOLE if score else 0):
            on_step(step)
        return score

    robot = SimpleNamespace(policy_hz=40)
    return SimpleNamespace(robot=robot, graph=SimpleNamespace(sim=None), episode=episode)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    pictures: list[int] = []

    def render(sim: Any, width: int, height: int) -> Any:
        pictures.append(1)
        return np.full((height, width, 3), len(pictures), np.uint8)

    monkeypatch.setattr(camera, 'render', render)
    return pictures


def test_the_first_seconds_of_a_whole_episode_are_filmed(taken: list[int], tmp_path: Path) -> None:
    score = object()
    assert gait_picture.film(stage(score), tmp_path / 'gait.gif', seconds=2.0) is score
    assert len(taken) == 40  # two seconds at 20 Hz
    with Image.open(tmp_path / 'gait.gif') as film:
        assert film.n_frames == 40


def test_a_robot_that_stays_down_gives_no_film(taken: list[int], tmp_path: Path) -> None:
    assert gait_picture.film(stage(None), tmp_path / 'gait.gif') is None
    assert not taken
    assert not (tmp_path / 'gait.gif').exists()
