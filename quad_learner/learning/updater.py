"""What the learner asks of whoever computes its updates, and what it gives him.

`compiled_updater.CompiledUpdater` does it on one core of the processor,
`device_updater.DeviceUpdater` on a GPU.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import torch

from quad_learner.learning.actor import Actor
from quad_learner.learning.critics import Critics
from quad_learner.learning.flat import FlatAdam, Numbers
from quad_learner.learning.update_metrics import ActorLosses, CriticLosses

VALUE_SLACK = 10.0
"""So many times what the largest reward for ever is worth: honest critics err by less."""


class Parts(NamedTuple):
    """What learns, and the chance in it."""

    actor: Actor
    critics: Critics
    actor_adam: FlatAdam
    critic_adam: FlatAdam
    numpy_generator: np.random.Generator
    """of the noise of actions"""
    torch_generator: torch.Generator
    """of dropped units"""


class Batch(NamedTuple):
    """A batch on its way through an update; observations are normalised."""

    now: Numbers
    """observation and action side by side, (batch, inputs)"""
    following: Numbers
    """the same some steps later; which action, the policy is to say"""
    reward: Numbers
    constraint: Numbers
    terminated: Numbers
    discount: Numbers
    safety_discount: Numbers


class Terms(NamedTuple):
    """What an update goes by beside its batch, and what no update of a network moves."""

    temperature: float
    """α"""
    multiplier: float
    """λ, 0 while unconstrained"""
    reward_center: float
    """what the average step is worth for ever, 0 where values are not centred"""
    margin_center: float
    """the same in margin [rad]"""
    largest_reward: float
    """by size, that a step may bring"""
    largest_margin: float
    """by size, that a step or a fall may bring [rad]"""


class Updater(Protocol):
    """Computes updates of `Parts`, here or elsewhere."""

    def update_critics(self, batch: Batch, terms: Terms) -> tuple[CriticLosses, bool]:
        """Moves every critic towards its target; returns their losses and whether they moved.

        They do not if their gradient is not finite, or a value is more than rewards add up to.
        """
        ...

    def update_actor(self, batch: Batch, terms: Terms) -> tuple[ActorLosses, bool]:
        """Moves the policy up Q_r + λ Q_s + α entropy; not if its gradient is not finite.

        The policy's actions may take the place of the batch's own.
        """
        ...

    def fetch(self) -> None:
        """Brings what was learned into `Parts`, where it is elsewhere."""
        ...

    def push(self) -> None:
        """Goes on from what `Parts` hold: they were changed from outside."""
        ...


def noise(parts: Parts, rows: int) -> Numbers:
    """Returns standard normal noise for the actions of a batch, (rows, actions)."""
    return parts.numpy_generator.standard_normal((rows, parts.actor.actions), np.float32)
