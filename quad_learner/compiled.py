"""Compiles small numeric functions, once for all processes.

A call of numpy on a dozen numbers costs more than the arithmetic, most of all where physics or
messages have just emptied the processor's caches. What is compiled here is kept on disk beside its
source. numba looks at that one file alone to tell whether it is still valid: a compiled function
may call others of its own file only, which is why a helper of three lines may stand in two files.
The learner's loops call each other across files: see learning/compiled_at_start.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import float64, njit, types

Kernel = Callable[..., Any]

ROW = float64[::1]
"""Type of an array that is written to."""
ROWS = float64[:, ::1]
READ_ROW = types.Array(float64, 1, 'C', readonly=True)
"""Type of an array that is only read, such as the numbers of a message or of the robot file."""
READ_ROWS = types.Array(float64, 2, 'C', readonly=True)
READ_BLOCKS = types.Array(float64, 3, 'C', readonly=True)


def compiled(signature: Any) -> Callable[[Kernel], Kernel]:
    """Compiles a function for the types of `signature` when its file is imported."""

    def compile_it(function: Kernel) -> Kernel:
        """Returns the compiled function; where nothing can be kept, it is compiled each time."""
        try:
            kept: Kernel = njit(signature, cache=True, error_model='numpy')(function)
        except RuntimeError:  # numba found no folder that it may write to
            kept = njit(signature, error_model='numpy')(function)
        return kept

    return compile_it
