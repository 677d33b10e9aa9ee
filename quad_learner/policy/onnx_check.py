"""What may be in a model that drives: looked at before any runtime sees it.

A model comes over the network or from a file, and a runtime does what it says: opens other files,
takes memory, runs any operator that it knows. A policy needs little of that, and no more is let
through. What a policy then answers is bounded by safety, whatever it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

MODEL_BYTES_MAX = 64 << 20
"""[bytes] of a model, of its constants together, and of each of its results: a hundred times the
shipped policy's"""
NODES_MAX = 256
"""steps of computing: the shipped policy has 14"""
OPSET = 17
"""what the learner writes; operators of other versions may mean something else"""
OPERATORS = frozenset(
    {'Add', 'Clip', 'Concat', 'Div', 'Elu', 'Exp', 'Gemm', 'LeakyRelu', 'MatMul', 'Mul', 'Neg'}
    | {'Relu', 'Reshape', 'Sigmoid', 'Slice', 'Softplus', 'Sub', 'Tanh'}
)
"""a feed-forward network's arithmetic; nothing that loops, branches, sizes things or draws lots"""
_BYTES_PER_NUMBER_MAX = 8


def objection(model: bytes) -> str:
    """Returns why `model` must not be given to a runtime, empty if nothing speaks against it."""
    if len(model) > MODEL_BYTES_MAX:
        return f'it has {len(model)} bytes, more than {MODEL_BYTES_MAX}'
    try:
        parsed = onnx.ModelProto.FromString(model)
    except Exception as error:  # of a library that onnx brings, and of no class of ours
        return f'it is not ONNX ({error})'
    looks = (_of_versions, _of_nodes, _of_constants, _of_sizes, _of_numbers)
    return next((problem for look in looks if (problem := look(parsed))), '')


def _of_versions(model: onnx.ModelProto) -> str:
    opsets = {(each.domain, each.version) for each in model.opset_import}
    if opsets != {('', OPSET)}:
        return f'it must be of opset {OPSET} alone, is of {sorted(opsets)}'
    if model.functions or model.training_info:
        return 'it brings functions or training steps of its own'
    return ''


def _of_nodes(model: onnx.ModelProto) -> str:
    if len(model.graph.node) > NODES_MAX:
        return f'it has {len(model.graph.node)} nodes, more than {NODES_MAX}'
    for node in model.graph.node:
        if node.domain or node.op_type not in OPERATORS:
            return f'the operator {node.domain}{node.op_type} is not one that a policy needs'
        for attribute in node.attribute:
            if attribute.type not in (onnx.AttributeProto.FLOAT, onnx.AttributeProto.INT):
                return f'its {node.op_type} has {attribute.name}, which is more than a number'
    return ''


def _of_constants(model: onnx.ModelProto) -> str:
    if model.graph.sparse_initializer:
        return 'it has sparse constants'
    total = 0
    for constant in model.graph.initializer:
        if constant.data_location == TensorProto.EXTERNAL or constant.external_data:
            return f'its constant {constant.name!r} lies in another file'
        if any(size < 0 for size in constant.dims):
            return f'its constant {constant.name!r} has a size below zero'
        total += _bytes_at_most(constant.dims)
    return _too_much('its constants', total)


def _of_sizes(model: onnx.ModelProto) -> str:
    """Looks at the results of each node: two small constants can make a large one."""
    try:
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        return f'its sizes do not fit together ({error})'
    known = {value.name for value in (*inferred.graph.value_info, *inferred.graph.output)}
    for value in (*inferred.graph.input, *inferred.graph.value_info, *inferred.graph.output):
        sizes = [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        if not sizes or min(sizes) < 1:
            return f'{value.name!r} must have a fixed shape [1, n]'
        problem = _too_much(repr(value.name), _bytes_at_most(sizes))
        if problem:
            return problem
    made = {name for node in model.graph.node for name in node.output if name}
    unknown = sorted(made - known)
    return f'the size of {unknown[0]!r} is not fixed' if unknown else ''


def _of_numbers(model: onnx.ModelProto) -> str:
    """Looks for what is not finite: it may hide behind a clip, and come out one day."""
    for constant in model.graph.initializer:
        try:
            values = numpy_helper.to_array(constant)
        except (ValueError, TypeError, KeyError) as error:
            return f'its constant {constant.name!r} cannot be read ({error})'
        if values.dtype.kind == 'f' and not np.isfinite(values).all():
            return f'its constant {constant.name!r} holds a number that is not finite'
    return ''


def _bytes_at_most(sizes: Iterable[int]) -> int:
    return _BYTES_PER_NUMBER_MAX * math.prod(sizes)


def _too_much(what: str, size: int) -> str:
    if size <= MODEL_BYTES_MAX:
        return ''
    return f'{what} would take {size} bytes, more than {MODEL_BYTES_MAX}'
