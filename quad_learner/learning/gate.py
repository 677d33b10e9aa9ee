"""Is the newest policy as good as the incumbent? Asked of the critics before it drives. And is it
another than the one that drove last? Such a one is to be tried first.

How much better one policy does than another in the long run is the mean advantage of its actions
over the other's, where the other goes (performance difference lemma: Kakade & Langford 2002,
"Approximately optimal approximate reinforcement learning"). With the critics' Q, which is that of
the newest policy, and the states of the log, of which most of late are the incumbent's or those of
policies like it,

    J(newest) − J(incumbent) ≈ mean over s of Q(s, newest(s)) − Q(s, incumbent(s))

where J is the average reward of a step, or the average margin of one [rad]. It is a direct method:
no step is weighed by how likely it was, for the density it was chosen with is not in the log. The
critics judge the policy that was taught by them, so it errs to the newest one's favour: what it
refuses is bad by the critics' own word, what it lets pass may still fall.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from quad_learner.learning.actor import Actor
from quad_learner.learning.critics import Critics
from quad_learner.learning.flat import Numbers
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.learning.pessimism import MINIMUM, pessimistic
from quad_learner.learning.replay import Replay

STRIDE = 4
"""every so many of the last steps: neighbours are alike; a batch of 128 spans 13 s at 40 Hz"""


class Lead(NamedTuple):
    """By how much the newest policy does better than the incumbent; below 0: worse."""

    reward: float
    """on average, a step"""
    margin: float
    """on average [rad], by the members' cautious value"""


class Gate:
    """Compares policies. Draws nothing by chance and changes nothing that learns."""

    def __init__(self, observation_size: int, action_size: int, config: LearnerConfig) -> None:
        self._config = config
        self._observation_size = observation_size
        self._room = np.zeros((config.batch_size, observation_size + action_size), np.float32)

    def objection(self, lead: Lead) -> str:
        """Returns why the newest policy must not drive; empty if it may."""
        config = self._config
        if not lead.margin >= -config.gate_margin_rad:
            return f'the safety critics put it {-lead.margin:.3g} rad below the incumbent'
        if not lead.reward >= -config.gate_reward:
            return f'its reward is estimated {-lead.reward:.3g} a step below the incumbent'
        return ''

    def lead(self, newest: Actor, incumbent: Actor, critics: Critics, replay: Replay) -> Lead:
        """Returns what the newest policy is ahead of the incumbent.

        Args:
            newest: its normaliser is that of the critics.
            incumbent: has a normaliser of its own.
            critics: values of the newest policy.
            replay: holds at least a batch of steps.
        """
        seen = replay.recent(self._config.batch_size, STRIDE)
        own = self._values(seen, newest, newest, critics)
        other = self._values(seen, incumbent, newest, critics)
        return Lead(own.reward - other.reward, own.margin - other.margin)

    def change(self, newest: Actor, given: Actor, replay: Replay) -> float:
        """Returns how far the newest policy's actions are from those of the one given last.

        Root of the mean square over joints and the states of late, 0 … 2, as shares of the open
        box: that boxes differ is no change.

        Args:
            newest: has a normaliser of its own, as has `given`.
            given: what the robot was given last.
            replay: holds at least a batch of steps.
        """
        seen = torch.from_numpy(replay.recent(self._config.batch_size, STRIDE))
        means = (policy.gaussian(policy.normalised(seen))[0] for policy in (newest, given))
        now, before = (torch.tanh(mean).numpy() for mean in means)
        return float(np.sqrt(np.mean(np.square(now - before), dtype=np.float64)))

    def _values(self, seen: Numbers, policy: Actor, newest: Actor, critics: Critics) -> Lead:
        room = self._room[: len(seen)]
        newest.normalise(seen, room)
        mean, _ = policy.gaussian(policy.normalised(torch.from_numpy(seen)))
        room[:, self._observation_size :] = (policy.box * torch.tanh(mean)).numpy()
        value = critics.probe(torch.from_numpy(room)).numpy()
        members = self._config.reward_critics
        reward, _ = pessimistic(value[:members], MINIMUM)
        margin, _ = pessimistic(value[members:], deviations_of(self._config))
        return Lead(float(reward.mean()), float(margin.mean()))


def deviations_of(config: LearnerConfig) -> float:
    """Returns the deviations below the mean at which the safety critics are read, or MINIMUM."""
    minimal = config.safety_pessimism == 'minimum'
    return MINIMUM if minimal else config.safety_pessimism_std
