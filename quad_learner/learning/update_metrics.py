"""What an update of the learner saw."""

from __future__ import annotations

from typing import NamedTuple


class UpdateMetrics(NamedTuple):
    """What one update saw. The actor's part is that of the last update that moved the actor."""

    reward_critic_loss: float
    safety_critic_loss: float
    reward_value: float
    """mean Q_r of the batch's actions"""
    constraint: float
    """average margin that the policy is expected to keep, (1 − γ_s) Q_s [rad]"""
    recent_constraint: float
    """average margin of the last steps taken [rad]"""
    actor_loss: float
    entropy: float
    """of the policy, −log π [nat]"""
    temperature: float
    """α"""
    multiplier: float
    """λ"""
    skipped: int
    """steps of critics or actor ever skipped because of gradients or values beyond reason"""
    rollbacks: int
    """times the learner went back to its last good state"""


class CriticLosses(NamedTuple):
    """Half mean squared errors, and the mean value."""

    reward: float
    safety: float
    reward_value: float


class ActorLosses(NamedTuple):
    """What the actor's update saw, as in `UpdateMetrics`."""

    loss: float
    entropy: float
    constraint: float
