"""The policy: a Gaussian over joint motions, squashed into −1 … 1 by tanh.

u = mean(o) + std(o) · ε,  ε ~ N(0, 1),  a = tanh(u)
log π(a|o) = Σ [ log N(u; mean, std) − log(1 − a²) ]      (Haarnoja et al. 2018, appendix C)
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from quad_learner.learning.learner_config import LearnerConfig

LOG_2 = math.log(2.0)
HALF_LOG_TAU = 0.5 * math.log(2.0 * math.pi)
NORM_EPSILON = 1e-5
"""added to the variance in layer norm"""
OBSERVATION_BOUND = 10.0
"""[deviations] a normalised observation is clipped here: a glitch must not dominate the network"""


class Actor(nn.Module):
    """Two hidden layers and one head for mean and log std; holds the observation's normaliser."""

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
        self.layer_norm = config.actor_norm == 'layer_norm'
        self.register_buffer('shift', torch.zeros(observation_size))
        self.register_buffer('scale', torch.ones(observation_size))
        self.weight_1 = linear_weight((width, observation_size), observation_size, generator)
        self.bias_1 = nn.Parameter(torch.zeros(width))
        self.weight_2 = linear_weight((width, width), width, generator)
        self.bias_2 = nn.Parameter(torch.zeros(width))
        self.weight_3 = linear_weight((2 * action_size, width), width, generator)
        self.bias_3 = nn.Parameter(torch.zeros(2 * action_size))
        if self.layer_norm:
            self.norm_1 = nn.LayerNorm(width, eps=NORM_EPSILON)
            self.norm_2 = nn.LayerNorm(width, eps=NORM_EPSILON)

    def normalised(self, observation: Tensor) -> Tensor:
        """Returns what the networks see of `observation`, (batch, observations)."""
        return ((observation - self.shift) * self.scale).clamp_(
            -OBSERVATION_BOUND, OBSERVATION_BOUND
        )

    def forward(self, normalised: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the mean and the log std of u, (batch, actions) each."""
        hidden = functional.linear(normalised, self.weight_1, self.bias_1)
        hidden = functional.relu(self.norm_1(hidden) if self.layer_norm else hidden)
        hidden = functional.linear(hidden, self.weight_2, self.bias_2)
        hidden = functional.relu(self.norm_2(hidden) if self.layer_norm else hidden)
        mean, spread = functional.linear(hidden, self.weight_3, self.bias_3).chunk(2, dim=-1)
        middle = 0.5 * (self.log_std_max + self.log_std_min)
        reach = 0.5 * (self.log_std_max - self.log_std_min)
        return mean, middle + reach * torch.tanh(spread)

    def sample(self, normalised: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Returns actions, (batch, actions), and their log density [nat], (batch,).

        Args:
            normalised: what `normalised` returned, (batch, observations).
            noise: standard normal, (batch, actions).
        """
        mean, log_std = self(normalised)
        u = mean + log_std.exp() * noise
        # log(1 − tanh²u) = 2 (log 2 − u − softplus(−2u)) does not lose digits for large |u|
        squash = 2.0 * (LOG_2 - u - functional.softplus(-2.0 * u))
        density = -0.5 * noise.square() - log_std - HALF_LOG_TAU - squash
        return torch.tanh(u), density.sum(-1)


def linear_weight(shape: tuple[int, ...], inputs: int, generator: torch.Generator) -> nn.Parameter:
    """Returns a weight drawn uniformly from ±1/√inputs, the usual start of a linear layer."""
    bound = 1.0 / math.sqrt(inputs)
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=generator))
