"""How a learned policy walks when it does not explore: speed, falls, gait, cost of transport."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quad_learner.evaluation import Configs, Performance, Score
from quad_learner.experience.walk_quality import quality_of
from quad_learner.policy.onnx_policy import OnnxPolicy

EPISODES = 3
"""half a minute of walking, some sixty strides"""


def walk_of(policy: OnnxPolicy, configs: Configs) -> dict[str, Any]:
    """Returns what `policy` does in EPISODES episodes, in a world of its own.

    Args:
        policy: drives.
        configs: of the world, its seed included.
    """
    performance = Performance(configs)
    performance.connect(policy)
    try:
        scores = [performance.episode() for _ in range(EPISODES)]
    finally:
        performance.close()
    known = [score for score in scores if score is not None]
    return walk_figures(known, performance.four_legs)


def walk_figures(scores: Sequence[Score], four_legs: bool) -> dict[str, Any]:
    """Returns figures by name; speeds and falls alone where nothing else can be told.

    Args:
        scores: of the episodes.
        four_legs: the robot has one foot in each quarter.
    """
    figures: dict[str, Any] = {
        'speeds_m_s': [round(score.speed, 3) for score in scores],
        'falls': sum(score.fell for score in scores),
    }
    if not scores:
        return figures
    quality = quality_of([score.bout for score in scores], four_legs)
    gait = quality.gait
    if gait is not None:
        touches = [touches for touches in gait.touches_per_step.values() if touches is not None]
        figures |= {
            'gait': gait.pattern,
            'steadiness': round(min(pair.steadiness for pair in gait.pairs.values()), 3),
            'touches_per_step': [round(number, 2) for number in touches],
            'stride_hz': [round(number, 2) for number in gait.stride_hz.values()],
        }
    return figures | {
        'cost_of_transport': quality.cost_of_transport_mechanical,
        'vibration': quality.vibration_share,
        'scooting': quality.other_contact_share,
        'roll_max_rad': round(quality.roll_max_rad, 3),
        'pitch_max_rad': round(quality.pitch_max_rad, 3),
    }
