"""Claims about the search, on a toy: a motion gets up where its angles are near a secret."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from quad_learner.get_up_search.score import Outcome
from quad_learner.get_up_search.search import Found, Search
from quad_learner.get_up_search.space import Frames, MotionSpace
from quad_learner.robot.model import load
from quad_learner.safety.config import SafetyConfig

FALLS = 6
NEAR = 0.8
"""[rad] from the secret: one guess in some thousands is as near"""
Run = Callable[..., tuple[Found | None, list[Frames], list[str]]]


@pytest.fixture
def run(safety: SafetyConfig) -> Run:
    """Gives `run(seed, most, present)`: what so many attempts find, what they tried and told."""
    robot = load('a1')
    space = MotionSpace(robot, safety, 2, legs_alike=True)

    def search(
        seed: int, most: int, present: Frames | None = None, near: float = NEAR
    ) -> tuple[Found | None, list[Frames], list[str]]:
        tried: list[Frames] = []
        told: list[str] = []

        def attempts(pairs: Sequence[tuple[Frames, int]]) -> Iterator[Outcome]:
            for frames, fall in pairs:
                tried.append(frames)
                missed = away(frames) + 0.01 * fall
                tilt = min(missed, np.pi)
                yield Outcome(missed < near, 1.0 + missed, tilt, tilt, 0.0, ())

        generator = np.random.default_rng(seed)
        over = lambda: len(tried) >= most  # noqa: E731
        found = Search(space, attempts, FALLS, generator, over, told.append).run(present or [])
        return found, tried, told

    return search


SECRET = np.array([0.3, 3.0, -1.5, -0.4, 0.5, -2.2, -0.2, 1.0, -1.2, 0.5, 2.5, -2.0])
"""[rad] of the right and left legs in both poses: within the A1's limits"""


def away(frames: Frames) -> float:
    """Returns how far a motion is from the secret [rad]."""
    return float(np.linalg.norm(angles(frames) - SECRET))


def angles(frames: Frames) -> np.ndarray:
    return np.array([angle for frame in frames for angle in (*frame['right'], *frame['left'])])


def test_it_finds_what_no_guess_had(run: Run) -> None:
    found, tried, told = run(0, 20_000)
    assert found is not None and found.up == FALLS
    assert 'gets up from 0 of 6' in told[1], 'or the guesses would have sufficed'
    assert len(tried) < 20_000, told


def test_it_begins_with_the_best_of_its_guesses_and_ends_with_the_best_of_all(run: Run) -> None:
    found, tried, _ = run(0, 4000)
    assert found is not None
    # Who is tried on all six falls is so one after the other; guesses only once, or with pauses.
    checked = [
        tried[start]
        for start in range(len(tried) - FALLS + 1)
        if all(other is tried[start] for other in tried[start : start + FALLS])
    ]
    guesses = tried[:72]
    assert away(checked[0]) == min(map(away, guesses))
    assert away(found.frames) == min(map(away, checked)) < away(checked[-1])


def test_the_same_seed_tries_the_same_and_less_time_only_less_of_it(run: Run) -> None:
    _, whole, _ = run(3, 900)
    _, part, _ = run(3, 500)
    _, other, _ = run(4, 500)
    assert whole[:500] == part != other
    assert len(part) == 500


def test_time_that_is_over_at_once_finds_nothing_and_says_so(run: Run) -> None:
    found, tried, told = run(0, 1)
    assert found is None
    assert len(tried) == 1
    assert told[-1] == 'the time is over'


def test_time_that_is_over_before_a_look_at_all_falls_gives_the_best_guess(run: Run) -> None:
    found, tried, _ = run(0, 100)
    assert found is not None
    assert len(found.outcomes) == 1
    assert away(found.frames) == min(map(away, tried[:72]))


def test_the_motion_of_the_file_is_kept_until_a_better_one_is_found(run: Run) -> None:
    robot = load('a1')
    present = robot.sections['reset']['from_back']
    found, tried, _ = run(0, FALLS, present)
    assert found is None, 'not yet tried on the whole set, and nothing else was'
    found, tried, _ = run(0, FALLS + 1, present)
    assert found is not None and found.frames == tried[0]
    np.testing.assert_allclose(angles(found.frames), angles(present), atol=0.011)
    later, _, _ = run(0, 3000, present)
    assert later is not None and later.cost < found.cost


@pytest.mark.parametrize(('gets_up_from', 'next_line'), [(1, 'at random'), (2, 'generation 3')])
def test_a_motion_that_gets_up_from_a_quarter_is_begun_with(
    run: Run, gets_up_from: int, next_line: str
) -> None:
    present = load('a1').sections['reset']['from_back']
    # Each fall is harder by 0.01 than the one before.
    near = away(present) + 0.01 * gets_up_from - 0.005
    _, _, told = run(0, 200, present, near)
    assert f'gets up from {gets_up_from} of 6' in told[0]
    assert next_line in told[1]


def test_a_sketch_that_never_gets_up_is_begun_with_where_it_is_better_than_any_guess(
    run: Run,
) -> None:
    sketch = [
        {'seconds': 0.5, 'right': [0.3, 3.0, -1.5], 'left': [-0.4, 0.5, -2.2]},
        {'seconds': 0.5, 'right': [-0.2, 1.0, -1.2], 'left': [0.5, 2.5, -1.1]},
    ]
    _, tried, told = run(0, 200, sketch)
    guesses, checked = tried[6:78], tried[138:144]
    assert NEAR < away(sketch) < min(away(guess) for guess in guesses[1:])
    assert [away(frames) for frames in (guesses[0], *checked)] == [away(sketch)] * 7
    assert 'best guess gets up from 0 of 6' in told[-2] or 'best guess none better' in told[-2]


def test_numpys_global_generator_is_left_alone(run: Run) -> None:
    before = np.random.get_state()[1].copy()  # type: ignore[index,union-attr]
    run(0, 1000)
    assert (np.random.get_state()[1] == before).all()  # type: ignore[index]
