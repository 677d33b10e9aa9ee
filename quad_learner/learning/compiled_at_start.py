"""How the learner's inner loops are compiled: what an update does takes no way through Python.

Every array is float32. What is not finite stays so on the way: the optimiser looks for it at the
end.

Compiling takes half a minute, so the result is kept beside the sources for the next start. numba
would look at a function's own file alone to tell whether that is still valid, but these call each
other across files: the folder is named for the contents of them all.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numba import config as numba_config
from numba import float32, njit

COLUMN, ROWS, MEMBERS = float32[::1], float32[:, ::1], float32[:, :, ::1]
"""types of the compiled functions' arrays, by their dimensions"""
APART = float32[:, :]
"""rows that need not follow each other closely"""
ZERO, HALF, ONE, TWO = (np.float32(number) for number in (0.0, 0.5, 1.0, 2.0))

Function = Callable[..., Any]

_NUMBA: Any = numba_config
"""its settings, which have no types"""


def _folder() -> Path:
    """Returns where what is compiled from the present sources is kept."""
    sources, digest = Path(__file__).parent, hashlib.sha256()
    for file in sorted(sources.glob('*.py')):
        content = file.read_bytes()
        digest.update(f'{file.name} {len(content)} '.encode() + content)
    return sources / '__pycache__' / f'kernels_{digest.hexdigest()[:16]}'


@contextmanager
def _kept(folder: Path) -> Iterator[bool]:
    """Lets numba keep what it compiles in `folder`; gives whether it can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        yield False
        return
    before = _NUMBA.CACHE_DIR
    _NUMBA.CACHE_DIR = str(folder)
    try:
        yield os.access(folder, os.W_OK)
    finally:
        _NUMBA.CACHE_DIR = before


_FOLDER = _folder()


def compiled_at_start(
    signature: Any, reordered: bool = True, inner: bool = False, literal: bool = False
) -> Callable[[Function], Function]:
    """Compiles for these types when this file is imported: an update never waits for it.

    Args:
        signature: types of result and arguments, as numba writes them.
        reordered: whether sums may be taken in another order than written, eight at a time.
        inner: whether compiled functions alone call it: it then takes less time to compile.
        literal: whether to round wherever Python would, so that a product is not added unrounded.
    """
    liberties = {'reassoc', 'contract', 'arcp', 'nsz'} if reordered else {'contract'}
    options: dict[str, Any] = {
        'fastmath': False if literal else liberties,
        'error_model': 'numpy',
        'no_cpython_wrapper': inner,
        'no_cfunc_wrapper': True,
    }

    def compile_it(function: Function) -> Function:
        with _kept(_FOLDER) as kept:
            made: Function = njit(signature, cache=kept, **options)(function)
        return made

    return compile_it
