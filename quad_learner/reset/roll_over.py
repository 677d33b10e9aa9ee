"""Chooses the motion that rolls the body over next: by how it lies, and what the last came to."""

from __future__ import annotations

from quad_learner.reset.config import ResetConfig
from quad_learner.reset.motion import Keyframe, Motion
from quad_learner.reset.posture import Posture

_TURNS = 3
"""off a side each third motion is the one off a back: on soft ground the second often succeeds"""


class RollOver:
    """The roll-overs of one robot, from one fall until it stands."""

    def __init__(self, motion: Motion, config: ResetConfig) -> None:
        """Args:
        motion: poses for each way of lying.
        config: what counts as lying on the back.
        """
        self._motion = motion
        self._back_tilt = config.back_tilt
        self._on_back = False
        self.forget()

    def forget(self) -> None:
        """Begins as after the first fall."""
        self._other_way = False
        self._stuck_on_side = 0

    def choose(self, slant: Posture) -> tuple[tuple[Keyframe, ...], str]:
        """Returns the poses of the motion to begin now, none where there is none, and its name.

        Args:
            slant: how the body lies.
        """
        self._on_back = slant.tilt > self._back_tilt
        to_right = slant.lean > 0.0
        if self._on_back and self._other_way:
            to_right = not to_right
        where, way = ('back' if self._on_back else 'side'), ('right' if to_right else 'left')
        return self._frames(to_right), f'lies on its {where}, rolls by the {way} side'

    def ended(self, slant: Posture) -> str:
        """Returns what a motion that did not set the body upright has come to; '': go straight on.

        Args:
            slant: how the body lies now.
        """
        # From the same pose the same motion fails again: off a back there are two ways, off a
        # side that one, and the one off a back.
        stuck = self._on_back == (slant.tilt > self._back_tilt)
        self._other_way = self._on_back and stuck and not self._other_way
        in_a_row = self._stuck_on_side % _TURNS
        self._stuck_on_side = in_a_row + 1 if stuck and not self._on_back else 0
        if self._on_back and not stuck:
            return ''  # tucking its legs now often lets it fall back onto its back
        return 'rolled back to where it was' if stuck else 'rolled, not yet upright'

    def _frames(self, to_right: bool) -> tuple[Keyframe, ...]:
        moves = self._motion
        side = moves.from_side if to_right else moves.from_left_side
        back = moves.from_back if to_right else moves.from_left_back
        in_turn = self._stuck_on_side == _TURNS - 1
        return back if self._on_back or (in_turn and back) else side
