"""Steps into the replay's table, and a batch out of it, compiled.

On the way out they are summed ahead, widened and mirrored.

A row of the table is one observation, in half precision, and what was done there:

    observation   (observations + 1) // 2 floats that hold two halves each
    action        actions floats
    reward, upright margin, future: one float each; future is one of the three below
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import boolean, float32, int32, int64, uint16, uint32, void

from quad_learner.learning.compiled_at_start import compiled_at_start

GOES_ON, FELL, NO_STEP = 0.0, 1.0, -1.0
"""what comes of a row: a step to the row below; the end; nothing, it is where a run broke off"""
ACCEPTED, OLDEST, NEWEST_ROW, EXPECTED, EXPECTED_EPISODE = range(5)
"""places in what a ring remembers, whole numbers: steps ever taken in; the number of the oldest
held; the row of the observation after the newest; sequence and episode of a step that would go on
from there, sequence NONE_EXPECTED for none"""
NONE_EXPECTED = -1
CACHE_LINE_HALVES = 32
"""of 64 bytes: what memory hands out at once"""

_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
# A half is s eeeee mmmmmmmmmm, a float s eeeeeeee mmmmmmmmmm0000000000000: moved there, the bits
# mean the same number but for the exponent's offset, 15 there and 127 here.
_SIGN, _REST = np.uint32(0x8000), np.uint32(0x7FFF)
_SIGN_SHIFT, _REST_SHIFT = np.uint32(16), np.uint32(13)
_OFFSET = np.float32(2.0 ** (127 - 15))
_TABLE, _HALVES = float32[:, ::1], uint16[:, ::1]
_NUMBERS, _INDEX, _PLACES, _BITS = float32[::1], uint32[::1], int64[::1], uint16[::1]


@compiled_at_start(void(_TABLE, _HALVES, int32[::1], _PLACES, _BITS), literal=True, inner=True)
def _begin_row(
    table: Any, halves: Any, row_of: Any, ring: Any, observation: Any
) -> None:  # pragma: no cover
    """Takes the place of the oldest row, and with it of the step that it may be."""
    row = (ring[NEWEST_ROW] + 1) % len(table)
    oldest = ring[OLDEST]
    if oldest < ring[ACCEPTED] and row_of[oldest % len(row_of)] == row:
        ring[OLDEST] = oldest + 1
    for j in range(len(observation)):
        halves[row, j] = observation[j]
    table[row, table.shape[1] - 1] = NO_STEP
    ring[NEWEST_ROW] = row


@compiled_at_start(boolean(_HALVES, int64, _BITS), literal=True, inner=True)
def _is_in(halves: Any, row: Any, observation: Any) -> Any:  # pragma: no cover
    """Returns whether a row's observation is this one; both zeros are one number."""
    for j in range(len(observation)):
        here, there = np.uint32(halves[row, j]), np.uint32(observation[j])
        if here != there and (here | there) & _REST != 0:
            return False
    return True


@compiled_at_start(
    void(
        *(_TABLE, _HALVES, int32[::1], _PLACES),
        *(_PLACES, _PLACES, boolean[::1], _HALVES, _TABLE, _HALVES),
    ),
    literal=True,
)
def take_in(
    table: Any,
    halves: Any,
    row_of: Any,
    ring: Any,
    sequence: Any,
    episode: Any,
    ended: Any,
    observation: Any,
    done: Any,
    next_observation: Any,
) -> None:  # pragma: no cover
    """Puts steps into the table, one after the other.

    Args:
        table: as for `gather`, likewise the next two.
        halves: see table.
        row_of: see table.
        ring: what the ring remembers, as above.
        sequence: of each step, (steps,).
        episode: of each step, (steps,).
        ended: whether it is the last of its episode, (steps,).
        observation: before it, as the bits of halves, (steps, observations).
        done: action, reward, margin and future, (steps, actions + 3).
        next_observation: after it, as the bits of halves, (steps, observations).
    """
    first = table.shape[1] - done.shape[1]
    for i in range(len(done)):
        expected = ring[EXPECTED] == sequence[i] and ring[EXPECTED_EPISODE] == episode[i]
        if not expected or not _is_in(halves, ring[NEWEST_ROW], observation[i]):
            _begin_row(table, halves, row_of, ring, observation[i])
        row, accepted = ring[NEWEST_ROW], ring[ACCEPTED]
        for j in range(done.shape[1]):
            table[row, first + j] = done[i, j]
        ring[OLDEST] = max(ring[OLDEST], accepted + 1 - len(row_of))
        row_of[accepted % len(row_of)] = row
        ring[ACCEPTED] = accepted + 1
        _begin_row(table, halves, row_of, ring, next_observation[i])
        ring[EXPECTED] = NONE_EXPECTED if ended[i] else sequence[i] + 1
        ring[EXPECTED_EPISODE] = episode[i]


@compiled_at_start(float32(uint16), literal=True, inner=True)
def _widened(half: Any) -> Any:  # pragma: no cover
    """Returns a finite half, given as its bits; exact."""
    bits = np.uint32(half)
    moved = ((bits & _SIGN) << _SIGN_SHIFT) | ((bits & _REST) << _REST_SHIFT)
    return np.uint32(moved).view(np.float32) * _OFFSET


