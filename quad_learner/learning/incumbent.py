"""Who drives: the newest policy, or the last one that did well for a whole episode.

An episode of the newest that is long enough and keeps the margin makes the one that drove its last
step the incumbent. One that ends in a fall, or in a trip that is the policy's own doing, is a step
back: the incumbent drives the next episode, while the learner goes on, and only then the newest is
tried again. Where falls come more often than they did when the incumbent became it, the newest
waits for more updates before that. An incumbent that falls itself is forgotten.

A trial is the time in which the newest has a share of the incumbent's box: the first steps that it
drives after a step back, after a restart of the run, and after it became another than the one that
drove.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from quad_learner.experience.transition import Transition
from quad_learner.learning.actor import Actor
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.policy.trial import OWN_TRIPS, Trial

NEVER_GIVEN = -1
"""version of a policy that the robot was not given"""


@dataclass(frozen=True)
class Rules:
    """Who becomes the incumbent, and when and for how long it drives again."""

    good_steps: int
    """an episode as long makes a policy the incumbent; 0: none ever does"""
    good_margin: float
    """and this average margin of it, capped [rad]"""
    trial_steps: int
    """driven by the newest in a trial; 0: there is none"""
    trial_share: float
    """of the incumbent's box that is open meanwhile"""
    window: int
    """episodes of the newest in which falls and own trips are counted; 0: each by itself"""
    wait_updates: int
    """to be made before the next trial, for each fall after the first by which they have risen"""


@dataclass(frozen=True)
class _Given:
    """A policy as the robot was given it."""

    actor: Actor
    version: int
    in_trial: bool


