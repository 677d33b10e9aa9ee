"""Matrix products inside compiled functions: no copies, and no way through Python between them.

numba's own products are those of SciPy's BLAS, which is not the quickest everywhere: `blas` says
whose sgemm is called.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding
import numpy as np
from numba import int64, types, void

from quad_learner.learning.blas import sgemm_address
from quad_learner.learning.compiled_at_start import APART, compiled_at_start

ALIGNED = 4
"""numbers: a product reads rows quicker that begin at multiples of 16 bytes"""
_BYTES = np.dtype(np.float32).itemsize
_BLOCK = 64
"""rows made at once of a product with a transposed right side: MKL is half as fast with 128"""
_SGEMM_ARGUMENTS: list[Any] = 13 * [types.intp]
_SYMBOL = 'quad_learner_sgemm'
_PLAIN_TRANSPOSED = np.frombuffer(b'NT', np.uint8)
_ONE_ZERO = np.array((1.0, 0.0), np.float32)


# By name, not by address: what is kept on disk must find it where it lies the next time.
llvmlite.binding.add_symbol(_SYMBOL, sgemm_address())
_sgemm: Any = types.ExternalFunction(_SYMBOL, void(*_SGEMM_ARGUMENTS))


@compiled_at_start(void(APART, int64, APART, int64, APART), inner=True)
def _multiply(a: Any, a_turned: Any, b: Any, b_turned: Any, out: Any) -> None:  # pragma: no cover
    """Fortran sees each matrix transposed: outᵀ = bᵀ aᵀ."""
    if out.size == 0:
        return
    counts = np.empty(6, np.int32)
    counts[0] = out.shape[1]
    counts[1] = out.shape[0]
    counts[2] = a.shape[0] if a_turned else a.shape[1]
    counts[3] = b.strides[0] // _BYTES
    counts[4] = a.strides[0] // _BYTES
    counts[5] = out.strides[0] // _BYTES
    at, size = counts.ctypes.data, counts.itemsize
    flags, factors = _PLAIN_TRANSPOSED.ctypes.data, _ONE_ZERO.ctypes.data
    _sgemm(
        flags + b_turned,
        flags + a_turned,
        at,
        at + size,
        at + 2 * size,
        factors,
        b.ctypes.data,
        at + 3 * size,
        a.ctypes.data,
        at + 4 * size,
        factors + _BYTES,
        out.ctypes.data,
        at + 5 * size,
    )
    counts[:] = 0  # still in use: numba frees what is not used any more


@compiled_at_start(void(APART, APART, APART))
def product(a: Any, b: Any, out: Any) -> None:  # pragma: no cover
    """Gives a b in `out`, (rows, columns); float32, rows may be apart."""
    _multiply(a, 0, b, 0, out)


@compiled_at_start(void(APART, APART, APART))
def product_left(a: Any, b: Any, out: Any) -> None:  # pragma: no cover
    """Gives aᵀ b in `out`: the gradient of a layer's weight from its inputs and its slope."""
    _multiply(a, 1, b, 0, out)


@compiled_at_start(void(APART, APART, APART))
def product_right(a: Any, b: Any, out: Any) -> None:  # pragma: no cover
    """Gives a bᵀ in `out`: the slope of a layer's inputs from its own slope and its weight."""
    for row in range(0, len(a), _BLOCK):
        _multiply(a[row : row + _BLOCK], 0, b, 1, out[row : row + _BLOCK])
