"""What a model must answer before it drives; models made by hand, answers worked by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from quad_learner.policy import golden
from quad_learner.policy.onnx_policy import OnnxPolicy

Make = Callable[..., bytes]
BIAS, LOG_STD, BOX = (0.4, -0.2, 0.1), (-1.0, -1.5, -2.0), 0.5
ASKED = np.zeros((2, 5), np.float32)
# box · tanh(bias), whatever is seen: the weights are 0.
ACTION = np.array([[0.18997448, -0.09868766, 0.04983400]] * 2)
DEVIATION = np.array([[0.36787944, 0.22313016, 0.13533528]] * 2)


def _problem(model: Make, golden_answers: str, **changed: Any) -> str:
    given = {'bias': BIAS, 'log_std': LOG_STD, 'box': BOX, 'golden': golden_answers}
    return OnnxPolicy(model(**{**given, **changed})).problem


def test_a_model_that_answers_as_told_may_drive(model: Make) -> None:
    assert _problem(model, golden.written(ASKED, ACTION, DEVIATION)) == ''


@pytest.mark.parametrize(
    'changed',
    [
        {'bias': (-0.2, 0.4, 0.1), 'log_std': (-1.5, -1.0, -2.0)},  # two joints swapped
        {'bias': (0.4, 0.2, 0.1)},  # the other way round
        {'log_std': (-1.0, -1.5, -1.9)},
        {'box': 0.6},
        {'weight': 0.01},  # told for an observation that is not zero
    ],
)
def test_one_that_answers_otherwise_may_not(model: Make, changed: dict[str, Any]) -> None:
    asked = ASKED + np.float32(changed.get('weight', 0.0) != 0.0)
    told = golden.written(asked, ACTION, DEVIATION)
    assert 'answers otherwise than the network it was made from' in _problem(
        model, told, **changed
    )


@pytest.mark.parametrize(('times', 'refused'), [(0.8, False), (1.2, True)])
@pytest.mark.parametrize('off', ['action', 'deviation'])
def test_the_tolerance_is_that_of_rounding(
    model: Make, times: float, refused: bool, off: str
) -> None:
    action, deviation = ACTION.copy(), DEVIATION.copy()
    if off == 'action':
        action[1, 2] += times * 1e-4
    else:  # of a deviation: relative to 1 and it
        deviation[1, 2] += times * 1e-4 * (1.0 + DEVIATION[1, 2])
    assert bool(_problem(model, golden.written(ASKED, action, deviation))) == refused


def _rows(count: int) -> str:
    return golden.written(*(np.repeat(part[:1], count, 0) for part in (ASKED, ACTION, DEVIATION)))


@pytest.mark.parametrize(
    'text',
    ['%', 'AAAA', '', _rows(65), _rows(2)[:-4], golden.written(ASKED, ACTION, ACTION[:, :2])],
)
def test_answers_that_cannot_be_read_are_no_answers(model: Make, text: str) -> None:
    problem = _problem(model, text)
    assert problem == ('carries golden answers that cannot be read' if text else '')


def test_told_answers_that_are_not_finite_are_met_by_none(model: Make) -> None:
    told = golden.written(ASKED, ACTION * math.nan, DEVIATION)
    assert 'answers otherwise' in _problem(model, told)


def test_answers_to_nothing_likely_are_compared_all_the_same(model: Make) -> None:
    asked = ASKED + np.float32(1e6)
    assert _problem(model, golden.written(asked, ACTION, DEVIATION)) == ''
    assert 'answers otherwise' in _problem(model, golden.written(asked, -ACTION, DEVIATION))


@pytest.mark.parametrize(
    ('changed', 'words'),
    [
        ({'weight': 3e38}, 'non-finite'),
        ({'weight': 300.0}, 'a mean beyond 10000'),  # 300 · 5 · 10 at the bound
        ({'weight': 1.0}, ''),  # 10^6 to what no observation is: it does not clip its inputs
        ({'log_std': 5.1}, 'a deviation beyond 148'),
        ({'log_std': 5.0 - 1e-3}, ''),
    ],
)
def test_one_that_tells_nothing_is_asked_what_is_extreme(
    model: Make, changed: dict[str, Any], words: str
) -> None:
    problem = OnnxPolicy(model(**changed)).problem
    assert words in problem
    assert bool(problem) == bool(words)


def test_asked_is_what_is_typical_what_is_extreme_and_the_newest() -> None:
    recent = np.random.default_rng(0).normal(0.0, 1.0, (12, 5)).astype(np.float32)
    asked = golden.observations_of(recent)
    np.testing.assert_array_equal(asked[-4:], recent[-4:])
    others = asked[:-4]
    np.testing.assert_array_equal(others, golden.observations_of(recent[:0]))
    assert {0.0, 10.0, 1e6} <= set(np.abs(others).max(1).tolist())
    spread = np.abs(others).max(1)
    assert ((spread > 1.0) & (spread < 10.0)).sum() >= 3
    assert len(asked) <= 64
