"""The learner's memory: steps in one ring of rows, the newest over the oldest.

A row is one observation and what was done there, so the observation after a step is the row below
and is kept once. Where a run of steps breaks off (the episode ended, a step was lost or refused)
the last observation has a row that is no step and is never drawn. Observations are kept in half
precision, everything else in single. What lies where is a function of the order of ingestion
alone: rebuilt from the log, it is the same table.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quad_learner.experience.transition import Transition, Vector
from quad_learner.learning.mirror import Mirror
from quad_learner.learning.replay_kernel import FELL, GOES_ON, NO_STEP, gather

Table = NDArray[np.float32]
Index = NDArray[np.uint32]

HALF_MAX, SINGLE_MAX = float(np.finfo(np.float16).max), float(np.finfo(np.float32).max)
"""The largest numbers that can be kept: 65504 of an observation, far outside what a task shows."""

STEPS_PER_SPARE = 8
"""One row more for so many steps: room for the ends of runs of 0.2 s on average, at 40 steps/s."""


class Batch(NamedTuple):
    """Steps drawn together, (batch, …) each. k is `Horizon.steps`, or fewer to the run's end."""

    observation: Table
    action: Table
    reward: Table
    """of the k steps from `observation` on, discounted"""
    constraint: Table
    """upright margin f_s of the same steps, discounted [rad]"""
    terminated: Table
    """1 where the future ended, else 0"""
    discount: Table
    """γ^k: what the reward after `next_observation` counts"""
    safety_discount: Table
    """γ_s^k: what the margin after it counts"""
    next_observation: Table
    """after the k-th step"""


class Horizon(NamedTuple):
    """How far a step that is drawn looks ahead."""

    steps: int
    """> 0; 1: the step alone"""
    discount: float
    """γ"""
    safety_discount: float
    """γ_s"""


