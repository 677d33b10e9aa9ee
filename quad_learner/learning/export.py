"""The policy as an ONNX file that needs nothing else: normalisation inside, shapes fixed.

Input `observation` [1, observations]. Outputs, [1, actions] each: `mean_raw` and `log_std` of the
Gaussian before squashing, and `mean` = box · tanh(mean_raw). The property `box` is the share
of the action range that is open: an action is box · tanh(mean_raw + exp(log_std) · noise). The
property `golden` is what the network itself answers to a few observations (policy/golden.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from quad_learner.learning.actor import OBSERVATION_BOUND, Actor
from quad_learner.policy import golden

OPSET = 17
"""read by every runtime of the last years"""
IR_VERSION = 8
"""what opset 17 was released with, so that older runtimes read it too"""
FORMAT = 'quad_learner policy 1'
"""names the inputs, outputs and properties described above; a change of them changes the number"""

Floats = NDArray[np.float32]


def policy_onnx(
    actor: Actor, properties: Mapping[str, str] | None = None, recent: Floats | None = None
) -> bytes:
    """Returns `actor` as a serialised ONNX model.

    Args:
        actor: the policy, with its normaliser.
        properties: what the model says of itself (version, robot, joints, …).
        recent: observations of late, newest last, (any, observations), to be among the golden.
    """
    graph = _Graph()
    actions = len(actor.flat.values['bias_3']) // 2
    hidden = graph.node('Sub', 'observation', graph.constant('shift', actor.shift))
    hidden = graph.node('Mul', hidden, graph.constant('scale', actor.scale))
    hidden = graph.node(
        'Clip', hidden, graph.number(-OBSERVATION_BOUND), graph.number(OBSERVATION_BOUND)
    )
    for layer in (1, 2):
        hidden = graph.linear(hidden, actor, layer)
        hidden = graph.node('Relu', hidden)
    heads = graph.linear(hidden, actor, 3)
    mean_raw = graph.columns(heads, 0, actions, 'mean_raw')
    squashed = graph.node('Tanh', mean_raw)
    graph.node('Mul', squashed, graph.number(actor.box), output='mean')
    spread = graph.node('Tanh', graph.columns(heads, actions, 2 * actions))
    reach = 0.5 * (actor.log_std_max - actor.log_std_min)
    spread = graph.node('Mul', spread, graph.number(reach))
    middle = 0.5 * (actor.log_std_max + actor.log_std_min)
    graph.node('Add', spread, graph.number(middle), output='log_std')
    observations = len(actor.shift)
    given = {
        'observations': str(observations),
        'actions': str(actions),
        'box': repr(actor.box),
        'format': FORMAT,
        'golden': _golden(actor, recent),
    }
    return graph.model(observations, actions, {**given, **(properties or {})})


def _golden(actor: Actor, recent: Floats | None) -> str:
    """Returns the answers of `actor` itself, which whoever runs the model holds it to."""
    if recent is None:
        recent = np.zeros((0, len(actor.shift)), np.float32)
    asked = golden.observations_of(recent)
    mean, log_std = actor.gaussian(actor.normalised(torch.from_numpy(asked)))
    action = actor.box * torch.tanh(mean)
    return golden.written(asked, action.numpy(), log_std.exp().numpy())


class _Graph:
    """Collects nodes and constants, naming them."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, values: torch.Tensor) -> str:
        """Keeps an array; this and the next four return the name of what they made."""
        return self._keep(name, values.numpy().astype(np.float32))

    def number(self, value: float) -> str:
        """Keeps a single number."""
        return self._keep(f'number_{len(self._constants)}', np.array(value, np.float32))

    def _keep(self, name: str, values: NDArray[np.float32] | NDArray[np.int64]) -> str:
        self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    def node(self, operator: str, *inputs: str, output: str = '', **attributes: Any) -> str:
        """Applies an operator of ONNX to what is named `inputs`."""
        output = output or f'{operator.lower()}_{len(self._nodes)}'
        self._nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def linear(self, hidden: str, actor: Actor, layer: int) -> str:
        """Applies a layer of the actor, 1, 2 or 3, without what follows it."""
        weight = self.constant(f'weight_{layer}', actor.flat.values[f'weight_{layer}'])
        bias = self.constant(f'bias_{layer}', actor.flat.values[f'bias_{layer}'])
        return self.node('Gemm', hidden, weight, bias)

    def columns(self, hidden: str, start: int, stop: int, output: str = '') -> str:
        """Takes columns start … stop − 1."""
        bounds = [
            self._keep(f'bound_{len(self._constants)}_{value}', np.array([value], np.int64))
            for value in (start, stop, 1)
        ]
        return self.node('Slice', hidden, *bounds, output=output)

    def model(self, observations: int, actions: int, properties: Mapping[str, str]) -> bytes:
        """Returns the whole as a checked ONNX file, for one observation at a time."""
        graph = helper.make_graph(
            self._nodes,
            'policy',
            [helper.make_tensor_value_info('observation', TensorProto.FLOAT, [1, observations])],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, actions])
                for name in ('mean', 'log_std', 'mean_raw')
            ],
            list(self._constants.values()),
        )
        opset = [helper.make_opsetid('', OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)
        helper.set_model_props(model, dict(properties))
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString())
