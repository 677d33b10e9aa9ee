"""The robot's left-right symmetry: which number becomes which, and with what sign."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.intp]
Signs = NDArray[np.float32]


@dataclass(frozen=True)
class Mirror:
    """What a left-right mirrored world would show: mirrored[i] = sign[i] · original[index[i]].

    Raises:
        ValueError: mirroring twice would not give the original back.
    """

    observation_index: Indices
    """(observations,)"""
    observation_sign: Signs
    """+1 or −1, (observations,)"""
    action_index: Indices
    """(actions,)"""
    action_sign: Signs
    """+1 or −1, (actions,)"""

    def __post_init__(self) -> None:
        _check('observation', self.observation_index, self.observation_sign)
        _check('action', self.action_index, self.action_sign)


def _check(name: str, index: Indices, sign: Signs) -> None:
    if index.ndim != 1 or index.shape != sign.shape:
        raise ValueError(
            f'mirror: {name}_index {index.shape} and {name}_sign {sign.shape} must be equally '
            'long vectors'
        )
    order = np.arange(index.size)
    if not np.array_equal(np.sort(index), order):
        raise ValueError(f'mirror: {name}_index must name each of 0 … {index.size - 1} once')
    if not (np.array_equal(index[index], order) and np.all(sign * sign[index] == 1.0)):
        raise ValueError(f'mirror: {name} mirrored twice must be the original')
