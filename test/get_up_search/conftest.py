"""The shipped parameters, as the search reads them."""

from __future__ import annotations

import pytest
from conftest import configured

from quad_learner.estimation.config import EstimatorConfig
from quad_learner.get_up_search.falls import World
from quad_learner.graph import GraphConfig
from quad_learner.reset.config import ResetConfig
from quad_learner.safety.config import SafetyConfig
from quad_learner.simulation.config import SimulationConfig
from quad_learner.simulation.in_process import InProcessConfigs


@pytest.fixture(scope='session')
def safety() -> SafetyConfig:
    return configured(SafetyConfig, 'safety')


@pytest.fixture(scope='session')
def world(safety: SafetyConfig) -> World:
    parts = InProcessConfigs(
        configured(SimulationConfig, 'simulation'),
        configured(EstimatorConfig, 'estimator'),
        safety,
        configured(ResetConfig, 'reset'),
    )
    return World(parts, configured(GraphConfig, 'graph'))
