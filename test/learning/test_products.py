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


@pytest.mark.parametrize('columns', [9, 70])
def test_a_row_does_not_depend_on_what_is_multiplied_beside_it(columns: int) -> None:
    a, b = _random(23, 70), _random(70, columns)
    together, alone = np.empty((2, len(a), columns), np.float32)
    product(a, b, together)
    for row in range(len(a)):
        product(a[row : row + 1], b, alone[row : row + 1])
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize('columns', [64, 70])
def test_more_columns_than_a_panel_has(columns: int) -> None:
    a, b = _random(11, 37), _random(37, columns)
    expected = a.astype(np.float64) @ b
    plain, right = np.empty((2, len(a), columns), np.float32)
    product(a, b, plain)
    product_right(a, np.ascontiguousarray(b.T), right)
    np.testing.assert_allclose(plain, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(plain, right)


def test_nothing_to_sum_is_zero() -> None:
    out = np.full((3, 9), np.nan, np.float32)
    product(_random(3, 0), _random(0, 9), out)
    np.testing.assert_array_equal(out, np.zeros((3, 9)))


def test_no_rows_are_no_product() -> None:
    out = np.zeros((0, 9), np.float32)
    product(_random(0, 7), _random(7, 9), out)
    assert out.size == 0
