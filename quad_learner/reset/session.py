"""When reset asks safety to drive, and under which request number.

Reset asks when nobody drives and safety would listen. A request that was dropped, or that nobody
answered in time, is void: the next one carries a higher number.
"""

from __future__ import annotations

from dataclasses import dataclass

from quad_learner.robot.signals import JointCommand
from quad_learner.safety.modes import Authority, Mode

_LISTENING = (Mode.STANDBY, Mode.SOFT_STOP)
"""the modes in which safety grants a request"""


@dataclass(frozen=True)
class Turn:
    """What reset may do on this tick."""

    driving: bool
    request: int
    """the number to send; 0: no wish to drive"""


class Session:
    """Numbers the requests of reset and follows which of them safety has granted."""

    def __init__(self, first_request: int, grace: float) -> None:
        """Stores; nothing is asked yet.

        Args:
            first_request: the first number to ask with, > 0; after a restart of the process,
                higher than any that the last one used.
            grace: time that a request may stay unanswered [s], > 0.

        Raises:
            ValueError: `first_request` is not above 0.
        """
        if first_request <= 0:
            raise ValueError(
                f'first_request = {first_request} must be above 0: 0 means no wish to drive'
            )
        self._request = first_request
        self._grace = grace
        self._asked_for = 0.0
        self._granted = False

    def turn(self, executed: JointCommand | None, wanted: bool, dt: float) -> Turn:
        """Returns whether reset drives now, and the request to send.

        Args:
            executed: the last command that safety sent; None before the first.
            wanted: False while reset would rather rest.
            dt: time since the last call [s], >= 0.
        """
        if executed is None:
            return Turn(False, 0)
        if executed.authority is Authority.RESET:
            return self._others_or_mine(executed, wanted)
        if self._granted:
            self._renew(self._request)
        if executed.authority is not Authority.NOBODY or executed.mode not in _LISTENING:
            self._asked_for = 0.0
            return Turn(False, 0)
        if not wanted:
            return Turn(False, 0)
        self._asked_for += dt
        if self._asked_for > self._grace:
            self._renew(self._request)
        return Turn(False, self._request)

    def _others_or_mine(self, executed: JointCommand, wanted: bool) -> Turn:
        if executed.request == self._request:
            self._granted = True
            return Turn(wanted, self._request if wanted else 0)
        # A session of an earlier process, or one that has just been replaced.
        if executed.request > self._request:
            self._renew(executed.request)
        return Turn(False, self._request if wanted else 0)

    def _renew(self, last: int) -> None:
        self._request = last + 1
        self._asked_for = 0.0
        self._granted = False
