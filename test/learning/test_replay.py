"""The replay against a plain list of what was put in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from quad_learner.experience.transition import Transition
from quad_learner.learning.mirror import Mirror
from quad_learner.learning.replay import Replay

StepBuilder = Callable[..., Transition]


def _numbered(make_step: StepBuilder, count: int) -> list[Transition]:
    generator = np.random.default_rng(0)
    return [make_step(n, generator, reward=float(n)) for n in range(1, count + 1)]


@pytest.mark.parametrize('count', [1, 6, 7, 8, 21, 25])
def test_the_ring_holds_exactly_the_newest_steps(make_step: StepBuilder, count: int) -> None:
    replay = Replay(7, 3, 2, None)
    for step in _numbered(make_step, count):
        replay.add(step)
    drawn = replay.sample(600, np.random.default_rng(1)).reward
    newest = set(range(max(1, count - 6), count + 1))
    assert set(drawn.astype(int)) == newest
    assert len(replay) == len(newest)


def test_every_step_is_equally_likely(make_step: StepBuilder) -> None:
    replay = Replay(10, 3, 2, None)
    for step in _numbered(make_step, 13):
        replay.add(step)
    drawn = replay.sample(20_000, np.random.default_rng(2)).reward.astype(int)
    counts = np.bincount(drawn - 4, minlength=10)
    # 2000 expected each, binomial deviation √(20000 · 0.1 · 0.9) ≈ 42: five of them
    assert np.abs(counts - 2000).max() < 5 * 42


def test_a_step_comes_back_as_it_went_in(make_step: StepBuilder) -> None:
    replay = Replay(4, 3, 2, None)
    step = make_step(1, np.random.default_rng(3), terminated=True)
    replay.add(step)
    batch = replay.sample(1, np.random.default_rng(0))
    np.testing.assert_array_equal(batch.observation[0], step.observation)
    np.testing.assert_array_equal(batch.action[0], step.action)
    np.testing.assert_array_equal(batch.next_observation[0], step.next_observation)
    assert batch.reward[0] == np.float32(step.reward)
    assert batch.constraint[0] == np.float32(step.constraint)
    assert batch.terminated[0] == 1.0


def test_the_executed_action_is_learned_from_not_the_asked_one(make_step: StepBuilder) -> None:
    replay = Replay(4, 3, 2, None)
    asked, sent = np.ones(2, np.float32), np.full(2, 0.25, np.float32)
    replay.add(make_step(1, np.random.default_rng(3), asked=asked, action=sent))
    np.testing.assert_array_equal(replay.sample(1, np.random.default_rng(0)).action[0], sent)


@pytest.mark.parametrize('part', ['reward', 'constraint', 'observation', 'next_observation'])
@pytest.mark.parametrize('poison', [np.nan, np.inf, -np.inf])
def test_a_step_that_is_not_finite_is_refused_and_counted(
    make_step: StepBuilder, part: str, poison: float
) -> None:
    replay = Replay(4, 3, 2, None)
    value = poison if part in ('reward', 'constraint') else np.array([0, poison, 0], np.float32)
    assert not replay.add(make_step(1, np.random.default_rng(0), **{part: value}))
    assert (len(replay), replay.refused) == (0, 1)


def test_a_step_of_another_length_is_refused(make_step: StepBuilder) -> None:
    replay = Replay(4, 3, 2, None)
    assert not replay.add(make_step(1, np.random.default_rng(0), action=np.zeros(3, np.float32)))
    assert replay.refused == 1


def test_an_empty_replay_says_so() -> None:
    with pytest.raises(ValueError, match='nothing to draw from'):
        Replay(4, 3, 2, None).sample(1, np.random.default_rng(0))


def test_half_of_a_batch_is_mirrored(make_step: StepBuilder) -> None:
    mirror = Mirror(
        np.array([1, 0, 2]),
        np.array([1, 1, -1], np.float32),
        np.array([1, 0]),
        np.array([-1, -1], np.float32),
    )
    replay = Replay(4, 3, 2, mirror)
    step = make_step(
        1,
        np.random.default_rng(0),
        observation=np.array([1, 2, 3], np.float32),
        action=np.array([0.1, 0.2], np.float32),
        next_observation=np.array([4, 5, 6], np.float32),
        reward=7.0,
        constraint=8.0,
    )
    replay.add(step)
    batch = replay.sample(2, np.random.default_rng(0))
    np.testing.assert_array_equal(batch.observation, [[2, 1, -3], [1, 2, 3]])
    np.testing.assert_allclose(batch.action, [[-0.2, -0.1], [0.1, 0.2]])
    np.testing.assert_array_equal(batch.next_observation, [[5, 4, -6], [4, 5, 6]])
    np.testing.assert_array_equal(batch.reward, [7, 7])
    np.testing.assert_array_equal(batch.constraint, [8, 8])


def test_a_mirror_for_other_sizes_is_refused() -> None:
    one = np.ones(1, np.float32)
    mirror = Mirror(np.array([0]), one, np.array([0]), one)
    with pytest.raises(ValueError, match='1 observations and 1 actions'):
        Replay(4, 3, 2, mirror)
