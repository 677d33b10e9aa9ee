"""The dual variables as configured: λ, α, the share of the action box, and what λ is moved by."""

from __future__ import annotations

from quad_learner.learning.box_share import BoxShare
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.learning.multiplier import DualAscent, Multiplier, Temperature
from quad_learner.learning.pid_multiplier import PidGains, PidMultiplier


def multiplier_of(config: LearnerConfig) -> Multiplier:
    """Returns the configured law for λ."""
    initial, required = config.initial_multiplier, config.margin_required_rad
    rate, step_max = config.multiplier_rate, config.multiplier_step_max
    if config.multiplier_law == 'pid':
        gains = PidGains(
            config.pid_proportional, rate, config.pid_derivative, config.pid_smoothing
        )
        return PidMultiplier(initial, required, gains, step_max, config.multiplier_max)
    return DualAscent(initial, required, rate, step_max, config.multiplier_max)


def temperature_of(config: LearnerConfig, actions: int) -> Temperature:
    """Returns α at its start; `actions`: numbers in an action, each has its target entropy."""
    return Temperature(
        config.initial_temperature,
        config.entropy_per_action * actions,
        config.temperature_rate,
        config.temperature_step_max,
    )


def box_share_of(config: LearnerConfig) -> BoxShare:
    """Returns the share of the box: all of it where nothing is constrained."""
    start = config.box_start if config.constrained else 1.0
    return BoxShare(start, config.box_opening)


def measured_margin(config: LearnerConfig, expected: float, recent: float) -> float:
    """Returns the average margin [rad] that λ is moved by.

    Args:
        config: says which, or the lower of both.
        expected: by the safety critics, of the present policy [rad].
        recent: of the last steps taken [rad].
    """
    if config.multiplier_measure == 'critic':
        return expected
    if config.multiplier_measure == 'recent':
        return recent
    return min(expected, recent)
