"""The learner's memory: steps in one contiguous table, the newest over the oldest.

A step is one row of float32, so that drawing a batch is one gather. What lies where in the table
is a function of the order of ingestion alone: rebuilt from the log, it is the same table.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quad_learner.experience.transition import Transition
from quad_learner.learning.mirror import Mirror

Table = NDArray[np.float32]


class Batch(NamedTuple):
    """Steps drawn together, (batch, …) each."""

    observation: Table
    action: Table
    reward: Table
    constraint: Table
    """upright margin f_s [rad]"""
    terminated: Table
    """1 where the future ended, else 0"""
    next_observation: Table


class Replay:
    """A ring of the last `capacity` steps."""

    def __init__(
        self, capacity: int, observation_size: int, action_size: int, mirror: Mirror | None
    ) -> None:
        """Args:
        capacity: steps held, > 0.
        observation_size: numbers in an observation.
        action_size: numbers in an action.
        mirror: shows the first half of each batch mirrored; None shows all as it was.

        Raises:
            ValueError: the mirror is for other sizes.
        """
        self._parts = _Parts.of(observation_size, action_size)
        self._rows = np.zeros((capacity, self._parts.width), np.float32)
        self._mirror = None if mirror is None else _row_mirror(mirror, self._parts)
        self.accepted = 0
        """steps ever taken in"""
        self.refused = 0
        """steps ever refused because a number was not finite or a length was wrong"""

    def __len__(self) -> int:
        return min(self.accepted, len(self._rows))

    def add(self, transition: Transition) -> bool:
        """Takes in one step; returns False, and counts it, when it is not fit to learn from."""
        parts = self._parts
        sizes = (transition.observation.size, transition.action.size)
        if (*sizes, transition.next_observation.size) != (
            parts.observations,
            parts.actions,
            parts.observations,
        ):
            self.refused += 1
            return False
        row = np.empty(parts.width, np.float32)
        row[parts.observation] = transition.observation
        row[parts.action] = transition.action
        row[parts.reward] = transition.reward
        row[parts.constraint] = transition.constraint
        row[parts.terminated] = transition.terminated
        row[parts.next_observation] = transition.next_observation
        if not np.isfinite(row).all():
            self.refused += 1
            return False
        self._rows[self.accepted % len(self._rows)] = row
        self.accepted += 1
        return True

    def sample(self, size: int, generator: np.random.Generator) -> Batch:
        """Returns `size` steps, each drawn uniformly from all that are held.

        Raises:
            ValueError: the replay is empty.
        """
        if not len(self):
            raise ValueError('replay: nothing to draw from; add steps before the first update')
        rows = self._rows[generator.integers(len(self), size=size)]
        if self._mirror is not None:
            index, sign = self._mirror
            half = size // 2
            rows[:half] = rows[:half, index] * sign
        parts = self._parts
        return Batch(
            observation=rows[:, parts.observation],
            action=rows[:, parts.action],
            reward=rows[:, parts.reward].copy(),
            constraint=rows[:, parts.constraint].copy(),
            terminated=rows[:, parts.terminated].copy(),
            next_observation=rows[:, parts.next_observation],
        )


class _Parts(NamedTuple):
    """Where each part of a step lies in its row."""

    observations: int
    actions: int
    observation: slice
    action: slice
    reward: int
    constraint: int
    terminated: int
    next_observation: slice
    width: int

    @classmethod
    def of(cls, observations: int, actions: int) -> _Parts:
        scalars = observations + actions
        successor = scalars + 3  # behind reward, constraint, terminated
        return cls(
            observations=observations,
            actions=actions,
            observation=slice(0, observations),
            action=slice(observations, scalars),
            reward=scalars,
            constraint=scalars + 1,
            terminated=scalars + 2,
            next_observation=slice(successor, successor + observations),
            width=successor + observations,
        )


def _row_mirror(mirror: Mirror, parts: _Parts) -> tuple[NDArray[np.intp], Table]:
    found = (mirror.observation_index.size, mirror.action_index.size)
    if found != (parts.observations, parts.actions):
        raise ValueError(
            f'replay: the mirror is for {found[0]} observations and {found[1]} actions; '
            f'the steps have {parts.observations} and {parts.actions}'
        )
    index = np.arange(parts.width)
    sign = np.ones(parts.width, np.float32)
    for part in (parts.observation, parts.next_observation):
        index[part] = part.start + mirror.observation_index
        sign[part] = mirror.observation_sign
    index[parts.action] = parts.action.start + mirror.action_index
    sign[parts.action] = mirror.action_sign
    return index, sign
