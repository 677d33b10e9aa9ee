"""How much of the robot's action box the policy may use: more while the constraint holds.

An untrained policy that may move each joint all the way learns first that throwing itself forward
pays for half a second. Within a small box it cannot fall that way and learns to step. The box
opens a little with each step on which the margin kept lately suffices and closes as much with each
on which it does not (growing boxes: Smith et al. 2023, APRL, arXiv 2310.17634; there by the step
count, here by the constraint).
"""

from __future__ import annotations

from collections.abc import Mapping


class BoxShare:
    """The share of the robot's `action_box` [rad] that is open, start … 1."""

    def __init__(self, start: float, opening: float) -> None:
        """Args:
        start: share open at the start, and the least ever, 0 < start <= 1.
        opening: share opened with each good step, closed with each bad one.
        """
        self._start = start
        self._opening = opening
        self.value = start

    def step(self, met: bool) -> None:
        """Follows one step of the robot.

        Args:
            met: the margin kept lately is at least the required one.
        """
        moved = self.value + (self._opening if met else -self._opening)
        self.value = min(max(moved, self._start), 1.0)

    def state(self) -> dict[str, float]:
        """Returns all that `restore` needs."""
        return {'value': self.value}

    def restore(self, state: Mapping[str, float]) -> None:
        """Takes up a state that `state` returned."""
        self.value = state['value']
