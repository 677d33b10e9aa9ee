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

from quad_learner.experience.steps import Steps
from quad_learner.experience.transition import Transition
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.learning.mirror import Mirror
from quad_learner.learning.replay_kernel import (
    ACCEPTED,
    FELL,
    GOES_ON,
    NO_STEP,
    NONE_EXPECTED,
    OLDEST,
    gather,
    take_in,
)

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
        self._row_of = np.full(capacity, 0, np.int32)
        """of the n-th step ever taken in, at n % capacity"""
        self._ring = np.array((0, 0, 0, NONE_EXPECTED, 0), np.int64)
        """what the kernel remembers"""
        self.refused = 0
        """steps ever refused because a number was not finite or a length was wrong"""
        self.largest_reward = self.largest_margin = 0.0
        """by size, of all steps ever taken in"""

    def __len__(self) -> int:
        return self.accepted - self._oldest

    @property
    def accepted(self) -> int:
        """Steps ever taken in."""
        return int(self._ring[ACCEPTED])

    @property
    def _oldest(self) -> int:
        return int(self._ring[OLDEST])

    @property
    def memory_bytes(self) -> int:
        """All that it ever takes [bytes]."""
        return self._rows.nbytes + self._row_of.nbytes

    def add(self, transition: Transition) -> bool:
        """Takes in one step; returns False, and counts it, when it is not fit to learn from."""
        observations, actions = self._sizes
        seen, done = (transition.observation, transition.next_observation), transition.action
        if [part.size for part in (*seen, done)] != [observations, observations, actions]:
            self.refused += 1
            return False
        return self.add_all(Steps.of((transition,))) == 1

    def add_all(self, steps: Steps) -> int:
        """Takes in steps of the right sizes in their order, as `add` does; returns how many."""
        fit = self._fit(steps)
        if not fit.all():
            self.refused += int(len(fit) - fit.sum())
            steps = steps[fit]
        if not len(steps):
            return 0
        done = np.empty((len(steps), self._sizes[1] + 3), np.float32)
        done[:, :-3] = steps.action
        done[:, -3], done[:, -2] = steps.reward, steps.constraint
        done[:, -1] = np.where(steps.terminated, FELL, GOES_ON)
        take_in(
            self._rows,
            self._bits,
            self._row_of,
            self._ring,
            steps.sequence,
            steps.episode,
            steps.terminated | steps.truncated,
            _half_bits(steps.observation),
            done,
            _half_bits(steps.next_observation),
        )
        self.largest_reward = max(self.largest_reward, _largest(steps.reward))
        self.largest_margin = max(self.largest_margin, _largest(steps.constraint))
        return len(steps)

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

    def recent(self, size: int, stride: int = 1) -> Table:
        """Returns what was seen before every `stride`-th of the last steps.

        Nothing is drawn by chance. (At most `size`, observations), the newest step last.
        """
        first = max(self._oldest, self.accepted - size * stride)
        numbers = np.arange(self.accepted - 1, first - 1, -stride)[::-1]
        seen = self._bits[self._row_of[numbers % len(self._row_of)], : self._sizes[0]]
        return seen.view(np.float16).astype(np.float32)

    @staticmethod
    def _fit(steps: Steps) -> NDArray[np.bool_]:
        """Returns which steps hold nothing but numbers that can be kept."""
        # A comparison with what is not a number is false.
        fit: NDArray[np.bool_] = np.abs(steps.observation).max(1) <= HALF_MAX
        fit &= np.abs(steps.next_observation).max(1) <= HALF_MAX
        fit &= np.abs(steps.action).max(1) <= SINGLE_MAX
        fit &= np.abs(steps.reward) <= SINGLE_MAX
        fit &= np.abs(steps.constraint) <= SINGLE_MAX
        return fit


def replay_of(
    observation_size: int, action_size: int, config: LearnerConfig, mirror: Mirror | None
) -> Replay:
    """Returns the replay as configured.

    Args:
        observation_size: numbers in an observation.
        action_size: numbers in an action.
        config: how to learn.
        mirror: the robot's left-right symmetry, used when `config.mirror` is on.
    """
    shown = mirror if config.mirror else None
    horizon = Horizon(config.n_step, config.discount, config.safety_discount)
    return Replay(config.replay_capacity, observation_size, action_size, shown, horizon)


def _half_bits(observation: Table) -> NDArray[np.uint16]:
    return observation.astype(np.float16, order='C').view(np.uint16)


def _largest(numbers: NDArray[np.float64]) -> float:
    return float(np.abs(numbers).max())


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
