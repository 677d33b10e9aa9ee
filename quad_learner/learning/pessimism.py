"""How the members of an ensemble become one cautious value, and what each contributes to it.

Each function takes values, (members, batch), and returns the value, (batch,), and its slope: how
much it moves with each member's, (members, batch).
"""

from __future__ import annotations

import torch
from torch import Tensor


def minimum(value: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the least member's value (Fujimoto et al. 2018, arXiv 1802.09477)."""
    least, index = value.min(0)
    return least, torch.zeros_like(value).scatter_(0, index.unsqueeze(0), 1.0)


def mean_minus_std(value: Tensor, deviations: float) -> tuple[Tensor, Tensor]:
    """Returns the mean less so many standard deviations of the members (Wu et al. 2024, CAL)."""
    members = len(value)
    mean = value.mean(0)
    centred = value - mean
    std = centred.square().mean(0).sqrt()
    # Members that agree have no direction of disagreement.
    along = torch.where(std > 0.0, centred / std, torch.zeros_like(centred))
    return mean - deviations * std, (1.0 - deviations * along) / members
