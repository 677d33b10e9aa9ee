"""Critics that layer norm, dropout and slow target networks keep steady.

Hiraoka et al. 2022, DroQ, arXiv 2110.02034. The gradients are written out: on small layers most of
the time of automatic differentiation is its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from quad_learner.learning.actor import NORM_EPSILON, linear_weight
from quad_learner.learning.learner_config import LearnerConfig


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
        self._tape: tuple[_Layer, _Layer] | None = None
        self._probe: tuple[_Layer, _Layer] | None = None
        self._actions = 0

    def weights(self) -> dict[str, nn.Parameter]:
        """Returns what is learned, by name."""
        return self._weights

    def memory(self) -> dict[str, Tensor]:
        """Returns the target networks' weights, by name."""
        return self._targets

    @torch.no_grad()
    def pair(self, now: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the values now, and the target networks' values one step later."""
        value, self._tape = self._forward(self._weights, now, self._dropout)
        later, _ = self._forward(self._targets, following, self._dropout)
        return value, later

    @torch.no_grad()
    def backward(self, slope: Tensor) -> None:
        """Writes the parameters' gradients."""
        if self._tape is None:
            raise RuntimeError('critics: backward before pair; call pair first')
        weights, tape = self._weights, self._tape
        slope = slope.unsqueeze(-1)
        torch.sum(slope, 1, keepdim=True, out=weights['bias_3'].grad)
        torch.bmm(tape[1].out.transpose(1, 2), slope, out=weights['weight_3'].grad)
        dh = slope * weights['weight_3'].transpose(1, 2)
        for layer in (2, 1):
            dz = self._through(layer, tape[layer - 1], dh, learn=True)
            torch.bmm(
                tape[layer - 1].inputs.transpose(1, 2), dz, out=weights[f'weight_{layer}'].grad
            )
            if layer == 2:
                dh = torch.bmm(dz, weights['weight_2'].transpose(1, 2))

    def _through(self, layer: int, kept: _Layer, dh: Tensor, learn: bool) -> Tensor:
        """Returns d loss / d (h W) of a layer; where `learn`, writes the gradients on the way."""
        weights = self._weights
        dy = torch.ops.aten.threshold_backward(dh, kept.out, 0)
        if learn:
            torch.sum(dy, 1, keepdim=True, out=weights[f'beta_{layer}'].grad)
            torch.sum(dy * kept.normal, 1, keepdim=True, out=weights[f'gamma_{layer}'].grad)
        dz: Tensor = torch.ops.aten.native_layer_norm_backward(
            dy * weights[f'gamma_{layer}'],
            kept.z,
            kept.z.shape[-1:],
            kept.mean,
            kept.scale,
            None,
            None,
            (True, False, False),
        )[0]
        if kept.mask is not None:
            dz = dz * kept.mask
        if learn:
            torch.sum(dz, 1, keepdim=True, out=weights[f'bias_{layer}'].grad)
        return dz

    @torch.no_grad()
    def settle(self) -> None:
        """Moves the target networks a little towards the learned ones."""
        torch._foreach_lerp_(
            list(self._targets.values()), list(self._weights.values()), self._smoothing
        )

    @torch.no_grad()
    def probe(self, observation: Tensor, action: Tensor) -> Tensor:
        """Returns the values for the actor, without dropout."""
        inputs = torch.cat((observation, action), -1)
        value, self._probe = self._forward(self._weights, inputs, 0.0)
        self._actions = action.shape[-1]
        return value

    @torch.no_grad()
    def action_slope(self, slope: Tensor) -> Tensor:
        """Returns d loss / d action, (batch, actions)."""
        if self._probe is None:
            raise RuntimeError('critics: action_slope before probe; call probe first')
        weights = self._weights
        dh = slope.unsqueeze(-1) * weights['weight_3'].transpose(1, 2)
        dz = self._through(2, self._probe[1], dh, learn=False)
        dh = torch.bmm(dz, weights['weight_2'].transpose(1, 2))
        dz = self._through(1, self._probe[0], dh, learn=False)
        return torch.bmm(dz, weights['weight_1'][:, -self._actions :].transpose(1, 2)).sum(0)

    def _forward(
        self, weights: Mapping[str, Tensor], inputs: Tensor, dropout: float
    ) -> tuple[Tensor, tuple[_Layer, _Layer]]:
        members = len(weights['weight_1'])
        first = self._layer(weights, 1, inputs.expand(members, -1, -1), dropout)
        second = self._layer(weights, 2, first.out, dropout)
        value = torch.baddbmm(weights['bias_3'], second.out, weights['weight_3']).squeeze(-1)
        return value, (first, second)

    def _layer(
        self, weights: Mapping[str, Tensor], layer: int, inputs: Tensor, dropout: float
    ) -> _Layer:
        z = torch.baddbmm(weights[f'bias_{layer}'], inputs, weights[f'weight_{layer}'])
        mask = self._mask(z, dropout)
        if mask is not None:
            z = z * mask
        normal, mean, scale = torch.native_layer_norm(z, z.shape[-1:], None, None, NORM_EPSILON)
        out = torch.addcmul(weights[f'beta_{layer}'], normal, weights[f'gamma_{layer}']).relu_()
        return _Layer(inputs, z, normal, mean, scale, mask, out)

    def _mask(self, hidden: Tensor, share: float) -> Tensor | None:
        if share <= 0.0:
            return None
        # One draw serves all members: unit i of one has nothing in common with unit i of another.
        kept = torch.rand(hidden.shape[1:], generator=self._generator) >= share
        return kept / (1.0 - share)


class _Layer(NamedTuple):
    """What a hidden layer leaves for its gradients: out = relu(γ norm(mask · (h W + b)) + β)."""

    inputs: Tensor
    z: Tensor
    normal: Tensor
    mean: Tensor
    scale: Tensor
    """1 / deviation"""
    mask: Tensor | None
    out: Tensor
