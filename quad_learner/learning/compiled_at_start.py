"""How the learner's inner loops are compiled: what an update does takes no way through Python.

Unlike those of quad_learner/compiled.py they are not kept on disk: they call functions of other
files, and the BLAS by an address that holds for one process alone.

Every array is float32. What is not finite stays so on the way: the optimiser looks for it at the
end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import float32, njit

COLUMN, ROWS, MEMBERS = float32[::1], float32[:, ::1], float32[:, :, ::1]
"""types of the compiled functions' arrays, by their dimensions"""
APART = float32[:, :]
"""rows that need not follow each other closely"""
ZERO, HALF, ONE, TWO = (np.float32(number) for number in (0.0, 0.5, 1.0, 2.0))

Function = Callable[..., Any]


def compiled_at_start(
    signature: Any, reordered: bool = True, inner: bool = False
) -> Callable[[Function], Function]:
    """Compiles for these types when this file is imported: an update never waits for it.

    Args:
        signature: types of result and arguments, as numba writes them.
        reordered: whether sums may be taken in another order than written, eight at a time.
        inner: whether compiled functions alone call it: it then takes less time to compile.
    """
    options: dict[str, Any] = {
        'fastmath': {'reassoc', 'contract', 'arcp', 'nsz'} if reordered else {'contract'},
        'error_model': 'numpy',
        'no_cpython_wrapper': inner,
        'no_cfunc_wrapper': True,
    }
    made: Callable[[Function], Function] = njit(signature, **options)
    return made
