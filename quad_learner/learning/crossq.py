"""Critics that batch renormalisation keeps steady without target networks (CrossQ).

Two hidden layers h = relu(renorm(h W)), then a linear head. Both batches of a step, (s, a) and
(s', a'), pass together, so that one set of statistics covers both (Bhatt et al. 2024, arXiv
1902.05605). The gradients are written out: the second batch gets none, which halves the products
of the way back, and the actor's way through the critics computes no weight's gradient.

Batch renormalisation (Ioffe 2017, arXiv 1702.03275), for each unit over the rows of a batch:
    n = (z − mean) / std,  y = γ (r n + d) + β
    r = clip(std / running std),  d = clip((mean − running mean) / running std), both held constant
In one multiplication and addition: y = gain · z + offset.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from quad_learner.learning.flat import Flat, linear_weight
from quad_learner.learning.learner_config import LearnerConfig

EPSILON = 1e-3
"""added to each variance, as in the reference implementation of CrossQ"""


class CrossQCritics:
    """A stack of critics; see `critics.Critics` for what each method promises."""

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        config: LearnerConfig,
        generator: torch.Generator,
    ) -> None:
        members = config.reward_critics + config.safety_critics
        inputs, width = observation_size + action_size, config.critic_width
        self._observations = observation_size
        ones, zeros = torch.ones(members, 1, width), torch.zeros(members, 1, width)
        self.flat = Flat(
            {
                'weight_1': linear_weight((members, inputs, width), inputs, generator),
                'weight_2': linear_weight((members, width, width), width, generator),
                'weight_3': linear_weight((members, width, 1), width, generator),
                'bias_3': torch.zeros(members, 1, 1),
                **{'gamma_1': ones, 'beta_1': zeros, 'gamma_2': ones, 'beta_2': zeros},
            }
        )
        self._weight_1, self._weight_2, self._weight_3, self._bias_3 = (
            self.flat.values[name] for name in ('weight_1', 'weight_2', 'weight_3', 'bias_3')
        )
        self._norm_1 = Renorm(self.flat, 1, config)
        self._norm_2 = Renorm(self.flat, 2, config)
        self._tape: _Tape | None = None
        self._probe: _Probe | None = None

    def memory(self) -> dict[str, Tensor]:
        """Returns the running statistics, by name."""
        return {
            f'{name}_{number}': value
            for number, norm in ((1, self._norm_1), (2, self._norm_2))
            for name, value in norm.memory().items()
        }

    @torch.no_grad()
    def pair(self, now: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the values at both batches, normalised together, (members, batch) each."""
        members = len(self._weight_1)
        inputs = now.expand(members, -1, -1)
        z_1 = torch.bmm(inputs, self._weight_1)
        next_z_1 = torch.bmm(following.expand(members, -1, -1), self._weight_1)
        h_1, next_h_1 = self._norm_1.train(z_1, next_z_1)
        z_2 = torch.bmm(h_1, self._weight_2)
        h_2, next_h_2 = self._norm_2.train(z_2, torch.bmm(next_h_1, self._weight_2))
        self._tape = _Tape(inputs, z_1, h_1, z_2, h_2)
        return self._head(h_2), self._head(next_h_2)

    @torch.no_grad()
    def backward(self, slope: Tensor) -> None:
        """Writes the gradients; what the second batch adds to the statistics is a constant."""
        tape = self._tape
        if tape is None:
            raise RuntimeError('critics: backward before pair; call pair first')
        slope, slopes = slope.unsqueeze(-1), self.flat.slopes
        torch.sum(slope, 1, keepdim=True, out=slopes['bias_3'])
        torch.bmm(tape.h_2.transpose(1, 2), slope, out=slopes['weight_3'])
        dz_2 = self._norm_2.backward(slope * self._weight_3.transpose(1, 2), tape.z_2, tape.h_2)
        torch.bmm(tape.h_1.transpose(1, 2), dz_2, out=slopes['weight_2'])
        dh_1 = torch.bmm(dz_2, self._weight_2.transpose(1, 2))
        dz_1 = self._norm_1.backward(dh_1, tape.z_1, tape.h_1)
        torch.bmm(tape.inputs.transpose(1, 2), dz_1, out=slopes['weight_1'])

    def _head(self, hidden: Tensor) -> Tensor:
        return torch.baddbmm(self._bias_3, hidden, self._weight_3).squeeze(-1)

    def settle(self) -> None:
        """Takes the last pair's statistics into the running ones."""
        self._norm_1.settle()
        self._norm_2.settle()

    @torch.no_grad()
    def probe(self, inputs: Tensor) -> Tensor:
        """Returns the values under the running statistics, (members, batch)."""
        inputs = inputs.expand(len(self._weight_1), -1, -1)
        gain_1, offset_1 = self._norm_1.frozen()
        h_1 = torch.addcmul(offset_1, torch.bmm(inputs, self._weight_1), gain_1).relu_()
        gain_2, offset_2 = self._norm_2.frozen()
        h_2 = torch.addcmul(offset_2, torch.bmm(h_1, self._weight_2), gain_2).relu_()
        self._probe = _Probe(h_1, gain_1, h_2, gain_2)
        return self._head(h_2)

    @torch.no_grad()
    def action_slope(self, slope: Tensor) -> Tensor:
        """Returns d loss / d action, summed over the members, (batch, actions)."""
        probe = self._probe
        if probe is None:
            raise RuntimeError('critics: action_slope before probe; call probe first')
        dh_2 = slope.unsqueeze(-1) * (self._weight_3.transpose(1, 2) * probe.gain_2)
        dz_2 = torch.ops.aten.threshold_backward(dh_2, probe.h_2, 0)
        dh_1 = torch.bmm(dz_2, self._weight_2.transpose(1, 2))
        dz_1 = torch.ops.aten.threshold_backward(dh_1, probe.h_1, 0).mul_(probe.gain_1)
        weight = self._weight_1[:, self._observations :]
        return torch.bmm(dz_1, weight.transpose(1, 2)).sum(0)


