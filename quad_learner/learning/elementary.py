"""exp and log for compiled loops: without a call or a branch, so that eight are taken at once.

Within a few units in the last place of float32; what is not a number stays so.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import float32

from quad_learner.learning.compiled_at_start import TWO, compiled_at_start

_LARGEST = np.float32(87.0)
"""e to it and to its negative are normal numbers; beyond, the nearer of the two is given"""
_PER_LOG_2 = np.float32(1.0 / math.log(2.0))
_LOG_2_HIGH = np.float32(0.693359375)
"""log 2 in few bits, so that a whole number times it is exact"""
_LOG_2_LOW = np.float32(math.log(2.0) - 0.693359375)
_ROUNDER = np.float32(1.5 * 2.0**23)
"""added to a small number it leaves no place for a fraction"""
_EXPONENT_BIAS, _EXPONENT_SHIFT = 127, 23
"""of float32"""
_EXP = tuple(np.float32(1.0 / math.factorial(k)) for k in range(8))
_ATANH = tuple(np.float32(1.0 / k) for k in (1, 3, 5, 7, 9, 11, 13, 15))


@compiled_at_start(float32(float32), reordered=False)
def exp(x: Any) -> Any:  # pragma: no cover
    """Returns e^x = 2^k e^r with whole k and |r| ≤ log(2) / 2, e^r by its series."""
    x = -_LARGEST if x < -_LARGEST else x
    x = _LARGEST if x > _LARGEST else x
    rounded = x * _PER_LOG_2 + _ROUNDER
    whole = rounded - _ROUNDER
    r = (x - whole * _LOG_2_HIGH) - whole * _LOG_2_LOW
    series = _EXP[7]
    series = series * r + _EXP[6]
    series = series * r + _EXP[5]
    series = series * r + _EXP[4]
    series = series * r + _EXP[3]
    series = series * r + _EXP[2]
    series = series * r + _EXP[1]
    series = series * r + _EXP[0]
    # The low bits of `rounded` are k: moved to where the exponent lies they make 2^k.
    bits = np.float32(rounded).view(np.int32) + _EXPONENT_BIAS
    return series * np.int32(bits << _EXPONENT_SHIFT).view(np.float32)


@compiled_at_start(float32(float32), reordered=False)
def log1p(x: Any) -> Any:  # pragma: no cover
    """Returns log(1 + x) for 0 ≤ x ≤ 1: 2 artanh(s), s = x / (2 + x) ≤ 1/3, by its series."""
    s = x / (TWO + x)
    square = s * s
    series = _ATANH[7]
    series = series * square + _ATANH[6]
    series = series * square + _ATANH[5]
    series = series * square + _ATANH[4]
    series = series * square + _ATANH[3]
    series = series * square + _ATANH[2]
    series = series * square + _ATANH[1]
    series = series * square + _ATANH[0]
    return TWO * s * series
