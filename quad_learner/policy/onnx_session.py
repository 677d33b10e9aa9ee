"""Sessions of onnxruntime for models that differ in their numbers alone.

A learner sends thousands of models of one graph. Each session of onnxruntime leaves some 60 bytes
behind for as long as the process lives, and a heap with holes in it; so the numbers go beside the
graph, and models of one graph share a session.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Numbers = dict[str, NDArray[np.float32]]


class Parts(NamedTuple):
    """A model taken apart."""

    graph: bytes
    """the model without what it says of itself, its floating-point constants made inputs"""
    numbers: Numbers
    """these constants, by name"""
    inputs: list[str]
    """what the model itself asks for"""
    properties: dict[str, str]
    """what it says of itself"""


def take_apart(model: bytes) -> Parts:
    """Returns the parts of `model`, which must be ONNX whose constants can be read.

    Raises:
        ValueError: what it says is not UTF-8.
    """
    parsed = onnx.ModelProto.FromString(model)
    graph = parsed.graph
    constants = {constant.name: constant for constant in graph.initializer}
    asked = [each for each in graph.input if each.name not in constants]
    numbers = {
        name: numpy_helper.to_array(constant)
        for name, constant in constants.items()
        if constant.data_type == TensorProto.FLOAT
    }
    given = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, values.shape)
        for name, values in numbers.items()
    ]
    del graph.initializer[:], graph.input[:]
    graph.initializer.extend(c for name, c in constants.items() if name not in numbers)
    graph.input.extend([*asked, *given])
    properties = {each.key: each.value for each in parsed.metadata_props}
    if any(isinstance(text, bytes) for said in properties.items() for text in said):
        raise ValueError('it says of itself what is not UTF-8')
    del parsed.metadata_props[:]
    stripped = parsed.SerializeToString(deterministic=True)
    return Parts(stripped, numbers, [each.name for each in asked], properties)


class Sessions:
    """Hands out sessions, the same one for as long as the graph stays the same."""

    def __init__(self) -> None:
        self._graph = b''
        self._session: onnxruntime.InferenceSession | None = None

    def of(self, graph: bytes) -> onnxruntime.InferenceSession:
        """Returns a session that runs `graph` on one thread; it may be run by several at once.

        Raises:
            Exception: onnxruntime cannot run it; its classes of errors have nothing in common.
        """
        if self._session is None or graph != self._graph:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            options.inter_op_num_threads = 1
            options.add_session_config_entry('session.intra_op.allow_spinning', '0')
            options.log_severity_level = 3
            self._session = onnxruntime.InferenceSession(
                graph, options, providers=['CPUExecutionProvider']
            )
            self._graph = graph
        return self._session