class Replay:
    """A ring of the last `capacity` steps. All its memory is taken, and touched, at the start.

    It holds fewer steps while their runs last less than `STEPS_PER_SPARE` steps on average.
    """

    def __init__(
        self,
        capacity: int,
        observation_size: int,
        action_size: int,
        mirror: Mirror | None,
        horizon: Horizon,
    ) -> None:
        """Args:
        capacity: steps held, > 0.
        observation_size: numbers in an observation.
        action_size: numbers in an action.
        mirror: shows the first half of each batch mirrored; None shows all as it was.
        horizon: how far a step looks ahead.

        Raises:
            ValueError: the mirror is for other sizes.
        """
        self._sizes = (observation_size, action_size)
        self._mirror = _parts(mirror, observation_size, action_size)
        self._mirrors = mirror is not None
        self._horizon = horizon
        self._first_action = (observation_size + 1) // 2  # two halves in a float's place
        width = self._first_action + action_size + 3
        rows = capacity + capacity // STEPS_PER_SPARE + 2  # a lone step and its end have room
        self._rows = np.full((rows, width), NO_STEP, np.float32)
        self._bits = self._rows.view(np.uint16)
        self._halves = self._rows.view(np.float16)[:, :observation_size]
        self._row_of = np.full(capacity, 0, np.int32)
        """of the n-th step ever taken in, at n % capacity"""
        self._oldest = 0
        """number of the oldest step held"""
        self._newest_row = 0
        """holds the observation after the newest step"""
        self._expected: tuple[int, int] | None = None
        """sequence and episode of a step that would go on from there"""
        self.accepted = 0
        """steps ever taken in"""
        self.refused = 0
        """steps ever refused because a number was not finite or a length was wrong"""
        self.largest_reward = self.largest_margin = 0.0
        """by size, of all steps ever taken in"""

    def __len__(self) -> int:
        return self.accepted - self._oldest

    @property
    def memory_bytes(self) -> int:
        """All that it ever takes [bytes]."""
        return self._rows.nbytes + self._row_of.nbytes

    def add(self, transition: Transition) -> bool:
        """Takes in one step; returns False, and counts it, when it is not fit to learn from."""
        if not self._is_fit(transition):
            self.refused += 1
            return False
        if not self._goes_on(transition):
            self._begin_row(transition.observation)
        row = self._rows[self._newest_row, self._first_action :]
        row[:-3] = transition.action
        row[-3:-1] = transition.reward, transition.constraint
        row[-1] = FELL if transition.terminated else GOES_ON
        capacity = len(self._row_of)
        self._oldest = max(self._oldest, self.accepted + 1 - capacity)
        self._row_of[self.accepted % capacity] = self._newest_row
        self.accepted += 1
        self.largest_reward = max(self.largest_reward, abs(transition.reward))
        self.largest_margin = max(self.largest_margin, abs(transition.constraint))
        self._begin_row(transition.next_observation)
        ended = transition.terminated or transition.truncated
        self._expected = None if ended else (transition.sequence + 1, transition.episode)
        return True

    def sample(self, size: int, generator: np.random.Generator) -> Batch:
        """Returns `size` steps, each drawn uniformly from all that are held.

        Raises:
            ValueError: the replay is empty.
        """
        if not len(self):
            raise ValueError('replay: nothing to draw from; add steps before the first update')
        observations, actions = self._sizes
        observation = np.empty((size, observations), np.float32)
        action = np.empty((size, actions), np.float32)
        columns = np.empty((5, size), np.float32)
        next_observation = np.empty((size, observations), np.float32)
        gather(
            self._rows,
            self._bits,
            self._row_of,
            self._oldest + generator.integers(len(self), size=size),
            size // 2 if self._mirrors else 0,
            *self._mirror,
            *self._horizon,
            observation,
            action,
            columns,
            next_observation,
        )
        reward, constraint, terminated, discount, safety_discount = columns
        return Batch(
            observation,
            action,
            reward,
            constraint,
            terminated,
            discount,
            safety_discount,
            next_observation,
        )

    def _is_fit(self, transition: Transition) -> bool:
        observations, actions = self._sizes
        seen, done = (transition.observation, transition.next_observation), transition.action
        if [part.size for part in (*seen, done)] != [observations, observations, actions]:
            return False
        # A comparison with what is not a number is false.
        return bool(
            np.abs(np.concatenate(seen)).max() <= HALF_MAX
            and np.abs(done).max() <= SINGLE_MAX
            and abs(transition.reward) <= SINGLE_MAX
            and abs(transition.constraint) <= SINGLE_MAX
        )

    def _goes_on(self, transition: Transition) -> bool:
        """Returns whether the step begins with just the observation that the last one led to."""
        return (transition.sequence, transition.episode) == self._expected and np.array_equal(
            self._halves[self._newest_row], transition.observation.astype(np.float16)
        )

    def _begin_row(self, observation: Vector) -> None:
        """Takes the place of the oldest row, and with it of the step that it may be."""
        row = (self._newest_row + 1) % len(self._rows)
        if len(self) and self._row_of[self._oldest % len(self._row_of)] == row:
            self._oldest += 1
        self._halves[row] = observation
        self._rows[row, -1] = NO_STEP
        self._newest_row = row


def _parts(
    mirror: Mirror | None, observations: int, actions: int
) -> tuple[Index, Table, Index, Table]:
    """Returns a mirror's parts as the kernel wants them."""
    if mirror is None:
        mirror = Mirror(
            np.arange(observations),
            np.ones(observations, np.float32),
            np.arange(actions),
            np.ones(actions, np.float32),
        )
    found = (mirror.observation_index.size, mirror.action_index.size)
    if found != (observations, actions):
        raise ValueError(
            f'replay: the mirror is for {found[0]} observations and {found[1]} actions; '
            f'the steps have {observations} and {actions}'
        )
    return (
        mirror.observation_index.astype(np.uint32),
        mirror.observation_sign,
        mirror.action_index.astype(np.uint32),
        mirror.action_sign,
    )
