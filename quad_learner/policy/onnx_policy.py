"""A policy as an ONNX file, run by onnxruntime on one thread."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quad_learner.policy import golden
from quad_learner.policy.onnx_check import objection
from quad_learner.policy.onnx_session import Sessions, take_apart

Vector = NDArray[np.float32]

OUTPUTS = ('mean_raw', 'log_std')
"""What is read from the model: the Gaussian before the squashing tanh."""
FLOAT = 'tensor(float)'
"""the only type that goes in and comes out"""
FOREVER = 2**53
"""`use_until` of a model that names none: steps stay exact up to here."""


class PolicyError(ValueError):
    """A model that must not drive; the message says why."""


class Gaussian(NamedTuple):
    """The policy's answer before squashing: action = box · tanh(mean + std · noise)."""

    mean: Vector
    std: Vector


@dataclass(frozen=True)
class ModelCard:
    """What a model says of itself."""

    robot: str
    observation_size: int
    action_size: int
    version: int
    use_from: int
    """the step from which on it is meant to drive"""
    use_until: int
    """the step before which the next model must be there"""
    made_after: int
    """the last step that it has learned from"""
    box: float
    """share of the action range that is open, 0 … 1"""


class OnnxPolicy:
    """One model, ready to answer. Building it is the only slow part; swap whole objects."""

    def __init__(self, model: bytes, sessions: Sessions | None = None) -> None:
        """Loads `model`.

        Args:
            model: a file of ONNX.
            sessions: of other models that this one may share a session with.

        Raises:
            PolicyError: it is not ONNX, holds more than a policy needs, or is not a policy with
                fixed shapes [1, n].
        """
        problem = objection(model)
        if problem:
            raise PolicyError(f'the policy must not drive: {problem}')
        try:
            graph, self._numbers, asked, properties = take_apart(model)
            self._session = (sessions or Sessions()).of(graph)
        except Exception as error:  # of libraries, and of unrelated classes
            raise PolicyError(
                f'the policy is not a model that onnxruntime can run: {error}'
            ) from error
        inputs = [each for each in self._session.get_inputs() if each.name in asked]
        names = {output.name: output for output in self._session.get_outputs()}
        if len(inputs) != 1 or not set(OUTPUTS) <= set(names):
            raise PolicyError(
                f'the policy must have one input and the outputs {", ".join(OUTPUTS)}'
            )
        self._input = inputs[0].name
        ends = [inputs[0], *(names[name] for name in OUTPUTS)]
        sizes = _sizes([end.shape for end in ends])
        if any(end.type != FLOAT for end in ends):
            raise PolicyError(f'the policy must speak {FLOAT}, speaks {[e.type for e in ends]}')
        self.card = _card(properties, sizes)
        told = properties.get('golden', '')
        self.problem = golden.objection(told, sizes, self.card.box, self.answer)
        """why it must not drive though it runs; empty if nothing speaks against it"""

    def answer(self, observation: Vector) -> Gaussian:
        """Returns the distribution of actions for `observation`, (observation_size,)."""
        mean, log_std = self._session.run(
            OUTPUTS, {self._input: observation[None, :], **self._numbers}
        )
        with np.errstate(over='ignore'):  # an infinite deviation is refused by whoever asked
            return Gaussian(mean[0], np.exp(log_std[0]))


def _sizes(shapes: list[list[Any]]) -> tuple[int, int]:
    """Returns the numbers in an observation and in an action."""
    if any(len(s) != 2 or s[0] != 1 or not isinstance(s[1], int) for s in shapes):
        raise PolicyError(f'the policy must have fixed shapes [1, n], has {shapes}')
    (_, observations), (_, actions), (_, deviations) = shapes
    if actions != deviations:
        raise PolicyError(
            f'the policy must give one log_std an action, gives {deviations} for {actions}'
        )
    return observations, actions


def _card(properties: Mapping[str, str], sizes: tuple[int, int]) -> ModelCard:
    numbers = {'version': 0, 'use_from': 0, 'use_until': FOREVER, 'made_after': FOREVER}
    for name, default in numbers.items():
        text = properties.get(name, str(default))
        if not text.isdecimal():
            raise PolicyError(
                f'the property {name} of the policy must be a whole number: {text!r}'
            )
        numbers[name] = int(text)
    return ModelCard(properties.get('robot', ''), *sizes, **numbers, box=_box(properties))


def _box(properties: Mapping[str, str]) -> float:
    text = properties.get('box', '1')
    try:
        box = float(text)
    except ValueError:
        box = math.nan
    if not 0.0 <= box <= 1.0:
        raise PolicyError(f'the property box of the policy must be between 0 and 1: {text!r}')
    return box