@compiled_at_start(int64(_HALVES, _PLACES), literal=True, inner=True)
def _touched(halves: Any, rows: Any) -> Any:  # pragma: no cover
    """Returns a meaningless sum over the rows and those below them.

    Asked for all at once, they come from memory side by side; one by one each would be waited for.
    """
    total = 0
    for row in rows:
        below = (row + 1) % len(halves)
        for j in range(0, halves.shape[1], CACHE_LINE_HALVES):
            total += halves[row, j] + halves[below, j]
    return total


@compiled_at_start(
    void(_TABLE, _PLACES, int64, int64, float32, float32, _PLACES, _TABLE),
    literal=True,
    inner=True,
)
def _look_ahead(
    table: Any,
    rows: Any,
    reward: Any,
    steps: Any,
    discount: Any,
    safety_discount: Any,
    last: Any,
    columns: Any,
) -> None:  # pragma: no cover
    """Gives the row after the k-th step in `last`, and what `gather` says in `columns`."""
    margin, future = reward + 1, reward + 2
    for i in range(len(rows)):
        row, fell = rows[i], _ZERO
        rewards, margins, weight, safety_weight = _ZERO, _ZERO, _ONE, _ONE
        for _ in range(steps):
            rewards += weight * table[row, reward]
            margins += safety_weight * table[row, margin]
            weight *= discount
            safety_weight *= safety_discount
            fell = table[row, future]
            row = (row + 1) % len(table)
            if table[row, future] == NO_STEP:
                break
        last[i] = row
        columns[0, i], columns[1, i], columns[2, i] = rewards, margins, fell
        columns[3, i], columns[4, i] = weight, safety_weight


@compiled_at_start(
    void(_HALVES, _PLACES, int64, _INDEX, _NUMBERS, _TABLE), literal=True, inner=True
)
def _show(
    halves: Any, rows: Any, mirrored: Any, index: Any, sign: Any, out: Any
) -> None:  # pragma: no cover
    """Gives the rows' observations, the first of them mirrored."""
    size = out.shape[1]
    for i in range(mirrored):
        row = rows[i]
        for j in range(size):
            out[i, j] = _widened(halves[row, index[j]]) * sign[j]
    for i in range(mirrored, len(rows)):
        row = rows[i]
        for j in range(size):
            out[i, j] = _widened(halves[row, j])


@compiled_at_start(
    void(_TABLE, _PLACES, int64, int64, _INDEX, _NUMBERS, _TABLE), literal=True, inner=True
)
def _show_done(
    table: Any, rows: Any, mirrored: Any, first: Any, index: Any, sign: Any, out: Any
) -> None:  # pragma: no cover
    """Gives the rows' actions, which begin at column `first`; the first rows' mirrored."""
    size = out.shape[1]
    for i in range(mirrored):
        for j in range(size):
            out[i, j] = table[rows[i], first + index[j]] * sign[j]
    for i in range(mirrored, len(rows)):
        for j in range(size):
            out[i, j] = table[rows[i], first + j]


@compiled_at_start(
    int64(
        *(_TABLE, _HALVES, int32[::1], _PLACES, int64, _INDEX, _NUMBERS, _INDEX, _NUMBERS),
        *(int64, float32, float32, _TABLE, _TABLE, _TABLE, _TABLE),
    ),
    literal=True,
)
def gather(
    table: Any,
    halves: Any,
    row_of: Any,
    drawn: Any,
    mirrored: Any,
    observation_index: Any,
    observation_sign: Any,
    action_index: Any,
    action_sign: Any,
    steps: Any,
    discount: Any,
    safety_discount: Any,
    observation: Any,
    action: Any,
    columns: Any,
    next_observation: Any,
) -> Any:  # pragma: no cover
    """Shows the drawn steps and what came of them. What it returns means nothing.

    Args:
        table: a ring of rows as above.
        halves: the same memory as the bits of halves.
        row_of: the row of the n-th step, at n modulo the length.
        drawn: numbers of steps, (batch,).
        mirrored: so many of them, the first, are shown mirrored.
        observation_index: as in `mirror.Mirror`; likewise the next three.
        observation_sign: see observation_index.
        action_index: see observation_index.
        action_sign: see observation_index.
        steps: so many steps of a run are summed, fewer where it breaks off, > 0.
        discount: of the reward, γ.
        safety_discount: of the margin, γ_s.
        observation: is given what was seen, (batch, observations).
        action: is given what was done, (batch, actions).
        columns: is given, (5, batch), with k the steps summed: Σ γ^i r_i, Σ γ_s^i f_i, 1 where the
            k-th step fell, γ^k, γ_s^k.
        next_observation: is given what was seen after the k-th step, (batch, observations).
    """
    first_action = (observation.shape[1] + 1) // 2
    rows, last = np.empty_like(drawn), np.empty_like(drawn)
    for i in range(len(drawn)):
        rows[i] = row_of[drawn[i] % len(row_of)]
    touched = _touched(halves, rows)
    reward = first_action + action.shape[1]
    _look_ahead(table, rows, reward, steps, discount, safety_discount, last, columns)
    _show(halves, rows, mirrored, observation_index, observation_sign, observation)
    _show(halves, last, mirrored, observation_index, observation_sign, next_observation)
    _show_done(table, rows, mirrored, first_action, action_index, action_sign, action)
    return touched
