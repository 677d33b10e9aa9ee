from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from quad_learner.policy.onnx_policy import OnnxPolicy, PolicyError

Make = Callable[..., bytes]


def test_a_policy_answers_with_mean_and_deviation(model: Make) -> None:
    policy = OnnxPolicy(model(weight=0.5, bias=0.25, log_std=0.0))
    answer = policy.answer(np.array([1.0, 2.0, 3.0, -1.0, 0.0], np.float32))
    np.testing.assert_allclose(answer.mean, [2.75] * 3)  # half of five, and a quarter
    np.testing.assert_allclose(answer.std, [1.0] * 3)  # e⁰


def test_a_policy_says_what_it_is(model: Make) -> None:
    card = OnnxPolicy(model(version=7, robot='a1', use_from=140, use_until=160)).card
    assert (card.version, card.robot) == (7, 'a1')
    assert (card.observation_size, card.action_size) == (5, 3)
    assert (card.use_from, card.use_until) == (140, 160)


def test_a_policy_that_says_nothing_may_drive_for_ever(model: Make) -> None:
    card = OnnxPolicy(model()).card
    assert (card.version, card.robot, card.use_from) == (0, '', 0)
    assert card.use_until > 2**50


@pytest.mark.parametrize('garbage', [b'', b'not a model', b'\x00' * 1000])
def test_what_is_no_model_is_refused(garbage: bytes) -> None:
    with pytest.raises(PolicyError, match='the policy must not drive: it '):
        OnnxPolicy(garbage)


def test_half_a_model_is_refused(model: Make) -> None:
    whole = model()
    with pytest.raises(PolicyError):
        OnnxPolicy(whole[: len(whole) // 2])


@pytest.mark.parametrize(
    'changed, words',
    [
        ({'outputs': ('action', 'log_std')}, 'the outputs mean_raw, log_std'),
        ({'batch': 2}, r'fixed shapes \[1, n\]'),
        ({'batch': 'any'}, r'fixed shape \[1, n\]'),
        ({'deviations': 2}, 'one log_std an action, gives 2 for 3'),
        ({'kind': TensorProto.DOUBLE}, r'must speak tensor\(float\)'),
        ({'version': 'three'}, "version of the policy must be a whole number: 'three'"),
        ({'use_from': '-1'}, "use_from of the policy must be a whole number: '-1'"),
    ],
)
def test_a_model_that_is_no_policy_is_refused(
    model: Make, changed: dict[str, Any], words: str
) -> None:
    with pytest.raises(PolicyError, match=words):
        OnnxPolicy(model(**changed))
