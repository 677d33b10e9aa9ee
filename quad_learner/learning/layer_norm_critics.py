"""Critics that layer norm, dropout and slow target networks keep steady.

Hiraoka et al. 2022, DroQ, arXiv 2110.02034. Values and gradients are written out and compiled
(layer_norm_kernels.py): on layers as small as these automatic differentiation and single array
operations take most of the time.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from quad_learner.learning.flat import Flat, Numbers, arrays, linear_weight
from quad_learner.learning.layer_norm_kernels import (
    GAMMA,
    HEAD,
    action_slopes,
    gradients,
    values,
)
from quad_learner.learning.learner_config import LearnerConfig

LAYERS = (3, 4)
"""numbers that a unit has, in the first and in the second layer"""


class LayerNormCritics:
    """A stack of critics; see `critics.Critics` for what each method promises."""

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        config: LearnerConfig,
        generator: torch.Generator,
    ) -> None:
        members = config.reward_critics + config.safety_critics
        inputs, width = observation_size + action_size, config.critic_width
        self._shape = (members, width)
        self._actions = action_size
        self._dropout = config.dropout
        self._smoothing = config.target_smoothing
        self._generator = generator
        units_1, units_2 = (torch.zeros(members, count, width) for count in LAYERS)
        units_1[:, GAMMA] = units_2[:, GAMMA] = 1.0
        units_2[:, HEAD] = linear_weight((members, width), width, generator)
        start = {
            'weight_1': linear_weight((members, inputs, width), inputs, generator),
            'units_1': units_1,
            'weight_2': linear_weight((members, width, width), width, generator),
            'units_2': units_2,
            'bias': torch.zeros(members),
        }
        self.flat, self._target = Flat(start), Flat(start)
        self._weights, self._target_weights = (
            arrays(self.flat.values.values()),
            arrays(self._target.values.values()),
        )
        self._slopes = arrays(self.flat.slopes.values())
        self._tape = _Tape(members, config.batch_size, width)
        self._passing = _Tape(1, config.batch_size, width)
        """of one target network after the other, whose gradients nobody asks for"""

    def memory(self) -> dict[str, Tensor]:
        """Returns the target networks' weights."""
        return {'target': self._target.vector}

    def pair(self, now: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the values now, and the target networks' values one step later."""
        self._passing = self._passing.fitting(len(following))
        later = self._values(self._target_weights, following, self._passing, self._dropout)
        self._tape = self._tape.fitting(len(now))
        return self._values(self._weights, now, self._tape, self._dropout), later

    def probe(self, inputs: Tensor) -> Tensor:
        """Returns the values for the actor, without dropout."""
        self._tape = self._tape.fitting(len(inputs))
        return self._values(self._weights, inputs, self._tape, 0.0)

    def _values(
        self, weights: tuple[Numbers, ...], inputs: Tensor, tape: _Tape, dropout: float
    ) -> Tensor:
        """Returns the values, (members, batch); leaves on `tape` what the gradients need."""
        tape.inputs = inputs.numpy()
        tape.masks = drawn_masks((len(inputs), self._shape[1]), dropout, self._generator)
        value = torch.empty(self._shape[0], len(inputs))
        values(tape.inputs, *weights, *tape.kept(), value.numpy())
        return value

    def backward(self, slope: Tensor) -> None:
        """Writes the gradients of the last `pair`."""
        tape, (_, *later_weights) = self._tape, self._weights
        given = (tape.inputs, *later_weights[:-1], *tape.kept())
        gradients(slope.numpy(), *given, *self._slopes, tape.work)

    def action_slope(self, slope: Tensor) -> Tensor:
        """Returns d loss / d action, (batch, actions), given d loss / d value of `probe`."""
        tape, result = self._tape, torch.empty(slope.shape[1], self._actions)
        given = (*self._weights[:-1], tape.normals, tape.scales)
        action_slopes(slope.numpy(), *given, tape.work, result.numpy())
        return result

    def settle(self) -> None:
        """Moves the target networks a little towards the learned ones."""
        self._target.vector.lerp_(self.flat.vector, self._smoothing)


def drawn_masks(shape: tuple[int, int], share: float, generator: torch.Generator) -> Numbers:
    """Returns what both layers are multiplied by, (2, batch, width), or (2, 0, 0) for nothing.

    Args:
        shape: (batch, width).
        share: of the units, dropped; the others are made larger by as much.
        generator: of chance.
    """
    if share <= 0.0:
        return np.empty((len(LAYERS), 0, 0), np.float32)
    # One draw serves all members: unit i of one has nothing in common with unit i of another.
    kept = torch.rand((len(LAYERS), *shape), generator=generator) >= share
    return (kept / (1.0 - share)).numpy()


class _Tape:
    """What a pass leaves for its gradients; the next one writes over it."""

    def __init__(self, members: int, batch: int, width: int) -> None:
        self._shape = (members, batch, width)
        layers = len(LAYERS) * members
        self.inputs: Numbers = np.empty((0, 0), np.float32)
        self.masks: Numbers = np.empty((len(LAYERS), 0, 0), np.float32)
        self.normals: Numbers = np.empty((layers, batch, width), np.float32)
        self.hidden: Numbers = np.empty((members, batch, width), np.float32)
        self.scales: Numbers = np.empty((layers, batch), np.float32)
        self.work: Numbers = np.empty((len(LAYERS), batch, width), np.float32)

    def kept(self) -> tuple[Numbers, ...]:
        """Returns what `values` leaves and `gradients` reads."""
        return self.masks, self.normals, self.hidden, self.scales

    def fitting(self, batch: int) -> _Tape:
        """Returns this tape, or a new one where the batch has another size."""
        members, rows, width = self._shape
        return self if batch == rows else _Tape(members, batch, width)
