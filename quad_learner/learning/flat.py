"""Adam over one vector: one step, one copy, one check for all parameters of a network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

ADAM_BETA_2 = 0.999
"""Adam's memory of squared gradients (Kingma & Ba 2015)"""


class FlatAdam:
    """Adam over parameters that become views of one vector, as their gradients do.

    A gradient must be written into `parameter.grad`, not put in its place.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], rate: float, beta_1: float) -> None:
        """Args:
        parameters: moved into one vector; they keep their values.
        rate: step size.
        beta_1: momentum.
        """
        sizes = [parameter.numel() for parameter in parameters]
        with torch.no_grad():
            self.vector = nn.Parameter(torch.cat([p.reshape(-1) for p in parameters]))
        self._gradient = torch.zeros_like(self.vector)
        self.vector.grad = self._gradient
        pieces = zip(
            parameters,
            self.vector.data.split(sizes),
            self._gradient.split(sizes),
            strict=True,
        )
        for parameter, value, gradient in pieces:
            parameter.data = value.view(parameter.shape)
            parameter.grad = gradient.view(parameter.shape)
        self._adam = torch.optim.Adam(
            [self.vector], lr=rate, betas=(beta_1, ADAM_BETA_2), fused=True
        )
        self._adam.state[self.vector] = {
            'step': torch.zeros(()),
            'exp_avg': torch.zeros_like(self.vector),
            'exp_avg_sq': torch.zeros_like(self.vector),
        }

    def step(self) -> bool:
        """Moves the parameters; does nothing and returns False if the gradient is not finite."""
        if not torch.isfinite(self._gradient.sum()):
            return False
        self._adam.step()
        return True

    def state(self) -> dict[str, Tensor]:
        """Returns the parameters and Adam's memory by name; not copies."""
        return {'vector': self.vector.data, **self._adam.state[self.vector]}