class Renorm:
    """Batch renormalisation and relu of one layer of all members."""

    def __init__(self, flat: Flat, layer: int, config: LearnerConfig) -> None:
        self._config = config
        self.gamma, self.beta = flat.values[f'gamma_{layer}'], flat.values[f'beta_{layer}']
        self._slopes = flat.slopes[f'gamma_{layer}'], flat.slopes[f'beta_{layer}']
        self._running_mean = torch.zeros_like(self.gamma)
        self._running_variance = torch.ones_like(self.gamma)
        self._settled = torch.zeros(1, dtype=torch.int64)
        self._batch: _Statistics | None = None

    def memory(self) -> dict[str, Tensor]:
        """Returns the running statistics and how many batches made them."""
        return {
            'running_mean': self._running_mean,
            'running_variance': self._running_variance,
            'settled': self._settled,
        }

    def train(self, z: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
        """Returns relu(renorm) of two batches under their common statistics, and remembers these.

        Args:
            z: (members, rows, width).
            following: the same one step later, (members, rows, width).
        """
        rows = z.shape[1] + following.shape[1]
        mean = (z.sum(1, keepdim=True) + following.sum(1, keepdim=True)).div_(rows)
        squares = z.square().sum(1, keepdim=True) + following.square().sum(1, keepdim=True)
        variance = squares.div_(rows).sub_(mean.square()).clamp_(min=0.0)
        std = (variance + EPSILON).sqrt_()
        scale, shift = self._correction(mean, std)
        slope = scale / std
        gain = self.gamma * slope
        offset = self.beta + self.gamma * (shift - mean * slope)
        self._batch = _Statistics(mean, variance, std, scale, shift, rows)
        return (
            torch.addcmul(offset, z, gain).relu_(),
            torch.addcmul(offset, following, gain).relu_(),
        )

    def _correction(self, mean: Tensor, std: Tensor) -> tuple[Tensor, Tensor]:
        config = self._config
        if int(self._settled) < config.renorm_warmup:
            return torch.ones_like(std), torch.zeros_like(mean)
        running = (self._running_variance + EPSILON).sqrt()
        scale = (std / running).clamp_(1.0 / config.renorm_scale_max, config.renorm_scale_max)
        shift = (mean - self._running_mean) / running
        return scale, shift.clamp_(-config.renorm_shift_max, config.renorm_shift_max)

    def backward(self, dh: Tensor, z: Tensor, h: Tensor) -> Tensor:
        """Returns d loss / d z of the first batch, and writes the gradients of γ and β.

        Args:
            dh: d loss / d h, (members, rows, width).
            z: what `train` was given.
            h: what `train` returned for it.
        """
        batch = self._batch
        if batch is None:
            raise RuntimeError('renorm: backward before train; call train first')
        for_gamma, for_beta = self._slopes
        dy = torch.ops.aten.threshold_backward(dh, h, 0)
        sum_dy = torch.sum(dy, 1, keepdim=True, out=for_beta)
        sum_dy_n = ((dy * z).sum(1, keepdim=True) - batch.mean * sum_dy) / batch.std
        torch.addcmul(batch.shift * sum_dy, batch.scale, sum_dy_n, out=for_gamma)
        # dz = gain · (dy − mean(dy) − n · mean(dy · n)), as gain·dy + along·z + constant
        gain = self.gamma * batch.scale / batch.std
        along = -gain * sum_dy_n / (batch.std * batch.rows)
        constant = -gain * sum_dy / batch.rows - along * batch.mean
        return torch.addcmul(torch.addcmul(constant, dy, gain), z, along)

    @torch.no_grad()
    def settle(self) -> None:
        """Takes the last batch's statistics into the running ones: a mean first, a decay later."""
        batch = self._batch
        if batch is None:
            return
        seen = int(self._settled)
        fresh = max(1.0 - self._config.renorm_momentum, 1.0 / (seen + 1))
        self._running_mean.lerp_(batch.mean, fresh)
        self._running_variance.lerp_(batch.variance, fresh)
        self._settled += 1

    def frozen(self) -> tuple[Tensor, Tensor]:
        """Returns gain and offset under the running statistics, (members, 1, width) each."""
        gain = self.gamma / (self._running_variance + EPSILON).sqrt()
        return gain, self.beta - self._running_mean * gain


class _Statistics(NamedTuple):
    mean: Tensor
    variance: Tensor
    std: Tensor
    scale: Tensor
    """r"""
    shift: Tensor
    """d"""
    rows: int


class _Tape(NamedTuple):
    inputs: Tensor
    z_1: Tensor
    h_1: Tensor
    z_2: Tensor
    h_2: Tensor


class _Probe(NamedTuple):
    h_1: Tensor
    gain_1: Tensor
    h_2: Tensor
    gain_2: Tensor
