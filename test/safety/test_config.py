"""The parameters: the shipped file is complete, and contradictions are refused."""

from __future__ import annotations

from typing import Any

import pytest

from quad_learner.configuration import ConfigurationError, read
from quad_learner.resources import config_directory
from quad_learner.robot.model import load
from quad_learner.safety.config import SafetyConfig
from quad_learner.safety.core import SafetyCore

SHIPPED = config_directory() / 'safety.yaml'


def test_the_shipped_file_has_every_parameter_within_its_bounds() -> None:
    config = read(SafetyConfig, SHIPPED)
    assert SafetyCore(load('a1'), config).initial(3).epoch == 3


@pytest.mark.parametrize(
    ('changes', 'named'),
    [
        ({'bad_window': 2}, 'bad_window'),
        ({'bad_in_row': 3, 'bad_in_window': 1, 'bad_window': 2}, 'bad_window'),
        ({'temperature_derate_share': 1.0}, 'temperature_derate_share'),
        ({'command_lifetime_s': 0.3}, 'command_lifetime_s'),
        ({'sample_age_max_s': float('nan')}, 'sample_age_max_s'),
        ({'kp_scale': 1.0}, 'kp_scale'),
    ],
)
def test_a_parameter_that_cannot_be_is_refused_by_name(changes: Any, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        read(SafetyConfig, SHIPPED, changes)


def test_a_window_may_be_just_as_long_as_what_it_counts(small: Any) -> None:
    for window in (2, 3):
        settings = small.settings(bad_in_row=window, bad_in_window=window, bad_window=window)
        assert settings.bad_window == window
