"""The replay against a plain list of what was put in."""

from __future__ import annotations

import dataclasses
import resource
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from quad_learner.experience.steps import Steps
from quad_learner.experience.transition import Transition
from quad_learner.learning.mirror import Mirror
from quad_learner.learning.replay import Batch, Horizon, Replay

StepBuilder = Callable[..., Transition]

NEXT_STEP_ALONE = Horizon(1, 0.9, 0.8)
HALF_ERROR = 2.0**-11
"""largest relative error of a number in half precision"""
LARGE_PAGE_BYTES = 2 << 20
PAGE_BYTES = 4096


def _replay(capacity: int, mirror: Mirror | None = None) -> Replay:
    return Replay(capacity, 3, 2, mirror, NEXT_STEP_ALONE)


def _run(make_step: StepBuilder, count: int, **changes: Any) -> list[Transition]:
    """Returns one unbroken run of steps; the n-th has reward n."""
    generator, steps, seen = np.random.default_rng(0), [], np.zeros(3, np.float32)
    for number in range(1, count + 1):
        parts = {'reward': float(number), 'terminated': False, 'observation': seen, **changes}
        steps.append(make_step(number, generator, **parts))
        seen = steps[-1].next_observation
    return steps


def _filled(replay: Replay, steps: list[Transition]) -> Replay:
    for step in steps:
        replay.add(step)
    return replay


def _rewards(replay: Replay, draws: int = 600) -> set[int]:
    return {int(r) for r in replay.sample(draws, np.random.default_rng(1)).reward}


@pytest.mark.parametrize('count', [1, 6, 7, 8, 9, 10, 21, 25, 60])
def test_the_ring_holds_exactly_the_newest_steps(make_step: StepBuilder, count: int) -> None:
    replay = _filled(_replay(7), _run(make_step, count))
    assert _rewards(replay) == set(range(max(1, count - 6), count + 1))
    assert len(replay) == min(count, 7)


