"""Policy and critics as plain torch operations, differentiated automatically, on any device.

The equations are those of actor_kernels.py, layer_norm_kernels.py and pessimism.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import layer_norm, softplus

from quad_learner.learning.actor import Actor
from quad_learner.learning.actor_kernels import SATURATED
from quad_learner.learning.layer_norm_kernels import BETA, BIAS, EPSILON, GAMMA, HEAD

Weights = Mapping[str, Tensor]
"""of a network, by the names of its `Flat`"""

_HALF_LOG_TAU = 0.5 * math.log(2.0 * math.pi)


class Sample(NamedTuple):
    """An action drawn from the policy, (batch, actions) but for the density."""

    u: Tensor
    """before squashing"""
    squashed: Tensor
    """tanh u"""
    density: Tensor
    """log π [nat], (batch,)"""


def sample(actor: Actor, weights: Weights, observation: Tensor, noise: Tensor) -> Sample:
    """Returns actions of the policy.

    Args:
        actor: knows the bounds of its deviation.
        weights: of the policy.
        observation: normalised, (batch, observations).
        noise: standard normal, (batch, actions).
    """
    mean, log_std = actor.gaussian(observation, weights)
    u = mean + log_std.exp() * noise
    # log(1 − tanh²u) = 2 (log 2 − u − softplus(−2 u)) loses no digits for large |u|
    tail = 2.0 * (math.log(2.0) - u - softplus(-2.0 * u))
    density = -(0.5 * noise.square() + log_std + _HALF_LOG_TAU + tail).sum(-1)
    return Sample(u, torch.tanh(u), density)


def saturation_slope(squashed: Tensor, pull: float) -> Tensor:
    """Returns what is added to d loss / d u, (batch, actions), to bring actions back from ±1."""
    beyond = (squashed.abs() - float(SATURATED)).clamp(min=0.0) / (1.0 - float(SATURATED))
    return squashed.sign() * beyond * (pull / len(squashed))


def values(weights: Weights, inputs: Tensor, masks: Tensor | None) -> Tensor:
    """Returns the critics' values, (members, batch).

    Args:
        weights: of all members.
        inputs: observation and action side by side, (batch, inputs).
        masks: of both layers, (2, batch, width), 0 where a unit is dropped; None: none is.
    """
    hidden = inputs.expand(len(weights['bias']), -1, -1)
    for layer in (1, 2):
        units = weights[f'units_{layer}'].unsqueeze(2).unbind(1)  # (members, 1, width) each
        hidden = torch.baddbmm(units[BIAS], hidden, weights[f'weight_{layer}'])
        hidden = hidden if masks is None else hidden * masks[layer - 1]
        normal = layer_norm(hidden, hidden.shape[-1:], eps=float(EPSILON))
        hidden = torch.addcmul(units[BETA], normal, units[GAMMA]).relu()
    return (hidden * units[HEAD]).sum(-1) + weights['bias'].unsqueeze(1)


def pessimistic(value: Tensor, deviations: float) -> Tensor:
    """Returns one cautious value of the members', (batch,); not finite where one of them is not.

    Args:
        value: of each member, (members, batch).
        deviations: so many below the mean, or `pessimism.MINIMUM`.
    """
    if deviations < 0.0:
        # 0 · ∞ is no number: the least member's value alone would not tell of the others.
        return value.min(0).values + 0.0 * value.detach().sum(0)
    return value.mean(0) - deviations * value.std(0, correction=0)
