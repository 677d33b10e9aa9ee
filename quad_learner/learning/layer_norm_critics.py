"""Critics that layer norm, dropout and slow target networks keep steady.

Hiraoka et al. 2022, DroQ, arXiv 2110.02034. The gradients are written out, and what lies between
the matrix products is compiled (kernels.py): on small layers automatic differentiation and single
array operations take most of the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from quad_learner.learning.actor import linear_weight
from quad_learner.learning.kernels import gradients_through, norm_relu, slope_through
from quad_learner.learning.learner_config import LearnerConfig

LAYERS = (1, 2)


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
        self._dropout = config.dropout
        self._smoothing = config.target_smoothing
        self._generator = generator
        self._weights = {
            'weight_1': linear_weight((members, inputs, width), inputs, generator),
            'bias_1': nn.Parameter(torch.zeros(members, 1, width)),
            'gamma_1': nn.Parameter(torch.ones(members, 1, width)),
            'beta_1': nn.Parameter(torch.zeros(members, 1, width)),
            'weight_2': linear_weight((members, width, width), width, generator),
            'bias_2': nn.Parameter(torch.zeros(members, 1, width)),
            'gamma_2': nn.Parameter(torch.ones(members, 1, width)),
            'beta_2': nn.Parameter(torch.zeros(members, 1, width)),
            'weight_3': linear_weight((members, width, 1), width, generator),
            'bias_3': nn.Parameter(torch.zeros(members, 1, 1)),
        }
        self._targets = {name: value.detach().clone() for name, value in self._weights.items()}
        shape = (members, config.batch_size, width)
        self._now, self._later, self._probe = _Tape(shape), _Tape(shape), _Tape(shape)
        self._actions = action_size

    def weights(self) -> dict[str, nn.Parameter]:
        """Returns what is learned, by name."""
        return self._weights

    def memory(self) -> dict[str, Tensor]:
        """Returns the target networks' weights, by name."""
        return self._targets

    @torch.no_grad()
    def pair(self, now: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the values now, and the target networks' values one step later."""
        self._now = self._now.fitting(len(now))
        self._later = self._later.fitting(len(following))
        value = self._forward(self._weights, now, self._now, self._dropout)
        return value, self._forward(self._targets, following, self._later, self._dropout)

    @torch.no_grad()
    def backward(self, slope: Tensor) -> None:
        """Writes the parameters' gradients."""
        weights, tape = self._weights, self._now
        slope = slope.unsqueeze(-1)
        torch.sum(slope, 1, keepdim=True, out=weights['bias_3'].grad)
        torch.bmm(tape.layers[1].out.transpose(1, 2), slope, out=weights['weight_3'].grad)
        dz = self._learn_through(2, slope * weights['weight_3'].transpose(1, 2))
        torch.bmm(tape.layers[0].out.transpose(1, 2), dz, out=weights['weight_2'].grad)
        dz = self._learn_through(1, torch.bmm(dz, weights['weight_2'].transpose(1, 2)))
        inputs = tape.inputs.expand(len(dz), -1, -1)
        torch.bmm(inputs.transpose(1, 2), dz, out=weights['weight_1'].grad)

    def _learn_through(self, layer: int, dh: Tensor) -> Tensor:
        """Turns d loss / d h into d loss / d (x W) and writes the layer's gradients on the way."""
        kept, weights = self._now.layers[layer - 1], self._weights
        slopes = [_slopes(weights[f'{part}_{layer}']) for part in ('bias', 'gamma', 'beta')]
        gradients_through(dh.numpy(), *kept.numbers(), _units(weights[f'gamma_{layer}']), *slopes)
        if kept.mask is not None:
            dh.mul_(kept.mask)
            torch.sum(dh, 1, keepdim=True, out=weights[f'bias_{layer}'].grad)
        return dh

    @torch.no_grad()
    def settle(self) -> None:
        """Moves the target networks a little towards the learned ones."""
        torch._foreach_lerp_(
            list(self._targets.values()), list(self._weights.values()), self._smoothing
        )

    @torch.no_grad()
    def probe(self, observation: Tensor, action: Tensor) -> Tensor:
        """Returns the values for the actor, without dropout."""
        self._probe = self._probe.fitting(len(action))
        inputs = torch.cat((observation, action), -1)
        return self._forward(self._weights, inputs, self._probe, 0.0)

    @torch.no_grad()
    def action_slope(self, slope: Tensor) -> Tensor:
        """Returns d loss / d action, (batch, actions)."""
        weights, layers = self._weights, self._probe.layers
        dh = slope.unsqueeze(-1) * weights['weight_3'].transpose(1, 2)
        slope_through(dh.numpy(), *layers[1].numbers(), _units(weights['gamma_2']))
        dh = torch.bmm(dh, weights['weight_2'].transpose(1, 2))
        slope_through(dh.numpy(), *layers[0].numbers(), _units(weights['gamma_1']))
        return torch.bmm(dh, weights['weight_1'][:, -self._actions :].transpose(1, 2)).sum(0)

    def _forward(
        self, weights: Mapping[str, Tensor], inputs: Tensor, tape: _Tape, dropout: float
    ) -> Tensor:
        """Returns the values, (members, batch); leaves on `tape` what the gradients need."""
        tape.inputs = inputs
        hidden = inputs.expand(len(weights['weight_1']), -1, -1)
        for layer, kept in zip(LAYERS, tape.layers, strict=True):
            torch.bmm(hidden, weights[f'weight_{layer}'], out=kept.normal)
            bias, gamma, beta = (weights[f'{p}_{layer}'] for p in ('bias', 'gamma', 'beta'))
            kept.mask = self._mask(kept.normal, dropout)
            if kept.mask is not None:
                kept.normal.add_(bias).mul_(kept.mask)
                bias = torch.zeros_like(bias)
            normal, scale, out = kept.normal.numpy(), kept.scale.numpy(), kept.out.numpy()
            norm_relu(normal, _units(bias), _units(gamma), _units(beta), scale, out)
            hidden = kept.out
        return torch.baddbmm(weights['bias_3'], hidden, weights['weight_3']).squeeze(-1)

    def _mask(self, hidden: Tensor, share: float) -> Tensor | None:
        if share <= 0.0:
            return None
        # One draw serves all members: unit i of one has nothing in common with unit i of another.
        kept = torch.rand(hidden.shape[1:], generator=self._generator) >= share
        return kept / (1.0 - share)


class _Layer:
    """What a hidden layer leaves for its gradients: h = relu(γ n + β), n the norm of mask · z."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.normal = torch.zeros(shape)
        self.out = torch.zeros(shape)
        self.scale = torch.zeros(shape[:2])
        """1 / deviation"""
        self.mask: Tensor | None = None

    def numbers(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Returns h, n and 1 / deviation."""
        return self.out.numpy(), self.normal.numpy(), self.scale.numpy()


class _Tape:
    """Both hidden layers of one pass, written over by the next."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self._shape = shape
        self.inputs = torch.zeros(shape[1], 0)
        self.layers = (_Layer(shape), _Layer(shape))

    def fitting(self, batch: int) -> _Tape:
        """Returns this tape, or a new one where the batch has another size."""
        members, rows, width = self._shape
        return self if batch == rows else _Tape((members, batch, width))


def _units(tensor: Tensor) -> NDArray[Any]:
    """Returns (members, 1, width) as the (members, width) that the kernels take."""
    return tensor.detach().numpy()[:, 0]


def _slopes(parameter: nn.Parameter) -> NDArray[Any]:
    if parameter.grad is None:
        raise RuntimeError('critics: backward before an optimiser; give them to FlatAdam first')
    return _units(parameter.grad)
