"""Claims about the pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from quad_learner.simulation.camera import render
from quad_learner.simulation.robot import SimulatedRobot

Build = Callable[..., SimulatedRobot]
LEVEL = np.array((0.0, 0.0, 0.0, 1.0))


def orange_share(picture: Any) -> float:
    """Returns how much of a picture is of the colour of the A1's trunk."""
    red, green, blue = (picture[:, :, channel].astype(int) for channel in range(3))
    return float(((red > green + 40) & (green > blue + 10)).mean())


def test_a_picture_shows_the_robot_in_colour(build: Build) -> None:
    picture = render(build(), 96, 72)
    assert picture.shape == (72, 96, 3)
    assert picture.dtype == np.uint8
    assert 0.02 < orange_share(picture) < 0.5


def test_the_camera_stands_farther_from_a_taller_robot(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = build()
    near = orange_share(render(shown, 192, 144))
    tall = replace(shown.robot, height=1.5 * shown.robot.height)
    monkeypatch.setattr(SimulatedRobot, 'robot', tall)
    # the same body, seen from half as far again
    assert orange_share(render(shown, 192, 144)) == pytest.approx(near / 1.5**2, rel=0.2)


def test_the_camera_follows_the_robot(build: Build) -> None:
    simulated = build()
    stance = simulated.robot.stance
    pictures = []
    for x in (0.0, 8.0):  # the same place on the chequered floor, some squares farther on
        simulated.place(np.array((x, 0.0, 0.27)), LEVEL, stance)
        pictures.append(render(simulated, 96, 72)[20:60, 20:76].astype(int))
    assert np.abs(pictures[0] - pictures[1]).mean() < 25.0


def test_taking_a_picture_changes_nothing(build: Build) -> None:
    watched, alone = build(seed=1), build(seed=1)
    render(watched, 32, 24)
    one, other = watched.step(None), alone.step(None)
    np.testing.assert_array_equal(one.specific_force, other.specific_force)
    np.testing.assert_array_equal(watched.truth().position, alone.truth().position)
