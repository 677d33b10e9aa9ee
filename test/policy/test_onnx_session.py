"""Models of one graph share a session, and each answers by its own numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from quad_learner.policy.models import ModelQueue
from quad_learner.policy.onnx_policy import OnnxPolicy, PolicyError
from quad_learner.policy.onnx_session import Sessions, take_apart

Make = Callable[..., bytes]
ASKED = np.array([1.0, 2.0, 3.0, -1.0, 0.0], np.float32)  # their sum is 5


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Yields the sessions that onnxruntime has made since."""
    sessions: list[Any] = []
    genuine = onnxruntime.InferenceSession

    def counted(*args: Any, **kwargs: Any) -> Any:
        sessions.append(genuine(*args, **kwargs))
        return sessions[-1]

    monkeypatch.setattr(onnxruntime, 'InferenceSession', counted)
    yield sessions


def test_the_thousandth_model_needs_no_session_of_its_own(model: Make, made: list[Any]) -> None:
    queue = ModelQueue()
    for version in range(1000):
        queue.add(model(version=version, weight=version / 1000), now_ns=version + 1)
    assert len(made) == 1
    newest = queue.newest()
    assert newest is not None
    assert newest.answer(ASKED).mean == pytest.approx(4.995)


def test_each_model_answers_by_its_own_numbers_whatever_came_after(model: Make) -> None:
    sessions = Sessions()
    first = OnnxPolicy(model(weight=0.5, bias=0.25), sessions)
    second = OnnxPolicy(model(weight=-1.0, bias=0.0, log_std=0.5), sessions)
    for policy, mean, log_std in ((first, 2.75, -1.0), (second, -5.0, 0.5), (first, 2.75, -1.0)):
        assert policy.answer(ASKED).mean == pytest.approx(mean)
        assert policy.answer(ASKED).std == pytest.approx(np.exp(log_std))


def test_a_model_of_another_graph_has_another_session(model: Make, made: list[Any]) -> None:
    sessions = Sessions()
    first = OnnxPolicy(model(weight=0.5), sessions)
    wider = OnnxPolicy(model(observations=6, weight=1.0), sessions)
    assert len(made) == 2
    assert wider.answer(np.ones(6, np.float32)).mean == pytest.approx(6.0)
    assert first.answer(ASKED).mean == pytest.approx(2.5)


def test_a_model_that_cannot_be_run_leaves_the_one_before_as_it_was(model: Make) -> None:
    sessions = Sessions()
    good = OnnxPolicy(model(weight=0.5), sessions)
    twice = onnx.ModelProto.FromString(model())
    twice.graph.node[1].output[0] = twice.graph.node[0].output[0]
    with pytest.raises(PolicyError, match='onnxruntime can run'):
        OnnxPolicy(twice.SerializeToString(), sessions)
    assert good.answer(ASKED).mean == pytest.approx(2.5)
    assert OnnxPolicy(model(weight=1.0), sessions).answer(ASKED).mean == pytest.approx(5.0)


def test_a_constant_that_may_be_overridden_is_not_asked_for(model: Make) -> None:
    """ONNX lets an input have a constant as its default."""
    parsed = onnx.ModelProto.FromString(model(weight=0.5))
    weight = parsed.graph.initializer[0]
    parsed.graph.input.append(
        onnx.helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims)
    )
    assert OnnxPolicy(parsed.SerializeToString()).answer(ASKED).mean == pytest.approx(2.5)


def test_a_model_comes_apart_into_what_it_was_made_of(model: Make) -> None:
    whole = model(weight=0.5, version=3, robot='a1')
    parts = take_apart(whole)
    assert parts.inputs == ['observation']
    assert parts.properties == {'version': '3', 'robot': 'a1'}
    constants = {
        c.name: numpy_helper.to_array(c) for c in onnx.load_from_string(whole).graph.initializer
    }
    assert parts.numbers.keys() == constants.keys()
    for name, values in constants.items():
        np.testing.assert_array_equal(parts.numbers[name], values)
    assert parts.graph == take_apart(model(weight=7.0, version=4, robot='b1')).graph


def test_what_a_model_says_of_itself_must_be_text(model: Make) -> None:
    whole = model(robot='a1')
    assert whole.count(b'a1') == 1
    with pytest.raises(PolicyError, match='it says of itself what is not UTF-8'):
        OnnxPolicy(whole.replace(b'a1', b'\xff1'))
