"""Products against numpy's, in double precision."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from quad_learner.learning.products import product, product_left, product_right

Numbers = np.ndarray


def _random(*shape: int) -> Numbers:
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize('rows', [1, 63, 64, 65, 130])
@pytest.mark.parametrize(
    ('made', 'left', 'right'),
    [
        (product, lambda x: x, lambda x: x),
        (product_left, lambda x: x.T, lambda x: x),
        (product_right, lambda x: x, lambda x: x.T),
    ],
)
def test_the_product_is_that_of_the_matrices(
    rows: int,
    made: Callable[[Numbers, Numbers, Numbers], None],
    left: Callable[[Numbers], Numbers],
    right: Callable[[Numbers], Numbers],
) -> None:
    a, b = _random(rows, 7), _random(7, 9)
    # Rows that lie apart, as a part of wider ones.
    given = np.full((*left(a).shape[:1], left(a).shape[1] + 3), np.nan, np.float32)
    given[:, :-3] = left(a)
    out = np.full((rows, 9), np.nan, np.float32)
    made(given[:, :-3], np.ascontiguousarray(right(b)), out)
    np.testing.assert_allclose(out, a.astype(np.float64) @ b, rtol=1e-4, atol=1e-5)


def test_no_rows_are_no_product() -> None:
    out = np.zeros((0, 9), np.float32)
    product(_random(0, 7), _random(7, 9), out)
    assert out.size == 0
