"""Claims about how a followed velocity is scored."""

from __future__ import annotations

import math

import numpy as np
import pytest

from following import LAST, Following

AHEAD = np.array([0.5, 0.0, 0.0])
TENTH_S = 0.1


def test_the_mean_after_a_second_counts_in_the_bodys_own_frame() -> None:
    """A body that faces north goes north at 0.4 with a sway that evens out, and drifts west."""
    following = Following(TENTH_S)
    for _ in range(LAST):
        for _ in range(10):
            following.note(AHEAD, np.zeros(3), math.pi / 2.0, 3.0)
        for step in range(20):
            sway = 0.3 * (-1.0) ** step
            following.note(AHEAD, np.array([-0.1, 0.4 + sway, 0.0]), math.pi / 2.0, 0.2)
        following.end()
    # 0.1 too slow and 0.1 to the left.
    assert following.figures() == {
        'velocity_error_m_s': pytest.approx(math.hypot(0.1, 0.1), abs=1e-3),
        'yaw_rate_error_rad_s': pytest.approx(0.2, abs=1e-3),
    }


def test_commands_that_were_soon_over_do_not_count() -> None:
    following = Following(TENTH_S)
    for number in range(2 * LAST):
        for _ in range(19):
            following.note(AHEAD * (number % 2), np.zeros(3), 0.0, 0.0)
    following.end()
    assert following.figures() == {}
