"""A policy as an ONNX file, run by onnxruntime on one thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray

Vector = NDArray[np.float32]

OUTPUTS = ('mean_raw', 'log_std')
"""What is read from the model: the Gaussian before the squashing tanh."""


FOREVER = 2**53
"""`use_until` of a model that names none: steps stay exact up to here."""


class PolicyError(ValueError):
    """A model that must not drive; the message says why."""


class Gaussian(NamedTuple):
    """The policy's answer before squashing: action = tanh(mean + std · noise)."""

    mean: Vector
    std: Vector


@dataclass(frozen=True)
class ModelCard:
    """What a model says of itself."""

    version: int
    robot: str
    observation_size: int
    action_size: int
    use_from: int
    """the step from which on it is meant to drive"""
    use_until: int
    """the step before which the next model must be there"""


class OnnxPolicy:
    """One model, ready to answer. Building it is the only slow part; swap whole objects."""

    def __init__(self, model: bytes) -> None:
        """Loads `model`.

        Raises:
            PolicyError: it is not ONNX, or not a policy with fixed shapes [1, n].
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry('session.intra_op.allow_spinning', '0')
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                model, options, providers=['CPUExecutionProvider']
            )
        except Exception as error:  # onnxruntime raises its own unrelated classes
            raise PolicyError(f'the policy is not a model that onnxruntime can run: {error}') from error
        inputs = self._session.get_inputs()
        names = {output.name: output for output in self._session.get_outputs()}
        if len(inputs) != 1 or not set(OUTPUTS) <= set(names):
            raise PolicyError(f'the policy must have one input and the outputs {", ".join(OUTPUTS)}')
        self._input = inputs[0].name
        shapes = [inputs[0].shape, *(names[name].shape for name in OUTPUTS)]
        if any(len(s) != 2 or s[0] != 1 or not isinstance(s[1], int) for s in shapes):
            raise PolicyError(f'the policy must have fixed shapes [1, n], has {shapes}')
        properties = self._session.get_modelmeta().custom_metadata_map
        self.card = ModelCard(
            version=int(properties.get('version', '0')),
            robot=properties.get('robot', ''),
            observation_size=shapes[0][1],
            action_size=shapes[1][1],
            use_from=int(properties.get('use_from', '0')),
            use_until=int(properties.get('use_until', str(FOREVER))),
        )

    def answer(self, observation: Vector) -> Gaussian:
        """Returns the distribution of actions for `observation`, (observation_size,)."""
        mean, log_std = self._session.run(OUTPUTS, {self._input: observation[None, :]})
        return Gaussian(mean[0], np.exp(log_std[0]))
