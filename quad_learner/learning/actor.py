"""The policy: a Gaussian over joint motions, squashed into −1 … 1 by tanh.

u = mean(o) + std(o) · ε,  ε ~ N(0, 1),  a = box · tanh(u)
log π(a|o) = Σ [ log N(u; mean, std) − log(1 − tanh² u) ]      (Haarnoja et al. 2018, appendix C)

The density is that of tanh(u): how wide the box is open is not a matter of chance.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from quad_learner.learning.kernels import squash, squash_slope
from quad_learner.learning.learner_config import LearnerConfig

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
        self.box = 1.0
        """share of the action range that is open"""
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
        squashed, deviation, action = (torch.empty_like(noise) for _ in range(3))
        density = torch.empty(len(noise))
        kept = (squashed.numpy(), deviation.numpy(), action.numpy())
        squash(heads.numpy(), noise.numpy(), self._middle, self._reach, *kept, density.numpy())
        self._tape = _Tape(normalised, h_1, h_2, kept)
        return action * self.box, density

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
        dh = torch.empty(len(density_slope), len(self.bias_3))
        slopes = ((action_slope * self.box).numpy(), density_slope.numpy())
        squash_slope(*tape.kept, self._reach, *slopes, dh.numpy())
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
    kept: tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
    """what `kernels.squash` gave: tanh of the spread, std · ε, the action"""


def linear_weight(shape: tuple[int, ...], inputs: int, generator: torch.Generator) -> nn.Parameter:
    """Returns a weight drawn uniformly from ±1/√inputs, the usual start of a linear layer."""
    bound = 1.0 / math.sqrt(inputs)
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=generator))