class Incumbent:
    """Follows the robot's steps; keeps the policy that drove each good episode to its end."""

    def __init__(self, rooms: tuple[Actor, Actor, Actor, Actor], rules: Rules) -> None:
        """Args:
        rooms: actors of the same sizes, which are written over.
        rules: as above.
        """
        given, before, self.actor, self._proposed = rooms
        """what is gone back to, while `known`, and what was proposed last"""
        self._given = _Given(given, NEVER_GIVEN, in_trial=False)
        self._before = _Given(before, NEVER_GIVEN, in_trial=False)
        """one that is given while it walks drives some steps later"""
        self._rules = rules
        self.trial = Trial(rules.trial_steps, rules.trial_share)
        """of the newest: it goes on only while that drives"""
        self._proposed_in_trial = False
        self.known = False
        """there is a policy to go back to"""
        self.drives = False
        """it is to drive now, not the newest"""
        self.rolled_back = 0
        """times that it took over from the newest"""
        self.refused = 0
        """newer policies that were not let drive"""
        self.refusal = ''
        """why the newest was not; empty where it was"""
        self._waits_until = 0
        """updates, until which the newest is not tried again"""
        self._falls: deque[bool] = deque(maxlen=rules.window)
        """whether each of the newest's last episodes ended in one, or in a trip of its own"""
        self._falls_then = 0
        """how many of them did when the incumbent became it"""
        self._steps = 0
        self._margin = 0.0

    @property
    def given(self) -> Actor:
        """What was given to the robot last."""
        return self._given.actor

    @property
    def in_trial(self) -> bool:
        """The newest drives, and only with a share of the box."""
        return self.trial.left > 0 and not self.drives

    def propose(self, actor: Actor) -> Actor:
        """Returns `actor` as it may drive now: a copy, its box no wider than a trial allows."""
        _copy(actor, self._proposed)
        self._proposed_in_trial = self.in_trial
        if self.in_trial:
            whole = self.actor.box if self.known else actor.box
            self._proposed.box = min(actor.box, self.trial.share * whole)
        return self._proposed

    def accept(self, version: int) -> None:
        """Remembers that the robot is given what was proposed last, as this `version`."""
        room = self._before.actor
        self._before = self._given
        self._given = _Given(self._proposed, version, self._proposed_in_trial)
        self._proposed = room

    def give_again(self, version: int) -> None:
        """Remembers that what was given last goes out once more, as this `version`."""
        self._given = replace(self._given, version=version)

    def refuse(self, why: str) -> None:
        """Counts a policy that is not let drive; what was given last drives on."""
        self.refused += 1
        self.refusal = why

    def follow(self, transition: Transition, updates: int) -> None:
        """Takes in a step; at the end of an episode decides who drives next.

        Args:
            transition: the step, its margin capped.
            updates: made so far.
        """
        self._steps += 1
        self._margin += transition.constraint
        if not self.drives:
            self.trial.step()
        if not (transition.terminated or transition.truncated):
            return
        fell = transition.terminated or bool(transition.reasons & OWN_TRIPS)
        if not self.drives:
            self._falls.append(fell)
        if fell:
            self._step_back(updates)
        else:
            self._go_on(updates, transition.policy_version)
        self._steps, self._margin = 0, 0.0

    def _step_back(self, updates: int) -> None:
        """Follows a fall: whoever fell does not drive the next episode."""
        self.known = self.known and not self.drives
        self.drives = self.known
        if self.drives:
            self.rolled_back += 1
            risen = sum(self._falls) - self._falls_then
            self._waits_until = updates + self._rules.wait_updates * max(0, risen - 1)
        if self.drives or self.trial.left > 0:
            self.trial.begin()

    def _go_on(self, updates: int, version: int) -> None:
        """Follows an episode without one, which this `version` drove to its end."""
        if self.drives:
            self.drives = updates < self._waits_until
        elif self._was_good():
            drove = next((g for g in (self._given, self._before) if g.version == version), None)
            # What did well in a share of the box has not shown how it does in all of it.
            if drove is not None and not drove.in_trial:
                _copy(drove.actor, self.actor)
                self.known = True
                self._falls_then = sum(self._falls)

    def _was_good(self) -> bool:
        long = 0 < self._rules.good_steps <= self._steps
        return long and self._margin >= self._rules.good_margin * self._steps

    def tensors(self) -> dict[str, Tensor]:
        """Returns the policies by name; not copies."""
        all_of = {'given': self.given, 'before': self._before.actor, 'kept': self.actor}
        return {f'{name}.{p}': t for name, a in all_of.items() for p, t in _tensors(a).items()}

    def state(self) -> dict[str, Any]:
        """Returns all but the tensors that `restore` needs."""
        return {
            'known': self.known,
            'drives': self.drives,
            'rolled_back': self.rolled_back,
            'refused': self.refused,
            'waits_until': self._waits_until,
            'falls': list(self._falls),
            'falls_then': self._falls_then,
            'trial_left': self.trial.left,
            'given': _about(self._given),
            'before': _about(self._before),
            'box': self.actor.box,
            'steps': self._steps,
            'margin': self._margin,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes up a state that `state` returned."""
        self.known, self.drives = bool(state['known']), bool(state['drives'])
        self.rolled_back, self.refused = int(state['rolled_back']), int(state['refused'])
        self._waits_until, self._falls_then = int(state['waits_until']), int(state['falls_then'])
        self.trial.left = int(state['trial_left'])
        self._given = _as_told(self.given, state['given'])
        self._before = _as_told(self._before.actor, state['before'])
        self._falls = deque(map(bool, state['falls']), maxlen=self._rules.window)
        self.actor.box = state['box']
        self._steps, self._margin = int(state['steps']), state['margin']


def incumbent_of(observation_size: int, action_size: int, config: LearnerConfig) -> Incumbent:
    """Returns the incumbent as configured: without the constraint none is ever gone back to."""
    sizes = observation_size, action_size
    given, before, kept, proposed = (Actor(*sizes, config, torch.Generator()) for _ in range(4))
    rules = Rules(
        good_steps=config.fall_back_steps if config.constrained else 0,
        good_margin=config.margin_required_rad,
        trial_steps=config.trial_steps,
        trial_share=config.trial_share,
        window=config.fall_back_window,
        wait_updates=config.fall_back_updates,
    )
    return Incumbent((given, before, kept, proposed), rules)


def _about(given: _Given) -> dict[str, Any]:
    return {'version': given.version, 'in_trial': given.in_trial, 'box': given.actor.box}


def _as_told(actor: Actor, state: Mapping[str, Any]) -> _Given:
    actor.box = state['box']
    return _Given(actor, int(state['version']), bool(state['in_trial']))


def _tensors(actor: Actor) -> dict[str, Tensor]:
    return {'vector': actor.flat.vector, 'shift': actor.shift, 'scale': actor.scale}


@torch.no_grad()
def _copy(source: Actor, target: Actor) -> None:
    for name, tensor in _tensors(target).items():
        tensor.copy_(_tensors(source)[name])
    target.box = source.box
