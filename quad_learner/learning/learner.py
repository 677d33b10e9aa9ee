"""Safety-constrained soft actor-critic: learns to walk without leaning too far.

The problem (Ha et al. 2020, arXiv 2002.08550): the most reward and entropy, such that the average
upright margin f_s stays at or above what is required. With λ ≥ 0 the price of the constraint and
α that of predictability, on a batch of steps (s, a, r, f, s'):

    Q_r ← r + γ (1 − fallen) (min Q_r(s', a') − α log π(a'|s')),  a' ~ π(s')
    Q_s ← f + γ_s [(1 − fallen) Q_s(s', a') + fallen · margin for ever]
    π   ← min E[α log π(a|s) − Q_r(s, a) − λ Q_s(s, a)] / (1 + λ)
    λ, α ← multiplier.py, from the average margin (1 − γ_s) Q_s and the entropy −log π

The critics learn the values less what the average step is worth for ever, mean(r) / (1 − γ) and
mean(f) / (1 − γ_s). That is exact (`_reward_slope`) and spares them a long way: a value moves by
no more than a few Adam steps an update, and while it still travels it ranks actions badly.

Only `terminated` ends the future; a truncated step is valued by what would have come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from quad_learner.experience.steps import Steps
from quad_learner.experience.transition import Transition
from quad_learner.learning import critics, duals
from quad_learner.learning.actor import Actor
from quad_learner.learning.bellman import bellman_slope
from quad_learner.learning.compiled_at_start import ONE
from quad_learner.learning.flat import FlatAdam, Numbers
from quad_learner.learning.gate import Gate, deviations_of
from quad_learner.learning.incumbent import incumbent_of
from quad_learner.learning.last_good import LastGood
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.learning.mirror import Mirror
from quad_learner.learning.normaliser import Normaliser
from quad_learner.learning.pace import pace_of
from quad_learner.learning.pessimism import MINIMUM, pessimistic
from quad_learner.learning.replay import replay_of
from quad_learner.learning.running_mean import RunningMean
from quad_learner.learning.update_metrics import ActorLosses, CriticLosses, UpdateMetrics

VALUE_SLACK = 10.0
"""So many times what the largest reward for ever is worth: honest critics err by less."""
LARGEST_REWARD_MIN = 1.0
"""of a step, in units of reward or [rad]: while less was seen, values are held against this"""


class _Batch(NamedTuple):
    """A batch on its way through an update; observations are normalised."""

    now: Numbers
    """observation and action side by side, (batch, inputs)"""
    following: Numbers
    """the same some steps later; which action, the policy is to say"""
    reward: Numbers
    constraint: Numbers
    terminated: Numbers
    discount: Numbers
    safety_discount: Numbers


class Learner:
    """Takes in steps, makes updates. One thread, no clock; all chance comes from the seed."""

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        config: LearnerConfig,
        seed: int,
        mirror: Mirror | None = None,
    ) -> None:
        """Args:
        observation_size: numbers in an observation.
        action_size: numbers in an action.
        config: how to learn.
        seed: of the networks' start, of exploration in updates and of the batches drawn.
        mirror: the robot's left-right symmetry, used when `config.mirror` is on.
        """
        self.observation_size = observation_size
        self.action_size = action_size
        self.config = config
        self.torch_generator = torch.Generator().manual_seed(seed)
        self.numpy_generator = np.random.default_rng(seed)
        self.actor = Actor(observation_size, action_size, config, self.torch_generator)
        self.critics = critics.build(observation_size, action_size, config, self.torch_generator)
        self.actor_adam = FlatAdam(self.actor.flat, config.actor_rate, config.adam_beta1)
        self.critic_adam = FlatAdam(self.critics.flat, config.critic_rate, config.adam_beta1)
        self.multiplier = duals.multiplier_of(config)
        self.temperature = duals.temperature_of(config, action_size)
        self.box = duals.box_share_of(config)
        self.actor.box = self.box.value
        self.incumbent = incumbent_of(observation_size, action_size, config)
        self.incumbent.propose(self.actor)
        self.incumbent.accept()
        self._gate = Gate(observation_size, action_size, config)
        self.normaliser = Normaliser(observation_size, config.observation_std_min)
        self.pace = pace_of(config)
        self.replay = replay_of(observation_size, action_size, config, mirror)
        self._room = np.zeros((2, config.batch_size, observation_size + action_size), np.float32)
        """for what the critics see, at each step of a batch and at the next"""
        self.updates = 0
        self.skipped = 0
        self.last_sequence = 0
        """of the last step taken in or refused"""
        self.mean_reward = RunningMean(config.center_steps)
        """of the last steps taken"""
        self.mean_constraint = RunningMean(config.center_steps)
        """average margin of the last steps taken [rad], over a longer time than `recent`"""
        self.recent_constraint = RunningMean(config.recent_steps)
        """average margin of the last steps taken [rad]"""
        self._last_good = LastGood(config.snapshot_period, config.skips_before_rollback)
        self.actor_losses = ActorLosses(0.0, 0.0, 0.0)
        """of the last update that moved the actor"""

    @property
    def due_updates(self) -> int:
        """Updates owed now."""
        return self.pace.due

    @property
    def driver(self) -> Actor:
        """The policy whose turn it is: the newest, or the one gone back to after a fall."""
        return self.incumbent.actor if self.incumbent.drives else self.actor

    def propose(self) -> Actor:
        """Returns the policy to give to the robot now; `incumbent.accept` says that it was."""
        incumbent, gate, replay = self.incumbent, self._gate, self.replay
        incumbent.refusal = ''
        newest_drives = incumbent.known and not incumbent.drives
        if newest_drives and len(replay) >= self.config.batch_size:
            compared = self.actor, incumbent.actor, self.critics, replay
            problem = gate.objection(gate.lead(*compared)) if self.config.gated else ''
            if problem:
                incumbent.refuse(problem)
                return incumbent.propose(incumbent.given)
            if not gate.change(self.actor, incumbent.given, replay) <= self.config.trial_change:
                incumbent.trial.begin()
        return incumbent.propose(self.driver)

    @property
    def value_of_multiplier(self) -> float:
        """λ as the actor sees it: 0 while unconstrained."""
        return self.multiplier.value if self.config.constrained else 0.0

    def ingest(self, transition: Transition) -> None:
        """Takes in one step of the robot; one with a number that is not finite is only counted."""
        self.last_sequence = transition.sequence
        transition = self._capped(transition)
        if not self.replay.add(transition):
            return
        self.normaliser.observe(transition.observation)
        self.refresh_normaliser()
        self.mean_reward.observe(transition.reward)
        self.mean_constraint.observe(transition.constraint)
        self.recent_constraint.observe(transition.constraint)
        met = self.recent_constraint.value >= self.config.margin_required_rad
        self.box.step(met)
        self.actor.box = self.box.value
        self.incumbent.follow(transition, self.updates)
        self.pace.step()

    def _capped(self, transition: Transition) -> Transition:
        """Counts no more margin than the cap: else a level body pays for a lean."""
        cap = self.config.margin_cap_rad
        return replace(transition, constraint=cap) if transition.constraint > cap else transition

    def rebuild(self, steps: Steps) -> None:
        """Fills the replay after a restart; normaliser, counters and debt stay as they are."""
        capped = np.minimum(steps.constraint, self.config.margin_cap_rad)
        self.replay.add_all(replace(steps, constraint=capped))

    def update(self) -> UpdateMetrics:
        """Makes one update of critics, and when it is their turn of actor and multipliers.

        Raises:
            ValueError: nothing was ingested yet.
        """
        batch, skipped_before = self._draw(), self.skipped
        critic_losses = self.update_critics(batch)
        if self.skipped == skipped_before and self.updates % self.config.actor_period == 0:
            self.actor_losses = self.update_actor(batch)
            self.update_multipliers(self.actor_losses)
        self.updates += 1
        self.pace.done()
        if self.skipped == skipped_before:
            self._last_good.good(self)
        else:
            self._last_good.bad(self)
        return UpdateMetrics(
            reward_critic_loss=critic_losses.reward,
            safety_critic_loss=critic_losses.safety,
            reward_value=critic_losses.reward_value,
            constraint=self.actor_losses.constraint,
            recent_constraint=self.recent_constraint.value,
            actor_loss=self.actor_losses.loss,
            entropy=self.actor_losses.entropy,
            temperature=self.temperature.value,
            multiplier=self.multiplier.value,
            skipped=self.skipped,
            rollbacks=self._last_good.rollbacks,
        )

    def update_critics(self, batch: _Batch) -> CriticLosses:
        """Moves every critic towards its target.

        Does nothing if their gradient is not finite, or a value is more than rewards add up to.
        """
        log_density = self._act(batch.following)
        inputs = (torch.from_numpy(batch.now), torch.from_numpy(batch.following))
        value, next_value = (each.numpy() for each in self.critics.pair(*inputs))
        reward, margin = slice(self.config.reward_critics), slice(self.config.reward_critics, None)
        slope = np.empty_like(value)
        reward_loss = self._reward_slope(
            batch, value[reward], next_value[reward], log_density, slope[reward]
        )
        margin_loss = self._margin_slope(batch, value[margin], next_value[margin], slope[margin])
        self.critics.backward(torch.from_numpy(slope))
        if self._is_plausible(value, log_density) and self.critic_adam.step():
            self.critics.settle()
        else:
            self.skipped += 1
        reward_value = _mean(value[reward]) + self._centers()[0]
        return CriticLosses(reward_loss, margin_loss, reward_value)

    def _is_plausible(self, value: Numbers, log_density: Numbers) -> bool:
        """Returns whether all members' values, (members, batch), could come of rewards seen."""
        config = self.config
        largest = np.abs(value).max(1)
        bonus = self.temperature.value * float(np.abs(log_density).max())
        reward = max(self.replay.largest_reward, LARGEST_REWARD_MIN) + bonus
        margin = max(self.replay.largest_margin, LARGEST_REWARD_MIN, -config.fallen_margin_rad)
        reward_bound = VALUE_SLACK * reward / (1.0 - config.discount)
        margin_bound = VALUE_SLACK * margin / (1.0 - config.safety_discount)
        members = config.reward_critics
        return bool((largest[:members] <= reward_bound).all()) and bool(
            (largest[members:] <= margin_bound).all()
        )

    def _act(self, inputs: Numbers) -> Numbers:
        """Puts the policy's actions beside observations; returns their log density, (batch,)."""
        size = (len(inputs), self.action_size)
        noise = torch.from_numpy(self.numpy_generator.standard_normal(size, np.float32))
        observation = torch.from_numpy(inputs[:, : self.observation_size])
        action, log_density = self.actor.sample(observation, noise)
        inputs[:, self.observation_size :] = action.numpy()
        return log_density.numpy()

    # With Q = q + c the law Q ← r + γ (1 − fallen) Q' becomes, for the q that is learned,
    # q ← r − (1 − γ) c + γ [(1 − fallen) q' − fallen · c]. Over k steps r is their discounted sum
    # and γ^k stands in γ's place.

    def _reward_slope(
        self,
        batch: _Batch,
        value: Numbers,
        next_value: Numbers,
        log_density: Numbers,
        slope: Numbers,
    ) -> float:
        """Gives d loss / d value of the reward's critics, (members, batch); returns their loss."""
        discount, (center, _) = batch.discount, self._centers()
        least, _ = pessimistic(next_value, MINIMUM)
        future = least - np.float32(self.temperature.value) * log_density
        now = batch.reward - (ONE - discount) * np.float32(center)
        bound, ended = self.config.reward_error_max, batch.terminated
        return float(bellman_slope(value, now, future, ended, -center, discount, bound, slope))

    def _margin_slope(
        self, batch: _Batch, value: Numbers, next_value: Numbers, slope: Numbers
    ) -> float:
        """Does the same for the critics of the margin."""
        discount, (_, center) = batch.safety_discount, self._centers()
        future, _ = pessimistic(next_value, deviations_of(self.config))
        now = batch.constraint - (ONE - discount) * np.float32(center)
        end = self.config.fallen_margin_rad / (1.0 - self.config.safety_discount) - center
        bound, ended = self.config.margin_error_max, batch.terminated
        return float(bellman_slope(value, now, future, ended, end, discount, bound, slope))

    def update_actor(self, batch: _Batch) -> ActorLosses:
        """Moves the policy up Q_r + λ Q_s + α entropy; nothing if its gradient is not finite.

        The policy's actions take the place of the batch's own.
        """
        config = self.config
        log_density = self._act(batch.now)
        value = self.critics.probe(torch.from_numpy(batch.now)).numpy()
        reward, reward_share = pessimistic(value[: config.reward_critics], MINIMUM)
        deviations = deviations_of(config)
        margin, margin_share = pessimistic(value[config.reward_critics :], deviations)
        price = self.value_of_multiplier
        scale = 1.0 / (1.0 + price) if config.rescale_by_multiplier else 1.0
        value_of_margin = _mean(margin)
        gain = scale * (_mean(reward) + price * value_of_margin)
        entropy = -_mean(log_density)
        constraint = (1.0 - config.safety_discount) * (value_of_margin + self._centers()[1])
        weight = scale / len(log_density)
        slope = np.concatenate(
            (reward_share * np.float32(-weight), margin_share * np.float32(-weight * price))
        )
        self.actor.backward(
            self.critics.action_slope(torch.from_numpy(slope)), weight * self.temperature.value
        )
        if not self.actor_adam.step():
            self.skipped += 1
        loss = -gain - scale * self.temperature.value * entropy
        return ActorLosses(loss, entropy, constraint)

    def update_multipliers(self, losses: ActorLosses) -> None:
        """Moves α by the entropy and λ by the average margin."""
        self.temperature.update(losses.entropy)
        if self.config.constrained:
            recent = self.recent_constraint.value
            self.multiplier.update(duals.measured_margin(self.config, losses.constraint, recent))

    def _centers(self) -> tuple[float, float]:
        """Returns what the average step is worth for ever: in reward, and in margin [rad]."""
        config = self.config
        if not config.center_values:
            return 0.0, 0.0
        return (
            self.mean_reward.value / (1.0 - config.discount),
            self.mean_constraint.value / (1.0 - config.safety_discount),
        )

    def refresh_normaliser(self) -> None:
        """Shows the actor the latest mean and deviation of the observations."""
        self.actor.shift.copy_(torch.from_numpy(self.normaliser.mean))
        self.actor.scale.copy_(torch.from_numpy(1.0 / self.normaliser.deviation))

    def _draw(self) -> _Batch:
        steps = self.replay.sample(self.config.batch_size, self.numpy_generator)
        now, following = self._room
        self.actor.normalise(np.ascontiguousarray(steps.observation), now)
        now[:, self.observation_size :] = steps.action
        self.actor.normalise(np.ascontiguousarray(steps.next_observation), following)
        return _Batch(
            now,
            following,
            steps.reward,
            steps.constraint,
            steps.terminated,
            steps.discount,
            steps.safety_discount,
        )

    def recover(self) -> None:
        """Goes back to the last good state if something learned is not finite.

        To be called before anything learned is given away or saved.
        """
        self._last_good.recover(self)

    def learned_tensors(self) -> dict[str, Tensor]:
        """Returns all that updates change, by name; not copies."""
        groups = {
            'actor': self.actor_adam.state(),
            'critic': self.critic_adam.state(),
            'critic_memory': self.critics.memory(),
        }
        return {f'{g}.{name}': t for g, group in groups.items() for name, t in group.items()}

    def running_means(self) -> dict[str, RunningMean]:
        """Returns the running means, by name."""
        return {
            'reward': self.mean_reward,
            'constraint': self.mean_constraint,
            'recent_constraint': self.recent_constraint,
        }

    def dual_state(self) -> dict[str, dict[str, float]]:
        """Returns the states of λ, α and the share of the box."""
        return {
            'multiplier': self.multiplier.state(),
            'temperature': self.temperature.state(),
            'box': self.box.state(),
        }

    def restore_duals(self, state: Mapping[str, Mapping[str, float]]) -> None:
        """Takes up what `dual_state` returned."""
        self.multiplier.restore(state['multiplier'])
        self.temperature.restore(state['temperature'])
        self.box.restore(state['box'])
        self.actor.box = self.box.value


def _mean(numbers: Numbers) -> float:
    """Returns what numpy's own `mean` does, which takes as long as a small matrix product."""
    return float(np.add.reduce(numbers, axis=None)) / numbers.size
