"""The policy: a Gaussian over joint motions, squashed into −1 … 1 by tanh.

u = mean(o) + std(o) · ε,  ε ~ N(0, 1),  a = box · tanh(u)
log π(a|o) = Σ [ log N(u; mean, std) − log(1 − tanh² u) ]      (Haarnoja et al. 2018, appendix C)

The density is that of tanh(u): how wide the box is open is not a matter of chance.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from quad_learner.learning.actor_kernels import gradients, normalise, sample
from quad_learner.learning.flat import Flat, Numbers, arrays, linear_weight
from quad_learner.learning.learner_config import LearnerConfig

OBSERVATION_BOUND = 10.0
"""[deviations] a normalised observation is clipped here: a glitch must not dominate the network"""


class Actor:
    """Two hidden layers and one head for mean and log std; holds the observation's normaliser.

    The gradients are written out and compiled (actor_kernels.py).
    """

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        config: LearnerConfig,
        generator: torch.Generator,
    ) -> None:
        width, heads = config.actor_width, 2 * action_size
        self.actions = action_size
        """numbers in an action"""
        self.log_std_min = config.log_std_min
        self.log_std_max = config.log_std_max
        self._middle = 0.5 * (config.log_std_max + config.log_std_min)
        self._reach = 0.5 * (config.log_std_max - config.log_std_min)
        self.shift = torch.zeros(observation_size)
        self.scale = torch.ones(observation_size)
        self.flat = Flat(
            {
                'weight_1': linear_weight((observation_size, width), observation_size, generator),
                'bias_1': torch.zeros(width),
                'weight_2': linear_weight((width, width), width, generator),
                'bias_2': torch.zeros(width),
                'weight_3': linear_weight((width, heads), width, generator),
                'bias_3': torch.zeros(heads),
            }
        )
        self._weights, self._slopes = (
            arrays(self.flat.values.values()),
            arrays(self.flat.slopes.values()),
        )
        self._pull = config.saturation_pull
        self.box = 1.0
        """share of the action range that is open"""
        self._tape = _Tape(config.batch_size, width, action_size)

    def normalised(self, observation: Tensor) -> Tensor:
        """Returns what the networks see of `observation`, (batch, observations)."""
        out = torch.empty_like(observation)
        self.normalise(observation.numpy(), out.numpy())
        return out

    def normalise(self, observation: Numbers, out: Numbers) -> None:
        """Puts what the networks see of `observation` into the first columns of `out`."""
        normalise(observation, self.shift.numpy(), self.scale.numpy(), OBSERVATION_BOUND, out)

    def gaussian(
        self, normalised: Tensor, weights: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Returns the mean and the log std of u, (batch, actions) each.

        Args:
            normalised: what `normalised` returned, (batch, observations).
            weights: those of `flat`, by name, on the device of `normalised`; None for its own.
        """
        weights = weights or self.flat.values
        hidden = normalised
        for layer in (1, 2):
            hidden = (hidden @ weights[f'weight_{layer}'] + weights[f'bias_{layer}']).relu()
        mean, spread = (hidden @ weights['weight_3'] + weights['bias_3']).chunk(2, dim=-1)
        return mean, self._middle + self._reach * torch.tanh(spread)

    def sample(self, normalised: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Returns actions, (batch, actions), and their log density [nat], (batch,).

        Args:
            normalised: what `normalised` returned, (batch, observations).
            noise: standard normal, (batch, actions).
        """
        action, density = torch.empty_like(noise), torch.empty(len(noise))
        tape = self._tape = self._tape.fitting(len(noise))
        tape.inputs, tape.action = normalised.numpy(), action.numpy()
        bounds = (self._middle, self._reach)
        given = (tape.inputs, noise.numpy(), *self._weights, *bounds, tape.heads)
        sample(*given, *tape.kept(), density.numpy())
        return action * self.box, density

    def backward(self, action_slope: Tensor, density_slope: float) -> None:
        """Writes the gradients of the last `sample` into `flat`.

        Args:
            action_slope: d loss / d action, (batch, actions).
            density_slope: d loss / d log density of each row.
        """
        tape, (_, _, weight_2, _, weight_3, _) = self._tape, self._weights
        given = (tape.inputs, weight_2, weight_3, self._reach, *tape.kept())
        slope, pull = (action_slope * self.box).numpy(), self._pull / len(action_slope)
        gradients(slope, density_slope, pull, *given, *self._slopes, *tape.work)


class _Tape:
    """What a sample leaves for its gradients; the next one writes over it."""

    def __init__(self, batch: int, width: int, actions: int) -> None:
        self._sizes = (batch, width, actions)

        def room(columns: int) -> Numbers:
            return np.empty((batch, columns), np.float32)

        self.inputs, self.action = room(0), room(actions)
        self.hidden = (room(width), room(width))
        self.bent, self.moved = room(actions), room(actions)
        self.heads = room(2 * actions)
        self.work = (room(width), room(width), room(2 * actions))

    def kept(self) -> tuple[Numbers, ...]:
        """Returns what `sample` leaves and `gradients` reads."""
        return *self.hidden, self.bent, self.moved, self.action

    def fitting(self, batch: int) -> _Tape:
        """Returns this tape, or a new one where the batch has another size."""
        rows, width, actions = self._sizes
        return self if batch == rows else _Tape(batch, width, actions)
