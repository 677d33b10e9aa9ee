"""A mirror that is none is refused."""

from __future__ import annotations

import numpy as np
import pytest

from quad_learner.learning.mirror import Mirror

ONES = np.ones(3, np.float32)


@pytest.mark.parametrize(
    ('index', 'sign', 'complaint'),
    [
        ([1, 2, 0], ONES, 'twice'),
        ([1, 1, 0], ONES, 'once'),
        ([0, 1, 3], ONES, 'once'),
        ([1, 0, 2], np.array([1, -1, 1], np.float32), 'twice'),
        ([0, 1, 2], np.array([1, 2, 1], np.float32), 'twice'),
        ([0, 1], ONES, 'equally'),
    ],
)
def test_what_is_not_a_reflection_is_refused(
    index: list[int], sign: np.ndarray, complaint: str
) -> None:
    with pytest.raises(ValueError, match=f'observation.*{complaint}|{complaint}'):
        Mirror(np.array(index), sign, np.array([0]), np.ones(1, np.float32))


def test_a_swap_with_a_sign_is_a_reflection() -> None:
    Mirror(np.array([1, 0, 2]), -ONES, np.array([0]), np.ones(1, np.float32))
