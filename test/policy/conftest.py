"""Models made by hand: mean = weight · sum of the observation + bias, deviation as given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

Make = Callable[..., bytes]


def _model(
    observations: int = 5,
    actions: int = 3,
    bias: float = 0.0,
    log_std: float = -1.0,
    weight: float = 0.0,
    deviations: int | None = None,
    outputs: tuple[str, str] = ('mean_raw', 'log_std'),
    kind: int = TensorProto.FLOAT,
    batch: Any = 1,
    **properties: Any,
) -> bytes:
    number = {TensorProto.FLOAT: np.float32, TensorProto.DOUBLE: np.float64}[kind]
    deviations = actions if deviations is None else deviations
    constants = {
        'weight': np.full((observations, actions), weight, number),
        'bias': np.full(actions, bias, number),
        'nothing': np.zeros((observations, deviations), number),
        'spread': np.full(deviations, log_std, number),
    }
    nodes = [
        helper.make_node('Gemm', ['observation', 'weight', 'bias'], [outputs[0]]),
        helper.make_node('Gemm', ['observation', 'nothing', 'spread'], [outputs[1]]),
    ]
    ends = [(outputs[0], actions), (outputs[1], deviations)]
    graph = helper.make_graph(
        nodes,
        'by_hand',
        [helper.make_tensor_value_info('observation', kind, [batch, observations])],
        [helper.make_tensor_value_info(name, kind, [batch, size]) for name, size in ends],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    helper.set_model_props(model, {name: str(value) for name, value in properties.items()})
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


@pytest.fixture(scope='session')
def model() -> Make:
    """Returns a function that makes an ONNX policy; `properties` are what it says of itself."""
    return _model
