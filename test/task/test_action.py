from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quad_learner.configuration import ConfigurationError
from quad_learner.robot.model import RobotModel, load
from quad_learner.task.action import ActionMap, Oscillator, oscillator_of

RHYTHM = {'frequency_hz': 2.0, 'leg_phase': [0.0, math.pi, math.pi, 0.0]}


def with_rhythm(robot: RobotModel, **section: Any) -> RobotModel:
    return replace(robot, sections={'oscillator': section})


@pytest.fixture
def rhythm(robot: RobotModel) -> Oscillator:
    found = oscillator_of(with_rhythm(robot, **RHYTHM, amplitude=[0.1, 0.2, -0.4]))
    assert found is not None
    return found


def test_an_action_of_zero_asks_for_the_stance(robot: RobotModel) -> None:
    target = ActionMap(robot, None).target(np.zeros(12), time_s=1.3)
    np.testing.assert_array_equal(target, robot.stance)


def test_a_full_action_reaches_to_the_edge_of_the_box_and_no_further(robot: RobotModel) -> None:
    narrow = replace(robot, stance=np.full(12, 0.1), action_box=np.full(12, 0.3))
    wide = replace(narrow, position_min=np.full(12, -9.0), position_max=np.full(12, 9.0))
    actions = ActionMap(wide, None)
    np.testing.assert_allclose(actions.target(np.ones(12), 0.0), 0.4)
    np.testing.assert_allclose(actions.target(np.full(12, -7.0), 0.0), -0.2)


def test_no_action_asks_for_more_than_a_joint_can_do(robot: RobotModel) -> None:
    tight = replace(robot, position_max=robot.stance + 0.05)
    target = ActionMap(tight, None).target(np.ones(12), 0.0)
    np.testing.assert_allclose(target, robot.stance + 0.05)


@given(
    action=st.lists(st.floats(-1.0, 1.0), min_size=12, max_size=12),
    time_s=st.floats(0.0, 30.0),
)
def test_the_target_of_an_action_tells_the_action_again(
    action: list[float], time_s: float
) -> None:
    wide = replace(load('a1'), position_min=np.full(12, -9.0), position_max=np.full(12, 9.0))
    actions = ActionMap(wide, oscillator_of(wide))
    back = actions.action(actions.target(np.array(action), time_s), time_s)
    np.testing.assert_allclose(back, action, atol=1e-12)


def test_the_rhythm_lifts_one_diagonal_in_the_first_half_of_its_period_and_then_the_other(
    rhythm: Oscillator,
) -> None:
    # 2 Hz: a period of 0.5 s. At an eighth of it sin is √½, and only the positive half counts.
    first = np.array([0.1, 0.2, -0.4]) * math.sqrt(0.5)
    rest = np.zeros(3)
    np.testing.assert_allclose(rhythm.offset(0.0625), [*first, *rest, *rest, *first])
    np.testing.assert_allclose(rhythm.offset(0.3125), [*rest, *first, *first, *rest])
    np.testing.assert_allclose(rhythm.offset(0.0), 0.0, atol=1e-12)


def test_a_leg_swings_while_the_rhythm_lifts_it_and_stands_in_the_other_half(
    rhythm: Oscillator,
) -> None:
    half = math.sqrt(0.5)
    np.testing.assert_allclose(rhythm.swing(0.0625), [half, -half, -half, half])
    np.testing.assert_allclose(rhythm.swing(0.125), [1.0, -1.0, -1.0, 1.0])
    np.testing.assert_allclose(rhythm.swing(0.3125), [-half, half, half, -half])


def test_the_rhythm_repeats_itself_and_moves_no_foot_for_good(rhythm: Oscillator) -> None:
    np.testing.assert_allclose(rhythm.offset(0.11), rhythm.offset(0.61), atol=1e-12)


def test_the_mean_of_the_rhythm_is_that_of_a_rectified_sine(rhythm: Oscillator) -> None:
    times = np.linspace(0.0, 0.5, 2000, endpoint=False)
    mean = np.mean([rhythm.offset(time) for time in times], axis=0)
    np.testing.assert_allclose(mean[:3], np.array([0.1, 0.2, -0.4]) / math.pi, rtol=1e-5)


def test_the_policy_sees_where_the_rhythm_is(robot: RobotModel, rhythm: Oscillator) -> None:
    seen = ActionMap(robot, rhythm).phase_features(0.125)  # a quarter of the period
    np.testing.assert_allclose(seen, [1.0, 0.0], atol=1e-12)


def test_without_a_rhythm_the_policy_sees_none_and_the_action_is_the_whole_motion(
    robot: RobotModel,
) -> None:
    assert oscillator_of(replace(robot, sections={})) is None
    actions = ActionMap(robot, None)
    np.testing.assert_array_equal(actions.phase_features(0.4), [0.0, 0.0])
    np.testing.assert_array_equal(
        actions.target(np.zeros(12), 0.1), actions.target(np.zeros(12), 0.9)
    )


@pytest.mark.parametrize(
    'section, words',
    [
        ({**RHYTHM, 'amplitude': [0.1, 0.2]}, '12 joints in all'),
        ({**RHYTHM, 'amplitude': [0.1, 0.2, 0.3], 'leg_phase': []}, '12 joints in all'),
        ({**RHYTHM, 'amplitude': 'high'}, 'amplitude = .high. must be a list of finite'),
        (
            {'frequency_hz': 2.0, 'amplitude': [0.1] * 3},
            'must hold exactly frequency_hz, leg_phase',
        ),
        ({**RHYTHM, 'amplitude': [0.1] * 3, 'frequency_hz': None}, 'frequency_hz'),
        ({**RHYTHM, 'amplitude': [0.1] * 3, 'frequency': 2.0}, 'must hold exactly frequency_hz'),
        ({**RHYTHM, 'amplitude': [0.1] * 3, 'frequency_hz': -1.0}, 'must be one number above 0'),
        ({**RHYTHM, 'amplitude': [0.1, 0.2, float('nan')]}, 'must be a list of finite numbers'),
    ],
)
def test_a_rhythm_that_does_not_fit_is_refused(
    robot: RobotModel, section: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        oscillator_of(with_rhythm(robot, **section))
    assert 'a1' in str(caught.value)
