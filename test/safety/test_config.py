"""The parameters: the shipped file is complete, and contradictions are refused."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
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


# The A1's hips stand at 0 of ±0.8 rad, the Vision 60's at 0 of ±0.42.
@pytest.mark.parametrize(
    ('robot', 'margin', 'fits'),
    [('a1', 0.5, True), ('vision60', 0.41, True), ('vision60', 0.43, False)],
)
def test_a_margin_that_leaves_no_room_to_stand_is_refused(
    robot: str, margin: float, fits: bool
) -> None:
    config = read(SafetyConfig, SHIPPED, {'position_margin_rad': margin})
    if fits:
        assert SafetyCore(load(robot), config).initial(3).epoch == 3
        return
    with pytest.raises(ConfigurationError) as refused:
        SafetyCore(load(robot), config)
    for words in ('position_margin_rad = 0.43', 'at most 0.420 rad', 'config/safety.yaml'):
        assert words in str(refused.value)


def test_the_joint_is_named_whose_room_is_too_small(small: Any) -> None:
    narrow = dataclasses.replace(
        small.robot, position_min=np.array([-1.0, 0.4]), position_max=np.array([1.0, 0.6])
    )
    SafetyCore(narrow, small.settings(position_margin_rad=0.099))
    with pytest.raises(ConfigurationError, match='of right in its stance from its limit'):
        SafetyCore(narrow, small.settings(position_margin_rad=0.11))


def test_a_window_may_be_just_as_long_as_what_it_counts(small: Any) -> None:
    for window in (2, 3):
        settings = small.settings(bad_in_row=window, bad_in_window=window, bad_window=window)
        assert settings.bad_window == window
