"""Many steps at once: what is learned from, column by column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quad_learner.experience.transition import Transition

Table = NDArray[np.float32]
Whole = NDArray[np.int64]
Real = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Steps:
    """Transitions in the order taken, one a row; the names mean what they mean there."""

    sequence: Whole
    """(steps,)"""
    episode: Whole
    """(steps,)"""
    task: Whole
    """(steps,)"""
    policy_version: Whole
    """(steps,)"""
    observation: Table
    """(steps, observations)"""
    action: Table
    """(steps, actions)"""
    reward: Real
    """(steps,)"""
    constraint: Real
    """(steps,) [rad]"""
    next_observation: Table
    """(steps, observations)"""
    terminated: Flags
    """(steps,)"""
    truncated: Flags
    """(steps,)"""

    def __len__(self) -> int:
        return len(self.sequence)

    def __getitem__(self, rows: Any) -> Steps:
        """Returns the steps that numpy would choose by `rows` of each column."""
        return Steps(**{name: column[rows] for name, column in vars(self).items()})

    @classmethod
    def of(cls, transitions: Sequence[Transition]) -> Steps:
        """Returns `transitions`, at least one and all of one size, as columns."""

        def column(name: str, dtype: Any = None) -> NDArray[Any]:
            return np.array([getattr(each, name) for each in transitions], dtype)

        whole, real, flag = np.int64, np.float64, np.bool_
        return cls(
            sequence=column('sequence', whole),
            episode=column('episode', whole),
            task=column('task', whole),
            policy_version=column('policy_version', whole),
            observation=column('observation'),
            action=column('action'),
            reward=column('reward', real),
            constraint=column('constraint', real),
            next_observation=column('next_observation'),
            terminated=column('terminated', flag),
            truncated=column('truncated', flag),
        )
