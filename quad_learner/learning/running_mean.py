"""The mean of what was seen lately."""

from __future__ import annotations


class RunningMean:
    """A plain mean of the first `memory` numbers, an exponentially forgetting one afterwards."""

    def __init__(self, memory: int) -> None:
        """Args:
        memory: numbers after which old ones begin to fade, > 0.
        """
        self._memory = memory
        self.count = 0
        """numbers seen"""
        self.value = 0.0
        """the mean, 0 before the first number"""

    def observe(self, number: float) -> None:
        """Takes `number` into the mean."""
        self.count += 1
        self.value += (number - self.value) / min(self.count, self._memory)

    def state(self) -> dict[str, float]:
        """Returns all that `restore` needs."""
        return {'count': float(self.count), 'value': self.value}

    def restore(self, state: dict[str, float]) -> None:
        """Takes up a state that `state` returned."""
        self.count = int(state['count'])
        self.value = state['value']
