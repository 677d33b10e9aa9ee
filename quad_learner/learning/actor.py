"""The policy: a Gaussian over joint motions, squashed into −1 … 1 by tanh.

u = mean(o) + std(o) · ε,  ε ~ N(0, 1),  a = tanh(u)
log π(a|o) = Σ [ log N(u; mean, std) − log(1 − a²) ]      (Haarnoja et al. 2018, appendix C)
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from quad_learner.learning.learner_config import LearnerConfig

LOG_2 = math.log(2.0)
HALF_LOG_TAU = 0.5 * math.log(2.0 * math.pi)
OBSERVATION_BOUND = 10.0
"""[deviations] a normalised observation is clipped here: a glitch must not dominate the network"""


class Actor(nn.Module):
    """Two hidden layers and one head for mean and log std; holds the observation's normaliser.

    The gradients are written out: automatic ones take twice the time on networks of this size.
    """

    shift: Tensor
    scale: Tensor

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        config: LearnerConfig,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        width = config.actor_width
        self.log_std_min = config.log_std_min
        self.log_std_max = config.log_std_max
        self._middle = 0.5 * (config.log_std_max + config.log_std_min)
        self._reach = 0.5 * (config.log_std_max - config.log_std_min)
        self.register_buffer('shift', torch.zeros(observation_size))
        self.register_buffer('scale', torch.ones(observation_size))
        self.weight_1 = linear_weight((width, observation_size), observation_size, generator)
        self.bias_1 = nn.Parameter(torch.zeros(width))
        self.weight_2 = linear_weight((width, width), width, generator)
        self.bias_2 = nn.Parameter(torch.zeros(width))
        self.weight_3 = linear_weight((2 * action_size, width), width, generator)
        self.bias_3 = nn.Parameter(torch.zeros(2 * action_size))
        self._tape: _Tape | None = None

    def normalised(self, observation: Tensor) -> Tensor:
        """Returns what the networks see of `observation`, (batch, observations)."""
        return ((observation - self.shift) * self.scale).clamp_(
            -OBSERVATION_BOUND, OBSERVATION_BOUND
        )

    def forward(self, normalised: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the mean and the log std of u, (batch, actions) each."""
        mean, spread = self._heads(normalised)[-1].chunk(2, dim=-1)
        return mean, self._middle + self._reach * torch.tanh(spread)

    def _heads(self, normalised: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns both hidden layers and the head, (batch, 2 · actions)."""
        h_1 = functional.linear(normalised, self.weight_1, self.bias_1).relu_()
        h_2 = functional.linear(h_1, self.weight_2, self.bias_2).relu_()
        return h_1, h_2, functional.linear(h_2, self.weight_3, self.bias_3)

    @torch.no_grad()
    def sample(self, normalised: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Returns actions, (batch, actions), and their log density [nat], (batch,).

        Args:
            normalised: what `normalised` returned, (batch, observations).
            noise: standard normal, (batch, actions).
        """
        h_1, h_2, heads = self._heads(normalised)
        mean, spread = heads.chunk(2, dim=-1)
        squashed = torch.tanh(spread)
        log_std = squashed.mul(self._reach).add_(self._middle)
        deviation = log_std.exp().mul_(noise)
        u = mean + deviation
        # log(1 − tanh²u) = 2 (log 2 − u − softplus(−2u)) does not lose digits for large |u|
        squash = (LOG_2 - u - functional.softplus(-2.0 * u)).mul_(2.0)
        density = (-0.5 * noise.square() - log_std - squash).sum(-1)
        action = torch.tanh(u)
        self._tape = _Tape(normalised, h_1, h_2, squashed, deviation, action)
        return action, density - HALF_LOG_TAU * noise.shape[-1]

    @torch.no_grad()
    def backward(self, action_slope: Tensor, density_slope: Tensor) -> None:
        """Writes the gradients of the last `sample` into `parameter.grad`, over what was there.

        Args:
            action_slope: d loss / d action, (batch, actions).
            density_slope: d loss / d log density, (batch,).
        """
        tape = self._tape
        if tape is None:
            raise RuntimeError('actor: backward before sample; call sample first')
        per_action, action = density_slope.unsqueeze(-1), tape.action
        # d tanh u / d u = 1 − a²;  d log π / d u = 2 a, as d log(1 − a²) / d u = −2 a
        du = action_slope * (1.0 - action.square()) + 2.0 * per_action * action
        dlog_std = du * tape.deviation - per_action
        dspread = dlog_std * (self._reach * (1.0 - tape.squashed.square()))
        dh = torch.cat((du, dspread), -1)
        self._into(self.weight_3, self.bias_3, dh, tape.h_2)
        dh = torch.ops.aten.threshold_backward(dh @ self.weight_3, tape.h_2, 0)
        self._into(self.weight_2, self.bias_2, dh, tape.h_1)
        dh = torch.ops.aten.threshold_backward(dh @ self.weight_2, tape.h_1, 0)
        self._into(self.weight_1, self.bias_1, dh, tape.normalised)

    @staticmethod
    def _into(weight: nn.Parameter, bias: nn.Parameter, slope: Tensor, inputs: Tensor) -> None:
        torch.mm(slope.t(), inputs, out=weight.grad)
        torch.sum(slope, 0, out=bias.grad)


class _Tape(NamedTuple):
    """What a sample leaves for its gradients."""

    normalised: Tensor
    h_1: Tensor
    h_2: Tensor
    squashed: Tensor
    """tanh of the head's second half"""
    deviation: Tensor
    """std · ε"""
    action: Tensor


def linear_weight(shape: tuple[int, ...], inputs: int, generator: torch.Generator) -> nn.Parameter:
    """Returns a weight drawn uniformly from ±1/√inputs, the usual start of a linear layer."""
    bound = 1.0 / math.sqrt(inputs)
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=generator))
