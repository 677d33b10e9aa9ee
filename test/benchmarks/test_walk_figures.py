from __future__ import annotations

import numpy as np

from quad_learner.evaluation import Score
from quad_learner.experience.walk_quality import Bout
from walk_figures import walk_figures

TICK_HZ = 80
STRIDE_TICKS = 40


def trot(way: float, fell: bool) -> Score:
    """Ten seconds in which each diagonal stands for the half of a stride of half a second."""
    ticks = 10 * TICK_HZ
    first = (np.arange(ticks) % STRIDE_TICKS) < STRIDE_TICKS // 2
    bout = Bout(
        tick_hz=TICK_HZ,
        action_hz=40,
        mass=10.0,
        contact=np.stack([first, ~first, ~first, first], axis=1),
        others=[()] * (ticks // 2) + [('trunk',)] * (ticks // 2),
        height=np.full(ticks, 0.27),
        roll=np.full(ticks, -0.1),
        pitch=np.full(ticks, 0.05),
        action=np.zeros((400, 12)),
        way=way,
        work=9.81 * 10.0 * way * 0.5,
        drawn=0.0,
    )
    return Score(way / 10.0, 0.0, 400, fell, bout)


def test_a_trot_is_told_with_its_figures() -> None:
    figures = walk_figures([trot(6.0, False), trot(8.0, True)], four_legs=True)
    assert figures['speeds_m_s'] == [0.6, 0.8]
    assert figures['falls'] == 1
    assert figures['gait'] == 'trot'
    assert figures['steadiness'] == 1.0
    assert figures['touches_per_step'] == [1.0] * 4
    assert figures['stride_hz'] == [2.0] * 4
    assert abs(figures['cost_of_transport'] - 0.5) < 1e-9
    assert figures['scooting'] == 0.5
    assert (figures['roll_max_rad'], figures['pitch_max_rad']) == (0.1, 0.05)


def test_a_robot_that_never_rose_and_one_without_four_legs_have_no_gait() -> None:
    assert walk_figures([], four_legs=True) == {'speeds_m_s': [], 'falls': 0}
    assert 'gait' not in walk_figures([trot(6.0, False)], four_legs=False)
