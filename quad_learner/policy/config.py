"""Parameters of the policy node (config/policy.yaml)."""

from __future__ import annotations

from dataclasses import dataclass

from quad_learner.configuration import parameter


@dataclass(frozen=True)
class PolicyConfig:
    """How the policy explores and how long it waits for the learner."""

    noise_correlation_s: float = parameter('How long an exploration whim lasts.', 's', 0.0, 5.0)
    noise_scale: float = parameter("Share of the policy's own deviation explored.", '', 0.0, 2.0)
    action_smoothing: float = parameter(
        'Share of the last action kept in the next.', '', 0.0, 0.95
    )
    learner_patience_s: float = parameter(
        'Longest wait for the learner in lockstep.', 's', 0.0, 600.0
    )
