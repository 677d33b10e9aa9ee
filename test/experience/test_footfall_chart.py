"""Claims about the picture of the foot contacts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from quad_learner.experience import drawing, footfall_chart
from quad_learner.experience.footfall_chart import write_chart
from quad_learner.experience.gait import Contacts
from quad_learner.experience.walk_quality import Bout


def bout(contact: Contacts, others: tuple[tuple[str, ...], ...]) -> Bout:
    ticks = len(contact)
    return Bout(
        tick_hz=80.0,
        action_hz=40.0,
        mass=10.0,
        contact=contact,
        others=others,
        height=np.zeros(ticks),
        roll=np.zeros(ticks),
        pitch=np.zeros(ticks),
        action=np.zeros((ticks // 2, 12)),
        way=1.0,
        work=1.0,
        drawn=1.0,
    )


def painted(path: Path, colour: str) -> int:
    """Returns how many pixels have a colour (#rrggbb)."""
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return int((np.asarray(Image.open(path).convert('RGB')) == wanted).all(axis=2).sum())


@pytest.mark.parametrize('seconds', [1, 10])
def test_ink_is_spent_on_the_time_on_the_ground(tmp_path: Path, seconds: int) -> None:
    ticks = 80 * seconds
    half = np.tile((np.arange(ticks) % 40 < 20)[:, None], 4)
    knees = tuple(('shin',) if tick % 40 < 10 else () for tick in range(ticks))
    ink = {}
    for name, made in (
        ('air', bout(np.zeros_like(half), ((),) * ticks)),
        ('trot', bout(half, ((),) * ticks)),
        ('stand', bout(np.ones_like(half), ((),) * ticks)),
        ('scoot', bout(half, knees)),
    ):
        path = tmp_path / f'{name}.png'
        write_chart(path, made, '')
        ink[name] = (painted(path, footfall_chart.GROUND), painted(path, drawing.RED))
    assert ink['air'] == (0, 0)
    assert ink['trot'][0] == pytest.approx(0.5 * ink['stand'][0], rel=0.1)
    # A quarter of the time on knees: of one row, where the feet have four for half the time.
    assert ink['scoot'][1] == pytest.approx(ink['scoot'][0] / 8.0, rel=0.15)
