"""The exported policy against the network, and against the formula worked in numpy."""

from __future__ import annotations

import base64
from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper

from quad_learner.learning.actor import Actor
from quad_learner.learning.export import policy_onnx
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.policy.onnx_policy import OnnxPolicy, PolicyError

ConfigBuilder = Callable[..., LearnerConfig]


def _actor(make_config: ConfigBuilder) -> Actor:
    actor = Actor(3, 2, make_config(), torch.Generator().manual_seed(0))
    actor.shift.copy_(torch.tensor([1.0, -2.0, 3.0]))
    actor.scale.copy_(torch.tensor([0.5, 4.0, 0.1]))
    return actor


def _observations() -> np.ndarray:
    return np.random.default_rng(0).normal(0.0, 5.0, (50, 3)).astype(np.float32)


def test_the_model_answers_as_the_network_does(make_config: ConfigBuilder) -> None:
    assert OnnxPolicy(policy_onnx(_actor(make_config), None, _observations())).problem == ''


def _weight(model: onnx.ModelProto) -> None:
    weight = next(part for part in model.graph.initializer if part.name == 'weight_2')
    values = numpy_helper.to_array(weight).copy()
    values[0] += 0.5
    weight.CopyFrom(numpy_helper.from_array(values, 'weight_2'))


def _joints(model: onnx.ModelProto) -> None:
    """Swaps two joints, and what belongs to them alike."""
    for name in ('weight_3', 'bias_3'):
        part = next(part for part in model.graph.initializer if part.name == name)
        values = numpy_helper.to_array(part)[..., [1, 0, 3, 2]]
        part.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), name))


def _box(model: onnx.ModelProto) -> None:
    next(p for p in model.metadata_props if p.key == 'box').value = '0.9'


@pytest.mark.parametrize('change', [_weight, _joints, _box])
def test_a_model_that_is_no_longer_the_network_must_not_drive(
    make_config: ConfigBuilder, change: Callable[[onnx.ModelProto], None]
) -> None:
    model = onnx.load_from_string(policy_onnx(_actor(make_config)))
    change(model)
    assert 'answers otherwise' in OnnxPolicy(model.SerializeToString()).problem


def test_what_was_seen_last_is_among_what_it_is_asked(make_config: ConfigBuilder) -> None:
    seen = _observations()
    plain, with_seen = (
        next(p.value for p in onnx.load_from_string(model).metadata_props if p.key == 'golden')
        for model in (
            policy_onnx(_actor(make_config)),
            policy_onnx(_actor(make_config), None, seen),
        )
    )
    rows = np.frombuffer(base64.b64decode(with_seen), '<f4').reshape(-1, 3 + 2 * 2)
    np.testing.assert_array_equal(rows[-4:, :3], seen[-4:])
    assert len(with_seen) > len(plain)


@pytest.mark.parametrize('part', ['weight_1', 'bias_3'])
def test_a_model_with_a_weight_that_is_not_finite_is_none(
    make_config: ConfigBuilder, part: str
) -> None:
    actor = _actor(make_config)
    actor.flat.values[part].view(-1)[0] = float('nan')
    with pytest.raises(PolicyError, match=f"'{part}' holds a number that is not finite"):
        OnnxPolicy(policy_onnx(actor))


def test_the_model_computes_the_published_formula(make_config: ConfigBuilder) -> None:
    actor = _actor(make_config)
    session = onnxruntime.InferenceSession(policy_onnx(actor), providers=['CPUExecutionProvider'])
    w = {name: value.numpy() for name, value in actor.flat.values.items()}
    for observation in _observations()[:5]:
        hidden = np.clip((observation - [1, -2, 3]) * [0.5, 4.0, 0.1], -10, 10)
        for layer in (1, 2):
            hidden = np.maximum(hidden @ w[f'weight_{layer}'] + w[f'bias_{layer}'], 0)
        heads = hidden @ w['weight_3'] + w['bias_3']
        low, high = actor.log_std_min, actor.log_std_max
        log_std = low + (np.tanh(heads[2:]) + 1) / 2 * (high - low)
        mean, spread = session.run(['mean', 'log_std'], {'observation': observation[None]})
        np.testing.assert_allclose(mean[0], np.tanh(heads[:2]), atol=1e-5)
        np.testing.assert_allclose(spread[0], log_std, atol=1e-5)


def test_shapes_are_fixed_and_nothing_lies_outside_the_file(make_config: ConfigBuilder) -> None:
    model = onnx.load_from_string(policy_onnx(_actor(make_config)))
    shapes = {
        value.name: [d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert shapes == {
        'observation': [1, 3],
        'mean': [1, 2],
        'log_std': [1, 2],
        'mean_raw': [1, 2],
    }
    assert all(not constant.external_data for constant in model.graph.initializer)
    assert model.opset_import[0].version == 17


def test_what_the_model_says_of_itself_comes_back(make_config: ConfigBuilder) -> None:
    actor = _actor(make_config)
    model = policy_onnx(actor, {'version': '7', 'robot': 'a1', 'joints': 'hip,knee'})
    session = onnxruntime.InferenceSession(model, providers=['CPUExecutionProvider'])
    told = session.get_modelmeta().custom_metadata_map
    assert {k: told[k] for k in ('version', 'robot', 'joints', 'observations', 'actions')} == {
        'version': '7',
        'robot': 'a1',
        'joints': 'hip,knee',
        'observations': '3',
        'actions': '2',
    }
