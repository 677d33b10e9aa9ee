"""Tiles of a product, in the shapes of other processors than this one too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numba import njit

from quad_learner.learning.tile import TileShape, shape_on, tile_of


@pytest.mark.parametrize('shape', [TileShape(8, 2, 16), TileShape(6, 2, 8), TileShape(8, 2, 4)])
@pytest.mark.parametrize('inner', [1, 5])
def test_a_tile_is_the_product_of_its_rows(shape: TileShape, inner: int) -> None:
    draw = np.random.default_rng(inner).standard_normal
    a = draw((shape.rows + 2, 2 * inner)).astype(np.float32)[:, ::2]
    panel = draw((inner, shape.columns)).astype(np.float32)
    out = np.full((shape.rows + 2, shape.columns + 1), 7.0, np.float32)
    tile = tile_of(shape)

    @njit
    def make(a: Any, panel: Any, out: Any) -> None:
        tile(a, panel, out, 1)

    make(a, panel, out)
    inside = out[1:-1, :-1]
    expected = a[1:-1].astype(np.float64) @ panel
    np.testing.assert_allclose(inside, expected, rtol=1e-5, atol=1e-6)
    assert np.count_nonzero(out != 7.0) == inside.size


@pytest.mark.parametrize(
    ('features', 'registers', 'lanes'),
    [({'avx512f': True, 'avx2': True}, 32, 16), ({'avx2': True}, 16, 8), ({'neon': True}, 32, 4)],
)
def test_a_tile_fits_into_the_registers(
    features: dict[str, bool], registers: int, lanes: int
) -> None:
    shape = shape_on(features)
    assert shape.lanes == lanes
    sums, of_a_row, number = shape.rows * shape.vectors, shape.vectors, 1
    assert sums + of_a_row + number <= registers
