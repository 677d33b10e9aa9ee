"""Golden answers: what a model must answer to a few observations, told by whom it was made from.

Whoever exports a policy lets its own network answer, and the model carries observations and
answers with it. Before a model drives it is asked the same in the very runtime that would run it:
one with other weights, swapped outputs, another share of the box, or a runtime that computes
something else answers differently. The learner asks before it gives a model away, whoever drives
it asks again.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.float32]
Answer = Callable[[Table], tuple[Table, Table]]
"""from an observation to the mean before squashing, and the deviation"""

TOLERANCE = 1e-4
"""of the action range, and of a deviation: far above rounding, which was seen to make 2e-7, far
below what a joint feels: 0.04 mrad of a reach of 0.4 rad"""
RECENT = 4
"""of the newest observations: what it is about to see"""
ROWS_MAX = 64
"""answers compared at most: a model from elsewhere must not hold up whoever drives"""
MEAN_MAX = 1e4
"""before squashing, which is flat beyond 9: a sum as large comes of weights that ran away. To what
no observation is, a network that does not clip its inputs may answer with more."""
DEVIATION_MAX = float(np.exp(5.0))
"""e to the largest `log_std_max` that can be configured"""
_TYPICAL, _TYPICAL_SPREAD = 4, 3.0
"""observations by chance, and their deviation: the bulk of what is within the bound"""
_SEED = 20
"""of them: the same for every model, so that two can be compared"""
_BOUND, _BEYOND = 10.0, 1e6
"""numbers that no observation of a task exceeds, and what a broken sensor might show"""
_FLOAT = np.dtype('<f4')
"""of what a model carries: observation, action and deviation side by side, a row an answer"""


def observations_of(recent: Table) -> Table:
    """Returns the observations to ask: typical, extreme, and the last of `recent`.

    Args:
        recent: observations of late, newest last, (any, observations).
    """
    size = recent.shape[1]
    chance = np.random.default_rng(_SEED)
    typical = np.clip(_TYPICAL_SPREAD * chance.standard_normal((_TYPICAL, size)), -_BOUND, _BOUND)
    turns = np.where(np.arange(size) % 2, -1.0, 1.0)
    flat = np.ones(size)
    extreme = (0.0 * flat, _BOUND * flat, -_BOUND * flat, _BOUND * turns, _BEYOND * turns)
    return np.concatenate((typical, extreme, recent[-RECENT:])).astype(np.float32)


def written(observation: Table, action: Table, deviation: Table) -> str:
    """Returns answers as a model carries them, in its property `golden`: base64.

    Args:
        observation: what was asked, (rows, observations).
        action: box · tanh of the mean that was answered, (rows, actions).
        deviation: answered with it, (rows, actions).
    """
    rows = np.concatenate((observation, action, deviation), axis=1)
    return base64.b64encode(np.ascontiguousarray(rows, _FLOAT).tobytes()).decode('ascii')


def objection(text: str, sizes: tuple[int, int], box: float, answer: Answer) -> str:
    """Returns why a model must not drive, empty if nothing speaks against it.

    One that carries no golden answers is asked too, but there is nothing to compare with.

    Args:
        text: what `written` returned, or empty.
        sizes: numbers in an observation and in an action.
        box: share of the action range that is open.
        answer: asks the model.
    """
    observations, actions = sizes
    told = _read(text, observations + 2 * actions) if text else None
    if text and told is None:
        return 'carries golden answers that cannot be read'
    asked = observations_of(np.zeros((0, observations), np.float32))
    asked = asked if told is None else told[:, :observations]
    found = np.empty((len(asked), 2 * actions), np.float32)
    for row, observation in enumerate(asked):
        found[row, :actions], found[row, actions:] = answer(observation)
    if not np.isfinite(found).all():
        return 'answers with non-finite numbers'
    likely = found[np.abs(asked).max(axis=1) <= _BOUND]
    mean, deviation = np.abs(likely[:, :actions]), likely[:, actions:]
    if mean.max(initial=0.0) > MEAN_MAX or deviation.max(initial=0.0) > DEVIATION_MAX:
        return (
            f'answers with a mean beyond {MEAN_MAX:.0f} or a deviation beyond {DEVIATION_MAX:.0f}'
        )
    found[:, :actions] = np.float32(box) * np.tanh(found[:, :actions])
    return '' if told is None else _compared(found, told[:, observations:], actions)


def _compared(found: Table, expected: Table, actions: int) -> str:
    off = np.abs(found - expected)
    off[:, actions:] /= 1.0 + np.abs(expected[:, actions:])
    largest = float(off.max())
    if largest <= TOLERANCE:  # a comparison with what is not a number is false
        return ''
    return f'answers otherwise than the network it was made from: off by {largest:.2g}'


def _read(text: str, columns: int) -> Table | None:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    rows, rest = divmod(len(data), columns * _FLOAT.itemsize)
    if rest or not 0 < rows <= ROWS_MAX:
        return None
    return np.frombuffer(data, _FLOAT).reshape(rows, columns)
