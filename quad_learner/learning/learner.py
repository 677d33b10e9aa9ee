"""Safety-constrained soft actor-critic: learns to walk without leaning too far.

The problem (Ha et al. 2020, arXiv 2002.08550): the most reward and entropy, such that the average
upright margin f_s stays at or above what is required. With λ ≥ 0 the price of the constraint and
α that of predictability, on a batch of steps (s, a, r, f, s'):

    Q_r ← r + γ (1 − fallen) (min Q_r(s', a') − α log π(a'|s')),  a' ~ π(s')
    Q_s ← f + γ_s [(1 − fallen) Q_s(s', a') + fallen · margin for ever]
    π   ← min E[α log π(a|s) − Q_r(s, a) − λ Q_s(s, a)] / (1 + λ)
    λ, α ← multiplier.py, from the average margin (1 − γ_s) Q_s and the entropy −log π

The critics learn the values less what the average step is worth for ever, mean(r) / (1 − γ) and
mean(f) / (1 − γ_s). That is exact (compiled_updater.py) and spares them a long way: a value moves
by no more than a few Adam steps an update, and while it still travels it ranks actions badly.

Only `terminated` ends the future; a truncated step is valued by what would have come.

How the first three lines are computed, and on what, is the updater's business (updater.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from quad_learner.configuration import ConfigurationError
from quad_learner.experience.steps import Steps
from quad_learner.experience.transition import Transition
from quad_learner.learning import critics, duals
from quad_learner.learning.actor import Actor
from quad_learner.learning.compiled_updater import CompiledUpdater
from quad_learner.learning.device_updater import DeviceUpdater
from quad_learner.learning.flat import FlatAdam
from quad_learner.learning.gate import Gate
from quad_learner.learning.incumbent import incumbent_of
from quad_learner.learning.last_good import LastGood
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.learning.mirror import Mirror
from quad_learner.learning.normaliser import Normaliser
from quad_learner.learning.pace import pace_of
from quad_learner.learning.replay import replay_of
from quad_learner.learning.running_mean import RunningMean
from quad_learner.learning.update_metrics import ActorLosses, UpdateMetrics
from quad_learner.learning.updater import Batch, Parts, Terms, Updater

LARGEST_REWARD_MIN = 1.0
"""of a step, in units of reward or [rad]: while less was seen, values are held against this"""


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

        Raises:
            ConfigurationError: `config.device` is not there.
        """
        self.observation_size, self.action_size = observation_size, action_size
        self.config = config
        self.parts = parts = _parts_of(observation_size, action_size, config, seed)
        self.numpy_generator, self.torch_generator = parts.numpy_generator, parts.torch_generator
        self.actor, self.critics = parts.actor, parts.critics
        self.actor_adam, self.critic_adam = parts.actor_adam, parts.critic_adam
        self.updater = _updater_of(config, parts)
        self.multiplier = duals.multiplier_of(config)
        self.temperature = duals.temperature_of(config, action_size)
        self.box = duals.box_share_of(config)
        self.actor.box = self.box.value
        self.incumbent = incumbent_of(observation_size, action_size, config)
        self.incumbent.propose(self.actor)
        self.incumbent.accept(version=0)
        self._gate = Gate(observation_size, action_size, config)
        self.normaliser = Normaliser(observation_size, config.observation_std_min)
        self.pace = pace_of(config)
        self.replay = replay_of(observation_size, action_size, config, mirror)
        self._room = np.zeros((2, config.batch_size, observation_size + action_size), np.float32)
        """for what the critics see, at each step of a batch and at the next"""
        self.updates = self.skipped = 0
        self.last_sequence = 0
        """of the last step taken in or refused"""
        self.mean_reward = RunningMean(config.center_steps)
        """of the last steps taken"""
        self.mean_constraint = RunningMean(config.center_steps)
        """average margin of the last steps taken [rad], over a longer time than `recent`"""
        self.recent_constraint = RunningMean(config.recent_steps)
        """average margin of the last steps taken [rad]"""
        self.last_good = LastGood(config.snapshot_period, config.skips_before_rollback)
        """the way back; its counts are in a checkpoint, its copy is not"""
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
        self.updater.fetch()
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
        transition = self._capped(transition)
        if not self.replay.add(transition):
            self.pass_over(transition)
            return
        self.last_sequence = transition.sequence
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

    def pass_over(self, transition: Transition) -> None:
        """Learns nothing from a step of the robot; an episode with it makes no policy good."""
        self.last_sequence = transition.sequence
        self.incumbent.follow(replace(transition, constraint=-math.inf), self.updates)

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
        batch, terms = self._draw(), self._terms()
        critic_losses, moved = self.updater.update_critics(batch, terms)
        if moved and self.updates % self.config.actor_period == 0:
            self.actor_losses, moved = self.updater.update_actor(batch, terms)
            self.update_multipliers(self.actor_losses)
        self.updates += 1
        self.pace.done()
        if moved:
            self.last_good.good(self)
        else:
            self.skipped += 1
            self.last_good.bad(self)
        return UpdateMetrics(
            reward_critic_loss=critic_losses.reward,
            safety_critic_loss=critic_losses.safety,
            reward_value=critic_losses.reward_value,
            constraint=self.actor_losses.constraint,
            recent_constraint=self.recent_constraint.value,
            actor_loss=self.actor_losses.loss,
            entropy=self.actor_losses.entropy,
            temperature=self.temperature.value,
            multiplier=self.value_of_multiplier,
            skipped=self.skipped,
            rollbacks=self.last_good.rollbacks,
        )

    def update_multipliers(self, losses: ActorLosses) -> None:
        """Moves α by the entropy and λ by the average margin."""
        self.temperature.update(losses.entropy)
        if self.config.constrained:
            recent = self.recent_constraint.value
            self.multiplier.update(duals.measured_margin(self.config, losses.constraint, recent))

    def _terms(self) -> Terms:
        reward_center, margin_center = self._centers()
        least, fallen = LARGEST_REWARD_MIN, -self.config.fallen_margin_rad
        return Terms(
            temperature=self.temperature.value,
            multiplier=self.value_of_multiplier,
            reward_center=reward_center,
            margin_center=margin_center,
            largest_reward=max(self.replay.largest_reward, least),
            largest_margin=max(self.replay.largest_margin, least, fallen),
        )

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

    def _draw(self) -> Batch:
        steps = self.replay.sample(self.config.batch_size, self.numpy_generator)
        now, following = self._room
        self.actor.normalise(np.ascontiguousarray(steps.observation), now)
        now[:, self.observation_size :] = steps.action
        self.actor.normalise(np.ascontiguousarray(steps.next_observation), following)
        return Batch(
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
        self.last_good.recover(self)

    def learned_tensors(self) -> dict[str, Tensor]:
        """Returns all that updates change, by name; not copies."""
        self.updater.fetch()
        groups = {
            'actor': self.actor_adam.state(),
            'critic': self.critic_adam.state(),
            'critic_memory': self.critics.memory(),
        }
        return {f'{g}.{name}': t for g, group in groups.items() for name, t in group.items()}

    @torch.no_grad()
    def restore_learned(self, saved: Mapping[str, Tensor]) -> None:
        """Takes up what `learned_tensors` returned, or copies of it."""
        for name, tensor in self.learned_tensors().items():
            tensor.copy_(saved[name])
        self.updater.push()

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


def _parts_of(observation_size: int, action_size: int, config: LearnerConfig, seed: int) -> Parts:
    """Returns untrained networks, their optimisers and all chance, from one seed."""
    numpy_generator = np.random.default_rng(seed)
    torch_generator = torch.Generator().manual_seed(seed)
    given = observation_size, action_size, config, torch_generator
    actor, ensemble = Actor(*given), critics.build(*given)
    actor_adam = FlatAdam(actor.flat, config.actor_rate, config.adam_beta1)
    critic_adam = FlatAdam(ensemble.flat, config.critic_rate, config.adam_beta1)
    return Parts(actor, ensemble, actor_adam, critic_adam, numpy_generator, torch_generator)


def _updater_of(config: LearnerConfig, parts: Parts) -> Updater:
    """Returns what computes the updates, as configured.

    Raises:
        ConfigurationError: it is to be a GPU, and none can be used.
    """
    if config.device == 'cpu':
        return CompiledUpdater(config, parts)
    if not torch.cuda.is_available():
        raise ConfigurationError(
            f'device = {config.device!r}: torch {torch.__version__} finds no GPU of that kind; '
            'install a build for it where there is one, or set device: cpu (config/learner.yaml)'
        )
    updater = DeviceUpdater(config, parts, torch.device(config.device))
    updater.record()
    return updater
