"""Updates on a GPU: what compiled_updater.py computes, by torch's own operations.

Networks, targets and Adam's memory live on the device. A turn of the critics or the actor gets its
batch, its noise and the numbers that change in one copy, does everything without asking the host,
whether it moves a network included, and gives four numbers back. So each turn can be recorded as a
CUDA graph (cuda_graph.py). On any other device the same turns run operation by operation.

All chance is drawn on the host, in the order in which the compiled updater draws it: a run goes on
on another device from the same checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from quad_learner.learning.actor import Actor
from quad_learner.learning.cuda_graph import recorded
from quad_learner.learning.device_memory import DeviceInputs, DeviceNetwork
from quad_learner.learning.device_networks import (
    pessimistic,
    sample,
    saturation_slope,
    values,
)
from quad_learner.learning.flat import FlatAdam, named
from quad_learner.learning.gate import deviations_of
from quad_learner.learning.layer_norm_critics import LAYERS, drawn_masks
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.learning.pessimism import MINIMUM
from quad_learner.learning.update_metrics import ActorLosses, CriticLosses
from quad_learner.learning.updater import VALUE_SLACK, Batch, Parts, Terms, noise

PASSES = 2
"""of the critics in their turn: the targets' at the next step, then their own"""
SCALARS = (*Terms._fields, 'box', 'rate', 'root')
"""numbers that a turn is given: the updater's, the open share of the box, Adam's corrections"""