@pytest.mark.parametrize('capacity', [1, 2, 9, 16])
def test_steps_that_all_stand_alone_take_two_rows_each(
    make_step: StepBuilder, capacity: int
) -> None:
    steps = _run(make_step, 40, truncated=True)
    replay = _filled(_replay(capacity), steps)
    held = min(capacity, (capacity + capacity // 8 + 2) // 2)
    assert _rewards(replay) == set(range(41 - held, 41))


def _broken_runs(make_step: StepBuilder, generator: np.random.Generator) -> list[Transition]:
    """Returns steps as they may come: episodes that fall or are cut, steps lost, not finite, or
    beginning elsewhere than the last one ended."""
    steps, seen, episode = [], np.zeros(3, np.float32), 1
    for number in range(1, 400):
        fate = generator.integers(12)
        changes: dict[str, Any] = {
            'observation': seen,
            'episode': episode,
            'reward': float(number),
            'terminated': bool(fate == 0),
            'truncated': bool(fate == 1),
        }
        if fate == 2:
            changes['constraint'] = float('nan')
        step = make_step(number, generator, **changes)
        seen = step.next_observation if fate != 4 else np.ones(3, np.float32)
        if fate in (0, 1):
            # Now and then the new episode happens to begin just where the last one ended.
            seen = seen if generator.random() < 0.3 else generator.standard_normal(3)
            seen, episode = seen.astype(np.float32), episode + 1
        if fate != 3:
            steps.append(step)
    return steps


def _assert_holds(batch: Batch, by_reward: dict[int, Transition]) -> None:
    for row, reward in enumerate(batch.reward):
        step = by_reward[int(reward)]
        for name in ('observation', 'next_observation'):
            kept, given = getattr(batch, name)[row], getattr(step, name)
            assert (np.abs(kept - given) <= HALF_ERROR * np.abs(given)).all(), (name, reward)
        np.testing.assert_array_equal(batch.action[row], step.action)
        assert batch.constraint[row] == np.float32(step.constraint)
        assert batch.terminated[row] == step.terminated


@pytest.mark.parametrize('capacity', [8, 50, 64, 1000])
def test_whatever_breaks_off_each_step_is_followed_by_what_followed_it(
    make_step: StepBuilder, capacity: int
) -> None:
    generator = np.random.default_rng(capacity)
    replay, fit = _replay(capacity), []
    for step in _broken_runs(make_step, generator):
        if not replay.add(step):
            continue
        fit.append(step)
        held = fit[len(fit) - len(replay) :]
        by_reward = {int(step.reward): step for step in held}
        _assert_holds(replay.sample(32, generator), by_reward)
    assert set(by_reward) == _rewards(replay, 20 * capacity)
    assert replay.refused > 10
    # One run in four or so breaks off by chance: there is not always room for all.
    assert min(capacity, len(fit)) >= len(replay) > 0.6 * min(capacity, len(fit))


@pytest.mark.parametrize('capacity', [8, 64, 1000])
def test_many_steps_at_once_lie_as_they_do_one_by_one(
    make_step: StepBuilder, capacity: int
) -> None:
    chance = np.random.default_rng(capacity)
    steps, many = _broken_runs(make_step, chance), _replay(capacity)
    one_by_one, at = _filled(_replay(capacity), steps), 0
    while at < len(steps):
        count = int(chance.integers(1, 60))
        many.add_all(Steps.of(steps[at : at + count]))
        at += count
    for name, there in vars(one_by_one).items():
        here = getattr(many, name)
        if isinstance(there, np.ndarray):
            assert here.tobytes() == there.tobytes(), name
        elif isinstance(there, int | float):
            assert here == there, name


@pytest.mark.parametrize('capacity', [7, 30])
@pytest.mark.parametrize(
    ('size', 'stride', 'back'),  # how many steps ago, the newest is 0
    [(4, 1, [3, 2, 1, 0]), (3, 2, [4, 2, 0]), (5, 3, [6, 3, 0]), (1, 1, [0])],
)
def test_the_last_observations_are_shown_in_their_order(
    make_step: StepBuilder, capacity: int, size: int, stride: int, back: list[int]
) -> None:
    """Where it holds fewer, as many as there are: seven either way."""
    steps = _run(make_step, 25 if capacity == 7 else 7)
    seen = _filled(_replay(capacity), steps).recent(size, stride)
    expected = [steps[-1 - ago].observation for ago in back]
    np.testing.assert_allclose(seen, expected, rtol=HALF_ERROR)
    assert seen.dtype == np.float32


def test_of_nothing_nothing_is_shown() -> None:
    assert _replay(7).recent(4).shape == (0, 3)


def test_every_step_is_equally_likely_and_an_end_never_drawn(make_step: StepBuilder) -> None:
    steps = _run(make_step, 17)
    steps[6] = dataclasses.replace(steps[6], terminated=True)
    del steps[11]
    replay = _filled(Replay(10, 3, 2, None, NEXT_STEP_ALONE), steps)
    drawn = replay.sample(20_000, np.random.default_rng(2)).reward.astype(int)
    live = [7, 8, 9, 10, 11, 13, 14, 15, 16, 17]
    live = live[-len(replay) :]
    counts = np.bincount(drawn, minlength=18)[live]
    assert counts.sum() == 20_000
    expected = 20_000 / len(live)
    # binomial deviation √(20000 p (1 − p)) < √expected: five of them
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)


def test_a_step_comes_back_as_it_went_in_observations_to_half_precision(
    make_step: StepBuilder,
) -> None:
    step = make_step(1, np.random.default_rng(3), terminated=True)
    batch = _filled(_replay(4), [step]).sample(1, np.random.default_rng(0))
    _assert_holds(batch._replace(reward=np.array([1.0])), {1: step})
    assert batch.reward[0] == np.float32(step.reward)
    for part in batch:
        assert (part.dtype, part.flags.c_contiguous) == (np.float32, True)


def test_every_finite_half_is_widened_as_numpy_does(make_step: StepBuilder) -> None:
    halves = np.arange(65536, dtype=np.uint16).view(np.float16)
    finite = halves[np.isfinite(halves)].astype(np.float32).reshape(-1, 2 * 4)
    replay = Replay(len(finite), 4, 2, None, NEXT_STEP_ALONE)
    for number, row in enumerate(finite):
        parts = {'observation': row[:4], 'next_observation': row[4:], 'truncated': True}
        step = make_step(number, np.random.default_rng(0), reward=float(number), **parts)
        replay.add(step)
    batch = replay.sample(60_000, np.random.default_rng(0))
    rows = finite[batch.reward.astype(int)]
    np.testing.assert_array_equal(batch.observation, rows[:, :4])
    np.testing.assert_array_equal(batch.next_observation, rows[:, 4:])


def test_the_executed_action_is_learned_from_not_the_asked_one(make_step: StepBuilder) -> None:
    asked, sent = np.ones(2, np.float32), np.full(2, 0.25, np.float32)
    step = make_step(1, np.random.default_rng(3), asked=asked, action=sent)
    replay = _filled(_replay(4), [step])
    np.testing.assert_array_equal(replay.sample(1, np.random.default_rng(0)).action[0], sent)


@pytest.mark.parametrize(
    'part', ['reward', 'constraint', 'action', 'observation', 'next_observation']
)
@pytest.mark.parametrize('poison', [np.nan, np.inf, -np.inf, 1e39])
def test_a_step_that_is_not_finite_is_refused_and_counted(
    make_step: StepBuilder, part: str, poison: float
) -> None:
    replay = _replay(4)
    vector = np.array([0.0, poison, 0.0][: 2 if part == 'action' else 3])
    value = poison if part in ('reward', 'constraint') else vector
    assert not replay.add(make_step(1, np.random.default_rng(0), **{part: value}))
    assert (len(replay), replay.refused) == (0, 1)


def test_what_half_precision_cannot_hold_is_refused(make_step: StepBuilder) -> None:
    replay = _replay(4)
    large = np.array([0.0, 70_000.0, 0.0], np.float32)
    assert not replay.add(make_step(1, np.random.default_rng(0), observation=large))
    assert replay.add(make_step(2, np.random.default_rng(0), observation=large / 2))


def test_a_step_of_another_length_is_refused(make_step: StepBuilder) -> None:
    replay = _replay(4)
    assert not replay.add(make_step(1, np.random.default_rng(0), action=np.zeros(3, np.float32)))
    assert replay.refused == 1


def test_an_empty_replay_says_so() -> None:
    with pytest.raises(ValueError, match='nothing to draw from'):
        _replay(4).sample(1, np.random.default_rng(0))


def test_half_of_a_batch_is_mirrored(make_step: StepBuilder) -> None:
    mirror = Mirror(
        np.array([1, 0, 2]),
        np.array([1, 1, -1], np.float32),
        np.array([1, 0]),
        np.array([-1, -1], np.float32),
    )
    step = make_step(
        1,
        np.random.default_rng(0),
        observation=np.array([1, 2, 3], np.float32),
        action=np.array([0.1, 0.2], np.float32),
        next_observation=np.array([4, 5, 6], np.float32),
        reward=7.0,
        constraint=8.0,
    )
    batch = _filled(_replay(4, mirror), [step]).sample(2, np.random.default_rng(0))
    np.testing.assert_array_equal(batch.observation, [[2, 1, -3], [1, 2, 3]])
    np.testing.assert_allclose(batch.action, [[-0.2, -0.1], [0.1, 0.2]])
    np.testing.assert_array_equal(batch.next_observation, [[5, 4, -6], [4, 5, 6]])
    np.testing.assert_array_equal(batch.reward, [7, 7])
    np.testing.assert_array_equal(batch.constraint, [8, 8])


def test_a_mirror_for_other_sizes_is_refused() -> None:
    one = np.ones(1, np.float32)
    mirror = Mirror(np.array([0]), one, np.array([0]), one)
    with pytest.raises(ValueError, match='1 observations and 1 actions'):
        _replay(4, mirror)


# Rewards 1, 2, 4, 8 and margins 0.1 each; γ = 0.5, γ_s = 0.1, three steps ahead. By hand:
# 1 + 2/2 + 4/4 = 3; 2 + 4/2 + 8/4 = 6; 4 + 8/2 = 8; 8.
AHEAD = {1: (3.0, 0.111, 3, 3), 2: (6.0, 0.111, 3, 4), 3: (8.0, 0.11, 2, 4), 4: (8.0, 0.1, 1, 4)}
"""by the step's number: sum of rewards, of margins, steps summed, step after which we look"""


@pytest.mark.parametrize('ends', ['terminated', 'truncated', 'lost', 'newest'])
@pytest.mark.parametrize('before', [0, 5, 9])
def test_rewards_are_summed_ahead_to_where_the_run_breaks_off(
    make_step: StepBuilder, ends: str, before: int
) -> None:
    steps = _run(make_step, 4, constraint=0.1)
    steps = [dataclasses.replace(s, reward=r) for s, r in zip(steps, (1, 2, 4, 8), strict=True)]
    if ends in ('terminated', 'truncated'):
        steps[3] = dataclasses.replace(steps[3], **{ends: True})
    replay = Replay(10, 3, 2, None, Horizon(3, 0.5, 0.1))
    other = {'action': np.full(2, 0.5, np.float32), 'episode': 0}
    earlier = [dataclasses.replace(s, **other) for s in _run(make_step, before)]
    following = dataclasses.replace(
        steps[3],
        action=other['action'],
        sequence=6 if ends == 'lost' else 5,
        reward=16.0,
        observation=steps[3].next_observation,
    )
    replay = _filled(replay, [*earlier, *steps, *([] if ends == 'newest' else [following])])
    batch = replay.sample(500, np.random.default_rng(0))
    for number, step in enumerate(steps, 1):
        is_it = (batch.action == step.action).all(1)
        assert is_it.any()
        reward, margin, summed, last = AHEAD[number]
        np.testing.assert_allclose(batch.reward[is_it], reward)
        np.testing.assert_allclose(batch.constraint[is_it], margin, rtol=1e-6)
        np.testing.assert_allclose(batch.discount[is_it], 0.5**summed)
        np.testing.assert_allclose(batch.safety_discount[is_it], 0.1**summed, rtol=1e-6)
        np.testing.assert_array_equal(batch.terminated[is_it], ends == 'terminated' and last == 4)
        seen = np.tile(steps[last - 1].next_observation, (is_it.sum(), 1))
        np.testing.assert_allclose(batch.next_observation[is_it], seen, rtol=HALF_ERROR)


def test_a_million_steps_of_the_a1_take_less_than_400_megabytes() -> None:
    small = Replay(1000, 102, 12, None, NEXT_STEP_ALONE)
    assert small.memory_bytes * 1000 < 400e6


def _faults() -> int:
    """Returns how many pages of memory this process had to ask for so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def test_all_memory_is_taken_at_the_start(make_step: StepBuilder) -> None:
    large = Replay(300_000, 102, 12, None, NEXT_STEP_ALONE)
    everywhere = large._rows.view(np.uint8).reshape(-1)
    before = _faults()
    everywhere[::PAGE_BYTES] = 1
    # Had it none yet, it would ask for each page, of 2 MiB at most.
    assert _faults() - before < len(everywhere) / LARGE_PAGE_BYTES / 3.0
    assert large.memory_bytes > 64e6

    replay, steps, chance = _replay(100), _run(make_step, 500), np.random.default_rng(0)
    _filled(replay, steps[:1]).sample(16, chance)
    tracemalloc.start()
    try:
        taken = tracemalloc.get_traced_memory()[0]
        _filled(replay, steps[1:]).sample(16, chance)
        grown = tracemalloc.get_traced_memory()[0] - taken
    finally:
        tracemalloc.stop()
    assert grown < 2000  # bytes: four for each step would be more
