"""How the members of an ensemble become one cautious value, and what each contributes to it."""

from __future__ import annotations

import torch
from torch import Tensor

MINIMUM = -1.0
"""in place of a number of deviations: the least member's value (Fujimoto et al. 2018, TD3)"""


def pessimistic(value: Tensor, deviations: float) -> tuple[Tensor, Tensor]:
    """Returns one value, (batch,), and its slope, (members, batch): how much it moves with each.

    Args:
        value: of each member, (members, batch).
        deviations: so many standard deviations below the mean (Wu et al. 2024, arXiv 2401.14758),
            or MINIMUM.
    """
    if deviations < 0.0:
        least, index = value.min(0)
        return least, torch.zeros_like(value).scatter_(0, index.unsqueeze(0), 1.0)
    mean = value.mean(0)
    centred = value - mean
    std = centred.square().mean(0).sqrt()
    # Members that agree have no direction of disagreement.
    along = torch.where(std > 0.0, centred / std, torch.zeros_like(centred))
    return mean - deviations * std, (1.0 - deviations * along) / len(value)
