"""How many updates are owed: so many a step, none before warm-up, no burst after a pause."""

from __future__ import annotations

from quad_learner.learning.learner_config import LearnerConfig


class Pace:
    """Counts steps taken in and updates done."""

    def __init__(
        self,
        warmup_steps: int,
        updates_per_step: float,
        backlog_max: int,
        eager_steps: int = 0,
        eager_updates: float = 0.0,
    ) -> None:
        """Args:
        warmup_steps: steps before the first update is owed.
        updates_per_step: updates owed for each step after them.
        backlog_max: most updates ever owed at once.
        eager_steps: steps of the run, from its beginning, that owe more.
        eager_updates: how much more, each.
        """
        self._eager_steps = eager_steps
        self._eager_updates = eager_updates
        self._warmup_steps = warmup_steps
        self._updates_per_step = updates_per_step
        self._backlog_max = backlog_max
        self.steps = 0
        """steps taken in over the whole run"""
        self.owed = 0.0
        """updates owed, a whole number and the fraction towards the next"""

    @property
    def due(self) -> int:
        """Whole updates owed now."""
        return int(self.owed)

    def step(self) -> None:
        """Counts a step."""
        self.steps += 1
        if self.steps <= self._warmup_steps:
            return
        more = self._eager_updates if self.steps <= self._eager_steps else 0.0
        self.owed = min(self.owed + self._updates_per_step + more, float(self._backlog_max))

    def done(self) -> None:
        """Counts an update done, owed or not."""
        self.owed = max(self.owed - 1.0, 0.0)

    def forgive(self) -> None:
        """Forgets what is owed: after a restart nobody waits for it."""
        self.owed = 0.0


def pace_of(config: LearnerConfig) -> Pace:
    """Returns the pace as configured."""
    return Pace(
        config.warmup_steps,
        config.updates_per_step,
        config.backlog_max,
        config.eager_steps,
        config.eager_updates,
    )
