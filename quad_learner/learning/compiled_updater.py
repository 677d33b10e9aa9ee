"""Updates on one core of the processor, by the compiled functions of actor and critics.

With Q = q + c the law Q ← r + γ (1 − fallen) Q' becomes, for the q that is learned,

    q ← r − (1 − γ) c + γ [(1 − fallen) q' − fallen · c]

Over k steps r is their discounted sum and γ^k stands in γ's place.
"""

from __future__ import annotations

import numpy as np
import torch

from quad_learner.learning.bellman import bellman_slope
from quad_learner.learning.compiled_at_start import ONE
from quad_learner.learning.flat import Numbers
from quad_learner.learning.gate import deviations_of
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.learning.pessimism import MINIMUM, pessimistic
from quad_learner.learning.update_metrics import ActorLosses, CriticLosses
from quad_learner.learning.updater import VALUE_SLACK, Batch, Parts, Terms, noise


class CompiledUpdater:
    """See `updater.Updater` for what each method promises."""

    def __init__(self, config: LearnerConfig, parts: Parts) -> None:
        self._config = config
        self._parts = parts

    def fetch(self) -> None:
        """Does nothing: what is learned is here."""

    def push(self) -> None:
        """Does nothing, likewise."""

    def update_critics(self, batch: Batch, terms: Terms) -> tuple[CriticLosses, bool]:
        """Moves every critic towards its target."""
        critics, members = self._parts.critics, self._config.reward_critics
        log_density = self._act(batch.following)
        inputs = (torch.from_numpy(batch.now), torch.from_numpy(batch.following))
        value, next_value = (each.numpy() for each in critics.pair(*inputs))
        reward, margin = slice(members), slice(members, None)
        slope = np.empty_like(value)
        reward_loss = self._reward_slope(
            batch, terms, value[reward], next_value[reward], log_density, slope[reward]
        )
        margin_loss = self._margin_slope(
            batch, terms, value[margin], next_value[margin], slope[margin]
        )
        critics.backward(torch.from_numpy(slope))
        plausible = self._is_plausible(value, log_density, terms)
        moved = plausible and self._parts.critic_adam.step()
        if moved:
            critics.settle()
        reward_value = _mean(value[reward]) + terms.reward_center
        return CriticLosses(reward_loss, margin_loss, reward_value), moved

    def _is_plausible(self, value: Numbers, log_density: Numbers, terms: Terms) -> bool:
        """Returns whether all members' values, (members, batch), could come of rewards seen."""
        config, members = self._config, self._config.reward_critics
        largest = np.abs(value).max(1)
        reward = terms.largest_reward + terms.temperature * float(np.abs(log_density).max())
        reward_bound = VALUE_SLACK * reward / (1.0 - config.discount)
        margin_bound = VALUE_SLACK * terms.largest_margin / (1.0 - config.safety_discount)
        return bool((largest[:members] <= reward_bound).all()) and bool(
            (largest[members:] <= margin_bound).all()
        )

    def _act(self, inputs: Numbers) -> Numbers:
        """Puts the policy's actions beside observations; returns their log density, (batch,)."""
        actor = self._parts.actor
        drawn = torch.from_numpy(noise(self._parts, len(inputs)))
        observation = torch.from_numpy(inputs[:, : -actor.actions])
        action, log_density = actor.sample(observation, drawn)
        inputs[:, -actor.actions :] = action.numpy()
        return log_density.numpy()

    def _reward_slope(
        self,
        batch: Batch,
        terms: Terms,
        value: Numbers,
        next_value: Numbers,
        log_density: Numbers,
        slope: Numbers,
    ) -> float:
        """Gives d loss / d value of the reward's critics, (members, batch); returns their loss."""
        discount, center = batch.discount, terms.reward_center
        least, _ = pessimistic(next_value, MINIMUM)
        future = least - np.float32(terms.temperature) * log_density
        now = batch.reward - (ONE - discount) * np.float32(center)
        bound, ended = self._config.reward_error_max, batch.terminated
        return float(bellman_slope(value, now, future, ended, -center, discount, bound, slope))

    def _margin_slope(
        self, batch: Batch, terms: Terms, value: Numbers, next_value: Numbers, slope: Numbers
    ) -> float:
        """Does the same for the critics of the margin."""
        config, discount, center = self._config, batch.safety_discount, terms.margin_center
        future, _ = pessimistic(next_value, deviations_of(config))
        now = batch.constraint - (ONE - discount) * np.float32(center)
        end = config.fallen_margin_rad / (1.0 - config.safety_discount) - center
        bound, ended = config.margin_error_max, batch.terminated
        return float(bellman_slope(value, now, future, ended, end, discount, bound, slope))

    def update_actor(self, batch: Batch, terms: Terms) -> tuple[ActorLosses, bool]:
        """Moves the policy; its actions take the place of the batch's own."""
        config, critics = self._config, self._parts.critics
        log_density = self._act(batch.now)
        value = critics.probe(torch.from_numpy(batch.now)).numpy()
        reward, reward_share = pessimistic(value[: config.reward_critics], MINIMUM)
        deviations = deviations_of(config)
        margin, margin_share = pessimistic(value[config.reward_critics :], deviations)
        price = terms.multiplier
        scale = 1.0 / (1.0 + price) if config.rescale_by_multiplier else 1.0
        value_of_margin = _mean(margin)
        gain = scale * (_mean(reward) + price * value_of_margin)
        entropy = -_mean(log_density)
        constraint = (1.0 - config.safety_discount) * (value_of_margin + terms.margin_center)
        weight = scale / len(log_density)
        slope = np.concatenate(
            (reward_share * np.float32(-weight), margin_share * np.float32(-weight * price))
        )
        action_slope = critics.action_slope(torch.from_numpy(slope))
        self._parts.actor.backward(action_slope, weight * terms.temperature)
        moved = self._parts.actor_adam.step()
        loss = -gain - scale * terms.temperature * entropy
        return ActorLosses(loss, entropy, constraint), moved


def _mean(numbers: Numbers) -> float:
    """Returns what numpy's own `mean` does, which takes as long as a small matrix product."""
    return float(np.add.reduce(numbers, axis=None)) / numbers.size
