"""Chooses the motion that rolls the body over next: by how it lies, and what the last came to."""

from __future__ import annotations

from quad_learner.reset.config import ResetConfig
from quad_learner.reset.motion import Keyframe, Motion
from quad_learner.reset.posture import Posture

_Way = tuple[tuple[Keyframe, ...], bool]
"""a motion, and whether it goes by the right side"""


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
        self._tried = {True: 0, False: 0}
        """motions that have begun on the back, and on a side"""

    def choose(self, slant: Posture) -> tuple[tuple[Keyframe, ...], str]:
        """Returns the poses of the motion to begin now, none where there is none, and its name.

        Args:
            slant: how the body lies.
        """
        self._on_back = slant.tilt > self._back_tilt
        # Where it lies so once more, what was tried before has failed, and is likely to again.
        ways = self._off_back(slant) if self._on_back else self._off_side(slant)
        frames, to_right = ways[self._tried[self._on_back] % len(ways)]
        self._tried[self._on_back] += 1
        where, way = ('back' if self._on_back else 'side'), ('right' if to_right else 'left')
        return frames, f'lies on its {where}, rolls by the {way} side'

    def ended(self, slant: Posture) -> str:
        """Returns what a motion that did not set the body upright has come to; '': go straight on.

        Args:
            slant: how the body lies now.
        """
        stuck = self._on_back == (slant.tilt > self._back_tilt)
        if self._on_back and not stuck:
            return ''  # tucking its legs now often lets it fall back onto its back
        return 'rolled back to where it was' if stuck else 'rolled, not yet upright'

    def _off_back(self, slant: Posture) -> list[_Way]:
        """Returns the motions to be tried in turn: by the side it leans to, and by the other."""
        moves = self._motion
        right = [(moves.from_back, True), (moves.from_back_again, True)]
        left = [(moves.from_left_back, False), (moves.from_left_back_again, False)]
        ways = right + left if slant.lean > 0.0 else left + right
        return [way for way in ways if way[0]] or ways[:1]

    def _off_side(self, slant: Posture) -> list[_Way]:
        """Returns the motions to be tried in turn: the one off a side, twice, and off a back."""
        moves, right = self._motion, slant.lean > 0.0
        side = moves.from_side if right else moves.from_left_side
        back = moves.from_back if right else moves.from_left_back
        return [(side, right), (side, right), (back or side, right)]
