"""Critics as those that are shipped but without layer norm, for ablations.py: h = relu(x W + b).

Two such layers, a linear head and slow target networks; the gradients are automatic ones.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from quad_learner.learning.flat import Flat, linear_weight, named
from quad_learner.learning.learner_config import LearnerConfig


class PlainCritics:
    """A stack of critics; see `critics.Critics` for what each method promises."""

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        config: LearnerConfig,
        generator: torch.Generator,
    ) -> None:
        members, width = config.reward_critics + config.safety_critics, config.critic_width
        sizes = (observation_size + action_size, width, width, 1)
        start: dict[str, Tensor] = {}
        for layer, (inputs, outputs) in enumerate(pairwise(sizes)):
            shape = (members, inputs, outputs)
            start[f'weight_{layer}'] = linear_weight(shape, inputs, generator)
            start[f'bias_{layer}'] = torch.zeros(members, 1, outputs)
        self.flat, self._target = Flat(start), Flat(start)
        self._layers = len(sizes) - 1
        self._actions = action_size
        self._smoothing = config.target_smoothing
        self._learned = self._value = self._probed = self._inputs = torch.empty(0)

    def memory(self) -> dict[str, Tensor]:
        """Returns the target networks' weights."""
        return {'target': self._target.vector}

    def pair(self, now: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the values now, and the target networks' values one step later."""
        with torch.no_grad():
            later = self._values(self._target.vector, following)
        self._learned = self.flat.vector.detach().requires_grad_()
        self._value = self._values(self._learned, now)
        return self._value.detach(), later

    def backward(self, slope: Tensor) -> None:
        """Writes the gradients of the last `pair`."""
        (gradient,) = torch.autograd.grad(self._value, self._learned, slope)
        self.flat.gradient.copy_(gradient)

    def probe(self, inputs: Tensor) -> Tensor:
        """Returns the values for the actor."""
        self._inputs = inputs.detach().requires_grad_()
        self._probed = self._values(self.flat.vector, self._inputs)
        return self._probed.detach()

    def action_slope(self, slope: Tensor) -> Tensor:
        """Returns d loss / d action, (batch, actions), given d loss / d value of `probe`."""
        (gradient,) = torch.autograd.grad(self._probed, self._inputs, slope)
        return gradient[:, -self._actions :].contiguous()

    def settle(self) -> None:
        """Moves the target networks a little towards the learned ones."""
        self._target.vector.lerp_(self.flat.vector, self._smoothing)

    def _values(self, vector: Tensor, inputs: Tensor) -> Tensor:
        weights = named(vector, self.flat.shapes)
        hidden = inputs.expand(len(weights['bias_0']), -1, -1)
        for layer in range(self._layers):
            hidden = torch.baddbmm(weights[f'bias_{layer}'], hidden, weights[f'weight_{layer}'])
            hidden = hidden.relu() if layer + 1 < self._layers else hidden
        return hidden.squeeze(-1)
