"""The shipped parameters, as the search reads them."""

from __future__ import annotations

import pytest

from quad_learner.evaluation import configs_of, shipped_files
from quad_learner.get_up_search.falls import World
from quad_learner.safety.config import SafetyConfig


@pytest.fixture(scope='session')
def world() -> World:
    configs = configs_of(shipped_files())
    return World(configs.parts, configs.graph)


@pytest.fixture(scope='session')
def safety(world: World) -> SafetyConfig:
    return world.parts.safety
