"""What a shove came to is told as it was: when it fell, whether it got up, how soon it walked."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

import shoved

PERIOD_NS = 25_000_000
"""[ns] of a decision at 40 Hz"""
IMPULSE = np.array([40.0, 0.0, 0.0])


class Stage:
    """Plays episodes as told: a list of (fell, steps, way), None where it never got up."""

    def __init__(self, *episodes: tuple[bool, int, float] | None) -> None:
        self._episodes = list(episodes)
        self.robot = SimpleNamespace(policy_hz=40, command_hz=80)
        self.pushed: list[Any] = []
        sim = SimpleNamespace(time_ns=0, push=self.pushed.append)
        self.graph = SimpleNamespace(sim=sim)

    def episode(self, on_step: Callable[[int], None], seconds: float) -> Any:
        played = self._episodes.pop(0)
        if played is None:
            return None
        fell, steps, way = played
        for step in range(steps):
            on_step(step)
            self.graph.sim.time_ns += PERIOD_NS
        self.graph.sim.time_ns += round(2e9)  # of the reset that follows
        return SimpleNamespace(fell=fell, bout=SimpleNamespace(way=way))


def outcome(stage: Stage) -> dict[str, Any]:
    return shoved.shove(stage, IMPULSE, None)  # type: ignore[arg-type]


def test_one_that_fell_is_timed_from_the_shove_to_its_next_step() -> None:
    stage = Stage((True, 140, 1.5), (False, 160, 3.2))
    # Shoved at step 120, fell 20 steps (0.5 s) later, reset takes 2 s.
    assert outcome(stage) == {
        'shoved': True,
        'fell': True,
        'up': True,
        'walks_after_s': 2.5,
        'way_m': 3.2,
        'fell_again': False,
    }
    assert len(stage.pushed) == 1


def test_one_that_did_not_fall_walks_on_and_nothing_is_timed() -> None:
    assert outcome(Stage((False, 280, 5.0))) == {'shoved': True, 'fell': False, 'up': True}


def test_one_that_never_gets_up_is_told_so() -> None:
    assert outcome(Stage((True, 140, 1.5), None)) == {'shoved': True, 'fell': True, 'up': False}


def test_one_that_fell_before_the_shove_does_not_count_as_shoved() -> None:
    stage = Stage((True, 60, 0.4))
    assert outcome(stage) == {'shoved': False, 'fell': True, 'up': True}
    assert not stage.pushed


def test_one_that_stays_down_from_the_beginning_is_not_up() -> None:
    assert outcome(Stage(None)) == {'shoved': False, 'fell': False, 'up': False}


def test_the_summary_counts_and_times_those_that_fell_after_the_shove() -> None:
    fallen = [
        {'shoved': True, 'fell': True, 'up': True, 'walks_after_s': s} for s in (2.0, 3.0, 9.0)
    ]
    others = [
        {'shoved': True, 'fell': True, 'up': False},
        {'shoved': True, 'fell': False, 'up': True},
        {'shoved': False, 'fell': True, 'up': True},
    ]
    assert shoved.summary(fallen + others) == [
        '4 of 5 shoves threw it over, 3 times it walked again',
        'median 3.0 s, longest 9.0 s after the shove',
    ]
    assert shoved.summary(others) == ['1 of 2 shoves threw it over, 0 times it walked again']
