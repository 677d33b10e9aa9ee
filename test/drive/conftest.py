from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from quad_learner import configuration
from quad_learner.drive.config import DriveConfig
from quad_learner.resources import config_directory


@pytest.fixture(scope='session')
def drive_config() -> Callable[..., DriveConfig]:
    """Returns a function that gives the shipped parameters with some values changed."""

    def make(**changed: Any) -> DriveConfig:
        return configuration.read(DriveConfig, config_directory() / 'drive.yaml', changed)

    return make
