"""A trial: for its first steps a policy has only a share of the actions that are open.

An action within a smaller box bends every joint less far from the pose that it stands in, so a
policy that is worse than it seemed shows it in smaller motions. The learner tries what it gives
away, whoever drives what was learned tries what it was given.
"""

from __future__ import annotations

from quad_learner.safety.modes import Reason

OWN_TRIPS = Reason.TILT | Reason.OVER_SPEED | Reason.TARGET_INVALID
"""stops that are a policy's doing: heat, battery, sensors and people are not"""


class Trial:
    """Counts the steps of one trial after the other."""

    def __init__(self, steps: int, share: float) -> None:
        """Args:
        steps: how long a trial is; 0: there is none.
        share: of the actions that is open meanwhile, 0 … 1.
        """
        self._steps = steps
        self._share = share
        self.left = 0
        """steps to go; 0: no trial is on"""

    @property
    def share(self) -> float:
        """Of the actions that is open now: 1 unless a trial is on."""
        return self._share if self.left > 0 else 1.0

    def begin(self) -> None:
        """Begins a trial, or the one that is on anew."""
        self.left = self._steps

    def step(self) -> None:
        """Follows a step of whoever is tried."""
        self.left = max(0, self.left - 1)
