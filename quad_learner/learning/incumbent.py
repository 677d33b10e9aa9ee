"""The policy to go back to after a fall: the last one that did well for a whole episode.

While the newest policy falls in one episode after the other, the robot learns little but falling.
So the one before drives the next episode, and the newest is tried again after it, with an
episode's updates more.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from quad_learner.experience.transition import Transition
from quad_learner.learning.actor import Actor
from quad_learner.learning.learner_config import LearnerConfig


class Incumbent:
    """Follows the robot's steps; keeps the policy that drove each good episode."""

    def __init__(self, rooms: tuple[Actor, Actor], least_steps: int, margin: float) -> None:
        """Args:
        rooms: actors of the same sizes, which are written over.
        least_steps: an episode as long makes a good one; 0: none ever does.
        margin: and this average margin of it, capped [rad].
        """
        self._given, self.actor = rooms
        """what was given to the robot last, and what is gone back to; this while `known`"""
        self._least_steps = least_steps
        self._least_margin = margin
        self.known = False
        """there is a policy to go back to"""
        self.drives = False
        """it is to drive now, not the newest"""
        self._steps = 0
        self._margin = 0.0

    def give(self, actor: Actor) -> None:
        """Remembers the policy that is given to the robot now."""
        _copy(actor, self._given)

    def follow(self, transition: Transition) -> None:
        """Takes in a step, its margin capped; decides at the end of an episode who drives next."""
        self._steps += 1
        self._margin += transition.constraint
        if transition.terminated:
            # Whoever fell does not drive the next one.
            self.known = self.known and not self.drives
            self.drives = self.known
        elif transition.truncated:
            if not self.drives and self._was_good():
                _copy(self._given, self.actor)
                self.known = True
            self.drives = False
        if transition.terminated or transition.truncated:
            self._steps, self._margin = 0, 0.0

    def _was_good(self) -> bool:
        long = 0 < self._least_steps <= self._steps
        return long and self._margin >= self._least_margin * self._steps

    def tensors(self) -> dict[str, Tensor]:
        """Returns both policies by name; not copies."""
        both = {'given': self._given, 'kept': self.actor}
        return {f'{name}.{part}': t for name, a in both.items() for part, t in _tensors(a).items()}

    def state(self) -> dict[str, float]:
        """Returns all but the tensors that `restore` needs."""
        return {
            'known': self.known,
            'drives': self.drives,
            'given_box': self._given.box,
            'box': self.actor.box,
            'steps': self._steps,
            'margin': self._margin,
        }

    def restore(self, state: Mapping[str, float]) -> None:
        """Takes up a state that `state` returned."""
        self.known, self.drives = bool(state['known']), bool(state['drives'])
        self._given.box, self.actor.box = state['given_box'], state['box']
        self._steps, self._margin = int(state['steps']), state['margin']


def incumbent_of(observation_size: int, action_size: int, config: LearnerConfig) -> Incumbent:
    """Returns the incumbent as configured: without the constraint none is ever gone back to."""
    sizes = observation_size, action_size
    given, kept = (Actor(*sizes, config, torch.Generator()) for _ in range(2))
    steps = config.fall_back_steps if config.constrained else 0
    return Incumbent((given, kept), steps, config.margin_required_rad)


def _tensors(actor: Actor) -> dict[str, Tensor]:
    return {'vector': actor.flat.vector, 'shift': actor.shift, 'scale': actor.scale}


@torch.no_grad()
def _copy(source: Actor, target: Actor) -> None:
    for name, tensor in _tensors(target).items():
        tensor.copy_(_tensors(source)[name])
    target.box = source.box
