"""Matrix products inside compiled functions: no copies, and no way through Python between them.

On matrices as small as the learner's they are quicker than a BLAS, which is made for large ones
(docs/results.md), and need none: neither what is installed nor how it was told to behave changes
what is learned.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import int64, void

from quad_learner.learning.compiled_at_start import APART, ROWS, ZERO, compiled_at_start
from quad_learner.learning.tile import HALF_TILE, TILE, half_tile, tile, tile_row

_ROWS, _HALF, _COLUMNS = TILE.rows, HALF_TILE.rows, TILE.columns
_ACROSS = 8
"""numbers of a row turned into a column at a time: their row is still in the cache"""


@compiled_at_start(void(APART, ROWS, APART), inner=True)
def _fill(a: Any, panel: Any, out: Any) -> None:  # pragma: no cover
    """Gives a times the panel in `out`, which is as wide."""
    rows, row = len(out), 0
    while row + _ROWS <= rows:
        tile(a, panel, out, row)
        row += _ROWS
    if row + _HALF <= rows:
        half_tile(a, panel, out, row)
        row += _HALF
    while row < rows:
        tile_row(a, panel, out, row)
        row += 1


@compiled_at_start(void(APART, ROWS, APART), inner=True)
def _multiply(a: Any, panel: Any, out: Any) -> None:  # pragma: no cover
    """Gives a times the panel in `out`, which may be narrower: the panel's rest counts nothing."""
    if out.shape[1] == _COLUMNS:
        _fill(a, panel, out)
        return
    whole = np.empty((len(out), _COLUMNS), np.float32)
    _fill(a, panel, whole)
    for i in range(len(out)):
        for j in range(out.shape[1]):
            out[i, j] = whole[i, j]


@compiled_at_start(void(APART, int64, int64, ROWS), inner=True)
def _copy(b: Any, begin: int, columns: int, panel: Any) -> None:  # pragma: no cover
    """Gives columns of b in the first ones of the panel."""
    if columns == _COLUMNS:  # a number that the compiler knows is copied by whole registers
        for i in range(len(panel)):
            for j in range(_COLUMNS):
                panel[i, j] = b[i, begin + j]
        return
    for i in range(len(panel)):
        for j in range(columns):
            panel[i, j] = b[i, begin + j]


@compiled_at_start(void(APART, int64, int64, ROWS), inner=True)
def _turn(b: Any, begin: int, columns: int, panel: Any) -> None:  # pragma: no cover
    """Gives rows of b as the first columns of the panel."""
    whole = len(panel) // _ACROSS * _ACROSS
    if columns == _COLUMNS:  # see _copy
        for near in range(0, whole, _ACROSS):
            for j in range(_COLUMNS):
                for i in range(_ACROSS):
                    panel[near + i, j] = b[begin + j, near + i]
    else:
        whole = 0
    for i in range(whole, len(panel)):
        for j in range(columns):
            panel[i, j] = b[begin + j, i]


@compiled_at_start(void(APART, APART, int64, APART), inner=True)
def _multiply_by(a: Any, b: Any, turned: int, out: Any) -> None:  # pragma: no cover
    """Gives a b, or where b is turned a bᵀ, in `out`."""
    if a.shape[1] == 0:
        out[:] = ZERO
        return
    panel = np.zeros((a.shape[1], _COLUMNS), np.float32)
    for begin in range(0, out.shape[1], _COLUMNS):
        part = out[:, begin : begin + _COLUMNS]
        if turned:
            _turn(b, begin, part.shape[1], panel)
        else:
            _copy(b, begin, part.shape[1], panel)
        _multiply(a, panel, part)


@compiled_at_start(void(APART, APART, APART))
def product(a: Any, b: Any, out: Any) -> None:  # pragma: no cover
    """Gives a b in `out`, (rows, columns); float32, rows may be apart."""
    _multiply_by(a, b, 0, out)


@compiled_at_start(void(APART, APART, APART))
def product_left(a: Any, b: Any, out: Any) -> None:  # pragma: no cover
    """Gives aᵀ b in `out`: the gradient of a layer's weight from its inputs and its slope."""
    _multiply_by(a.T, b, 0, out)


@compiled_at_start(void(APART, APART, APART))
def product_right(a: Any, b: Any, out: Any) -> None:  # pragma: no cover
    """Gives a bᵀ in `out`: the slope of a layer's inputs from its own slope and its weight."""
    _multiply_by(a, b, 1, out)
