"""The critics' common face and the choice among kinds.

All members, those that value reward first and those that value the constraint after them, are one
stacked ensemble.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from quad_learner.learning.crossq import CrossQCritics
from quad_learner.learning.flat import Flat
from quad_learner.learning.layer_norm_critics import LayerNormCritics
from quad_learner.learning.learner_config import LearnerConfig


class Critics(Protocol):
    """An ensemble that values (observation, action). `members` is the leading dimension."""

    flat: Flat
    """what is learned"""

    def memory(self) -> dict[str, Tensor]:
        """Returns what is remembered beside it, by name: statistics or target weights."""
        ...

    def pair(self, now: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the values at two batches, (members, batch) each; only the first learns.

        Args:
            now: observation and action side by side, (batch, inputs).
            following: the same one step later, (batch, inputs).
        """
        ...

    def backward(self, slope: Tensor) -> None:
        """Writes the gradients into `flat`.

        Args:
            slope: d loss / d value of `pair`'s first batch, (members, batch).
        """
        ...

    def settle(self) -> None:
        """Ends an accepted step: takes up running statistics or moves target networks."""
        ...

    def probe(self, inputs: Tensor) -> Tensor:
        """Returns the values for the actor, (members, batch); nothing in the critics changes.

        Args:
            inputs: observation and action side by side, (batch, inputs).
        """
        ...

    def action_slope(self, slope: Tensor) -> Tensor:
        """Returns d loss / d action, (batch, actions), given d loss / d value of `probe`."""
        ...


def build(
    observation_size: int, action_size: int, config: LearnerConfig, generator: torch.Generator
) -> Critics:
    """Returns the ensemble of the configured kind."""
    if config.critic_kind == 'crossq':
        return CrossQCritics(observation_size, action_size, config, generator)
    return LayerNormCritics(observation_size, action_size, config, generator)
