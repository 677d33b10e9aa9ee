"""What an evaluation found, as a file for machines and as a few lines for people."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from quad_learner.evaluation import Score, spread
from quad_learner.experience.durable import write_atomically
from quad_learner.experience.footfall_chart import write_chart
from quad_learner.experience.gait import ACROSS, DIAGONALS, SIDES, Gait
from quad_learner.experience.run_directory import RunDirectory
from quad_learner.experience.walk_quality import VIBRATION_HZ, WalkQuality, quality_of

UNKNOWN = '—'
DECIMALS = 4
"""of the figures in the file: a tenth of a millimetre, a hundredth of a per cent"""


def write_scorecard(
    run: RunDirectory,
    scores: Sequence[Score],
    seed: int,
    four_legs: bool,
    policy: Path | None = None,
) -> WalkQuality:
    """Writes evaluation.json, and footfalls.png of a robot with four legs; earlier ones go.

    Args:
        run: whose policy was driven.
        scores: of the episodes, at least one.
        seed: of the world.
        four_legs: the robot has one foot in each quarter.
        policy: file of the policy that was driven; None is that of walking forward.

    Returns:
        the figures of all episodes together.

    Raises:
        OSError: the files cannot be written.
    """
    quality = quality_of([score.bout for score in scores], four_legs)
    content = {
        'policy': (policy or run.policy).name,
        'seed': seed,
        'speed_m_s': dict(
            zip(('mean', 'std'), spread(score.speed for score in scores), strict=True)
        ),
        'falls': sum(score.fell for score in scores),
        'tumbles': sum(score.tumbled for score in scores),
        'walk': asdict(quality),
        'episodes': [
            {
                'speed_m_s': score.speed,
                'return': score.total_reward,
                'steps': score.steps,
                'fell': score.fell,
                'tumbled_before': score.tumbled,
                'walk': asdict(quality_of([score.bout], four_legs)),
            }
            for score in scores
        ],
    }
    write_atomically(run.evaluation, json.dumps(_rounded(content), indent=2) + '\n')
    if quality.gait is not None:
        longest = max(scores, key=lambda score: len(score.bout.contact))
        write_chart(
            run.footfalls, longest.bout, f'{quality.gait.pattern}, {longest.speed:.2f} m/s'
        )
    return quality


def means(scores: Sequence[Score]) -> tuple[str, ...]:
    """Returns the last row of a table of episodes: speed, return, falls, tumbles of them all."""
    speed, returned = spread(s.speed for s in scores), spread(s.total_reward for s in scores)
    return (
        'mean ± sd',
        f'{speed[0]:.3f} ± {speed[1]:.3f}',
        f'{returned[0]:.1f} ± {returned[1]:.1f}',
        '',
        f'{sum(score.fell for score in scores)}/{len(scores)}',
        f'{sum(score.tumbled for score in scores)}',
    )


def lines(quality: WalkQuality) -> list[tuple[str, str]]:
    """Returns the figures as pairs of words, for a table."""
    other = ', '.join(f'{name} {_share(part)}' for name, part in quality.other_contacts.items())
    return [
        *(_gait_lines(quality.gait) if quality.gait is not None else ()),
        (
            'cost of transport',
            f'{_number(quality.cost_of_transport_mechanical)} mechanical, '
            f'{_number(quality.cost_of_transport_electrical)} from the battery',
        ),
        ('roughness of actions', _number(quality.action_roughness)),
        (f'vibration (above {VIBRATION_HZ:g} Hz)', _share(quality.vibration_share)),
        (
            'scooting (not on feet alone)',
            _share(quality.other_contact_share) + (f': {other}' if other else ''),
        ),
        ('trunk height', f'{quality.height_mean_m:.3f} ± {quality.height_std_m:.3f} m'),
        (
            'largest lean',
            f'roll {math.degrees(quality.roll_max_rad):.1f}°, '
            f'pitch {math.degrees(quality.pitch_max_rad):.1f}°',
        ),
    ]


def _gait_lines(gait: Gait) -> list[tuple[str, str]]:
    def shown(values: Mapping[str, float | None]) -> str:
        texts = (UNKNOWN if value is None else f'{value:.2f}' for value in values.values())
        return ', '.join(f'{n.replace("_", " ")} {t}' for n, t in zip(values, texts, strict=True))

    def phases(names: Sequence[str]) -> str:
        pairs = (gait.pairs[name] for name in names)
        return ', '.join(UNKNOWN if p.phase is None else f'{p.phase:+.2f}' for p in pairs)

    return [
        ('gait', gait.pattern),
        ('duty factor', shown(gait.duty_factor)),
        ('strides a second', shown(gait.stride_hz)),
        ('touches a step (1: no bounce)', shown(gait.touches_per_step)),
        (
            'phases (0 together, ±0.5 in turn)',
            f'diagonal {phases(DIAGONALS)}; sides {phases(SIDES)}; front, hind {phases(ACROSS)}',
        ),
        (
            'steadiness of phases (1: always)',
            f'{min(pair.steadiness for pair in gait.pairs.values()):.2f} at least',
        ),
    ]


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f'{value:.3f}'


def _share(value: float | None) -> str:
    return UNKNOWN if value is None else f'{value:.1%}'


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DECIMALS)
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    return [_rounded(part) for part in value] if isinstance(value, list) else value