class DeviceUpdater:
    """See `updater.Updater` for what each method promises. For `layer_norm` critics."""

    def __init__(self, config: LearnerConfig, parts: Parts, device: torch.device) -> None:
        """Args:
        config: how to learn.
        parts: what learns; copied to the device.
        device: where to compute.
        """
        self._config, self._parts = config, parts
        actor, critics = parts.actor, parts.critics
        self._actor = DeviceNetwork(actor.flat, parts.actor_adam, config.adam_beta1, device)
        self._critics = DeviceNetwork(critics.flat, parts.critic_adam, config.adam_beta1, device)
        target = critics.memory()['target']
        self._target = target.to(device, copy=True)
        self._target_weights = named(self._target, critics.flat.shapes)
        self._pairs = (*self._actor.pairs, *self._critics.pairs, (target, self._target))
        self._ahead = False
        """the device knows more than `parts`"""
        bounds = (
            *config.reward_critics * (config.reward_error_max,),
            *config.safety_critics * (config.margin_error_max,),
        )
        self._error_max = torch.tensor(bounds, device=device).unsqueeze(1)  # (members, 1)
        self._for_critics, self._for_actor = _inputs(config, actor, device)
        masks = self._for_critics.values.get('masks')
        self._masks = PASSES * (None,) if masks is None else masks.unbind()
        self._turn_of_critics, self._turn_of_actor = self._move_critics, self._move_actor

    def record(self) -> None:
        """Records both turns as CUDA graphs, to be replayed from now on; what is learned stays."""
        self.fetch()
        self._turn_of_critics = recorded(self._move_critics)
        self._turn_of_actor = recorded(self._move_actor)
        self.push()

    @torch.no_grad()
    def fetch(self) -> None:
        """Copies what is on the device to the host, where it is newer there."""
        if self._ahead:
            for here, there in self._pairs:
                here.copy_(there)
        self._ahead = False

    @torch.no_grad()
    def push(self) -> None:
        """Copies what is on the host to the device."""
        for here, there in self._pairs:
            there.copy_(here)
        self._ahead = False

    def update_critics(self, batch: Batch, terms: Terms) -> tuple[CriticLosses, bool]:
        """Moves every critic towards its target."""
        config, parts = self._config, self._parts
        following = batch.following[:, : -parts.actor.actions]
        scalars = self._scalars(parts.critic_adam, terms)
        drawn = {'noise': noise(parts, config.batch_size)}
        if config.dropout > 0.0:
            shape = config.batch_size, config.critic_width
            how = shape, config.dropout, parts.torch_generator
            drawn['masks'] = np.stack([drawn_masks(*how) for _ in range(PASSES)])
        self._for_critics.send({**batch._asdict(), 'following': following, **drawn, **scalars})
        moved, reward, margin, value = self._turn_of_critics().tolist()
        self._ahead = True
        if moved:
            parts.critic_adam.count()
        return CriticLosses(reward, margin, value + terms.reward_center), bool(moved)

    def _scalars(self, adam: FlatAdam, terms: Terms) -> dict[str, float]:
        rate, root = adam.corrections()
        return {**terms._asdict(), 'box': self._parts.actor.box, 'rate': rate, 'root': root}

    def _move_critics(self) -> Tensor:
        """Returns whether they moved, the losses of both kinds and the mean of Q_r, (4,)."""
        given, members = self._for_critics.values, self._config.reward_critics
        later_masks, masks = self._masks
        leaf, weights = self._critics.leaf()
        target, density = self._targets(later_masks)
        value = values(weights, given['now'], masks)
        error = value.detach() - target
        slope = error.clamp(-self._error_max, self._error_max) / error.shape[1]
        (gradient,) = torch.autograd.grad(value, leaf, slope)
        sound = self._is_plausible(value.detach(), density)
        moved = self._critics.step(gradient, sound, given['rate'], given['root'])
        smoothing = self._config.target_smoothing
        followed = torch.lerp(self._target, self._critics.vector, smoothing)
        torch.where(moved, followed, self._target, out=self._target)
        halves = 0.5 * error.square()
        means = (halves[:members].mean(), halves[members:].mean(), value[:members].detach().mean())
        return torch.stack((moved.float(), *means))

    @torch.no_grad()
    def _targets(self, masks: Tensor | None) -> tuple[Tensor, Tensor]:
        """Returns what each member's value is to be, (members, batch), and log π', (batch,)."""
        config, given = self._config, self._for_critics.values
        following = given['following']
        drawn = sample(self._parts.actor, self._actor.weights, following, given['noise'])
        inputs = torch.cat((following, given['box'] * drawn.squashed), 1)
        later = values(self._target_weights, inputs, masks)
        least = pessimistic(later[: config.reward_critics], MINIMUM)
        reward = self._target_of(
            given['reward'],
            least - given['temperature'] * drawn.density,
            given['discount'],
            given['reward_center'],
            0.0,
        )
        margin = self._target_of(
            given['constraint'],
            pessimistic(later[config.reward_critics :], deviations_of(config)),
            given['safety_discount'],
            given['margin_center'],
            config.fallen_margin_rad / (1.0 - config.safety_discount),
        )
        each = (reward.expand(config.reward_critics, -1), margin.expand(config.safety_critics, -1))
        return torch.cat(each), drawn.density

    def _target_of(
        self, now: Tensor, future: Tensor, discount: Tensor, center: Tensor, fallen: float
    ) -> Tensor:
        """Returns the centred law's right side (compiled_updater.py), (batch,).

        Args:
            now: what the steps earned, (batch,).
            future: centred value of what is to come, (batch,).
            discount: of it, (batch,).
            center: c, ().
            fallen: what an ended future is worth.
        """
        ended = self._for_critics.values['terminated']
        later = (1.0 - ended) * future + ended * (fallen - center)
        return now - (1.0 - discount) * center + discount * later

    def _is_plausible(self, value: Tensor, density: Tensor) -> Tensor:
        """Returns whether all members' values, (members, batch), could come of rewards seen."""
        config, given = self._config, self._for_critics.values
        largest, members = value.abs().amax(1), config.reward_critics
        reward = given['largest_reward'] + given['temperature'] * density.abs().amax()
        reward_bound = VALUE_SLACK * reward / (1.0 - config.discount)
        margin_bound = VALUE_SLACK * given['largest_margin'] / (1.0 - config.safety_discount)
        honest = (largest[:members] <= reward_bound).all()
        return honest & (largest[members:] <= margin_bound).all()

    def update_actor(self, batch: Batch, terms: Terms) -> tuple[ActorLosses, bool]:
        """Moves the policy."""
        parts = self._parts
        observation = batch.now[:, : -parts.actor.actions]
        drawn = {'observation': observation, 'noise': noise(parts, len(observation))}
        self._for_actor.send({**drawn, **self._scalars(parts.actor_adam, terms)})
        moved, loss, entropy, margin = self._turn_of_actor().tolist()
        self._ahead = True
        if moved:
            parts.actor_adam.count()
        constraint = (1.0 - self._config.safety_discount) * (margin + terms.margin_center)
        return ActorLosses(loss, entropy, constraint), bool(moved)

    def _move_actor(self) -> Tensor:
        """Returns whether it moved, its loss, its entropy and the mean of cautious Q_s, (4,)."""
        config, given = self._config, self._for_actor.values
        leaf, weights = self._actor.leaf()
        drawn = sample(self._parts.actor, weights, given['observation'], given['noise'])
        inputs = torch.cat((given['observation'], given['box'] * drawn.squashed), 1)
        value = values(self._critics.weights, inputs, None)
        reward = pessimistic(value[: config.reward_critics], MINIMUM).mean()
        margin = pessimistic(value[config.reward_critics :], deviations_of(config)).mean()
        density, price = drawn.density.mean(), given['multiplier']
        loss = given['temperature'] * density - reward - price * margin
        loss = loss / (1.0 + price) if config.rescale_by_multiplier else loss
        pull = saturation_slope(drawn.squashed.detach(), config.saturation_pull)
        (gradient,) = torch.autograd.grad(loss + (drawn.u * pull).sum(), leaf)
        moved = self._actor.step(gradient, loss.isfinite(), given['rate'], given['root'])
        return torch.stack((moved.float(), loss, -density, margin)).detach()


def _inputs(config: LearnerConfig, actor: Actor, device: torch.device) -> Iterator[DeviceInputs]:
    """Yields what the critics' turn is given, then what the actor's is."""
    rows, observations = config.batch_size, len(actor.shift)
    common = {'noise': (rows, actor.actions), **dict.fromkeys(SCALARS, ())}
    batch: dict[str, tuple[int, ...]] = dict.fromkeys(Batch._fields, (rows,))
    batch |= {'now': (rows, observations + actor.actions), 'following': (rows, observations)}
    dropped = {'masks': (PASSES, len(LAYERS), rows, config.critic_width)}
    yield DeviceInputs({**batch, **common, **(dropped if config.dropout > 0.0 else {})}, device)
    yield DeviceInputs({'observation': (rows, observations), **common}, device)
