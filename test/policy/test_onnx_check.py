"""Hostile models: none gets as far as a runtime, and each is told why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from quad_learner.policy.onnx_check import MODEL_BYTES_MAX, NODES_MAX, objection
from quad_learner.policy.onnx_policy import OnnxPolicy, PolicyError

Make = Callable[..., bytes]
Change = Callable[[onnx.ModelProto], None]


def _external(model: onnx.ModelProto) -> None:
    """Lets a weight be read from a file of the machine, as a known attack does."""
    weight = model.graph.initializer[0]
    weight.ClearField('raw_data')
    weight.data_location = TensorProto.EXTERNAL
    for key, value in (('location', '../../../../etc/passwd'), ('length', '60')):
        weight.external_data.add(key=key, value=value)


def _half_external(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].external_data.add(key='location', value='/etc/passwd')


def _declares_much(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[:] = [1 << 20, 1 << 20]


def _negative(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[:] = [-5, -3]


def _multiplies_up(model: onnx.ModelProto) -> None:
    """Makes a table of 400 MB out of two short constants."""
    for name, shape in (('tall', (10_000, 1)), ('wide', (1, 10_000))):
        constant = numpy_helper.from_array(np.zeros(shape, np.float32), name)
        model.graph.initializer.append(constant)
    model.graph.node.append(helper.make_node('Mul', ['tall', 'wide'], ['table']))


def _operator(name: str, domain: str = '', **attributes: Any) -> Change:
    def change(model: onnx.ModelProto) -> None:
        node = helper.make_node(name, ['observation'], ['more'], domain=domain, **attributes)
        model.graph.node.append(node)

    return change


def _opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 12


def _foreign_opset(model: onnx.ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid('com.microsoft', 1))


def _function(model: onnx.ModelProto) -> None:
    model.functions.add(name='mine', domain='here')


def _sparse(model: onnx.ModelProto) -> None:
    model.graph.sparse_initializer.add()


def _many_nodes(model: onnx.ModelProto) -> None:
    for number in range(NODES_MAX):
        model.graph.node.append(helper.make_node('Relu', ['observation'], [f'more_{number}']))


def _dynamic(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = 'any'


def _misfit(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 7


def _not_finite(model: onnx.ModelProto) -> None:
    """Hides a number behind an operator that may turn it into zero."""
    hidden = numpy_helper.from_array(np.array([np.nan], np.float32), 'hidden')
    model.graph.initializer.append(hidden)
    model.graph.node.append(helper.make_node('Relu', ['hidden'], ['nothing_of_it']))


def _short(model: onnx.ModelProto) -> None:
    weight = model.graph.initializer[0]
    weight.raw_data = weight.raw_data[:-4]


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (_not_finite, "'hidden' holds a number that is not finite"),
        (_short, "'weight' cannot be read"),
        (_external, "'weight' lies in another file"),
        (_half_external, "'weight' lies in another file"),
        (_declares_much, 'its constants would take'),
        (_negative, "'weight' has a size below zero"),
        (_multiplies_up, "'table' would take 800000000 bytes"),
        (_operator('Loop'), 'the operator Loop is not one that a policy needs'),
        (_operator('RandomNormalLike'), 'the operator RandomNormalLike is not'),
        (_operator('Relu', 'com.evil'), 'the operator com.evilRelu is not'),
        (_operator('Relu', code='import os'), 'its Relu has code, which is more than a number'),
        (_opset, r"of opset 17 alone, is of \[\('', 12\)\]"),
        (_foreign_opset, 'of opset 17 alone'),
        (_function, 'functions'),
        (_sparse, 'sparse'),
        (_many_nodes, f'{NODES_MAX + 2} nodes'),
        (_dynamic, r'fixed shape \[1, n\]'),
        (_misfit, 'its sizes do not fit together'),
    ],
)
def test_a_hostile_model_is_refused_before_a_runtime_sees_it(
    model: Make, change: Change, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = onnx.ModelProto.FromString(model())
    change(parsed)

    def reached(*_: Any, **__: Any) -> None:
        raise AssertionError('a runtime was given the model')

    monkeypatch.setattr(onnxruntime, 'InferenceSession', reached)
    with pytest.raises(PolicyError, match=words):
        OnnxPolicy(parsed.SerializeToString())


def test_a_model_larger_than_any_policy_is_not_even_parsed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(onnx, 'ModelProto', None)
    assert 'more than' in objection(bytes(MODEL_BYTES_MAX + 1))


def test_changed_bytes_are_a_policy_or_refused(model: Make, tmp_path: Path) -> None:
    """Whatever arrives, nothing else is raised than what the policy node expects."""
    whole, chance = model(weight=0.5), np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        changed = bytearray(whole)
        for place in chance.integers(0, len(whole), 3):
            changed[place] = chance.integers(256)
        try:
            OnnxPolicy(bytes(changed))
        except PolicyError:
            refused += 1
    assert refused > 100
