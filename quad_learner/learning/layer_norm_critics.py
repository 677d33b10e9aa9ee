"""Critics that layer norm, dropout and slow target networks keep steady.

Hiraoka et al. 2022, DroQ, arXiv 2110.02034.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

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
        self._value: Tensor | None = None
        self._probe: tuple[Tensor, Tensor] | None = None

    def weights(self) -> dict[str, nn.Parameter]:
        """Returns what is learned, by name."""
        return self._weights

    def memory(self) -> dict[str, Tensor]:
        """Returns the target networks' weights, by name."""
        return self._targets

    def pair(self, now: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the values now, and the target networks' values one step later."""
        with torch.enable_grad():
            self._value = self._forward(self._weights, now, self._dropout)
        with torch.no_grad():
            later = self._forward(self._targets, following, self._dropout)
        return self._value.detach(), later

    def backward(self, slope: Tensor) -> None:
        """Adds to the parameters' gradients."""
        if self._value is None:
            raise RuntimeError('critics: backward before pair; call pair first')
        torch.autograd.backward(self._value, slope, inputs=list(self._weights.values()))

    @torch.no_grad()
    def settle(self) -> None:
        """Moves the target networks a little towards the learned ones."""
        for name, target in self._targets.items():
            target.lerp_(self._weights[name], self._smoothing)

    def probe(self, observation: Tensor, action: Tensor) -> Tensor:
        """Returns the values for the actor, without dropout."""
        leaf = action.detach().requires_grad_()
        with torch.enable_grad():
            value = self._forward(self._weights, torch.cat((observation, leaf), -1), 0.0)
        self._probe = leaf, value
        return value.detach()

    def action_slope(self, slope: Tensor) -> Tensor:
        """Returns d loss / d action, (batch, actions)."""
        if self._probe is None:
            raise RuntimeError('critics: action_slope before probe; call probe first')
        leaf, value = self._probe
        (gradient,) = torch.autograd.grad(value, leaf, slope)
        return gradient

    def _forward(
        self, weights: dict[str, nn.Parameter] | dict[str, Tensor], inputs: Tensor, dropout: float
    ) -> Tensor:
        members = len(weights['weight_1'])
        hidden = inputs.expand(members, -1, -1)
        for layer in (1, 2):
            hidden = torch.baddbmm(weights[f'bias_{layer}'], hidden, weights[f'weight_{layer}'])
            hidden = self._dropped(hidden, dropout)
            hidden = functional.layer_norm(hidden, hidden.shape[-1:], eps=NORM_EPSILON)
            hidden = torch.addcmul(weights[f'beta_{layer}'], hidden, weights[f'gamma_{layer}'])
            hidden = functional.relu(hidden)
        return torch.baddbmm(weights['bias_3'], hidden, weights['weight_3']).squeeze(-1)

    def _dropped(self, hidden: Tensor, share: float) -> Tensor:
        if share <= 0.0:
            return hidden
        # One draw serves all members: unit i of one has nothing in common with unit i of another.
        kept = torch.rand(hidden.shape[1:], generator=self._generator) >= share
        return hidden * (kept / (1.0 - share))
