"""Builders shared by the tests of the robot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quad_learner.robot.model import RobotModel, load


@pytest.fixture(scope='session')
def robot() -> RobotModel:
    """Returns the A1 at 120 samples a second: tests count them."""
    return replace(load('a1'), physics_hz=600, command_hz=120, policy_hz=40)
