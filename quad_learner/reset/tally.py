"""Counts resets: how many began, stood or gave up, and how long the last one took."""

from __future__ import annotations

from quad_learner.reset.state import State
from quad_learner.robot.signals import NANOSECONDS


class Tally:
    """Fed with the get-up's state once a decision."""

    def __init__(self) -> None:
        self.finished = 0
        """resets that ended on the feet"""
        self.failed = 0
        """resets that gave up"""
        self.duration_s = 0.0
        """of the last reset that ended [s]"""
        self._state = State.WAIT
        self._began_ns: int | None = None

    def update(self, state: State, time_ns: int, handed_over: bool) -> None:
        """Takes the state of the decision at `time_ns` [ns].

        Args:
            state: of the get-up.
            time_ns: of the decision [ns].
            handed_over: policy drives: where reset drove before, the robot stood well enough.
        """
        if state is self._state:
            return
        self._state = state
        if state is State.WAIT:
            if handed_over:
                self._end(State.READY, time_ns)
            self._began_ns = None
        elif state is State.REST:
            self._began_ns = None
        elif state in (State.READY, State.GIVE_UP):
            self._end(state, time_ns)
        elif self._began_ns is None:
            self._began_ns = time_ns

    def _end(self, state: State, time_ns: int) -> None:
        if self._began_ns is None:
            return
        self.duration_s = (time_ns - self._began_ns) / NANOSECONDS
        self._began_ns = None
        if state is State.READY:
            self.finished += 1
        else:
            self.failed += 1
