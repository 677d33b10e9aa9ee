"""Modes and events, all of them: nothing unsafe, a stop always one step away."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from explore import EVENTS, WAITS, Explorer, key, ways

from quad_learner.safety.arbiter import Arbiter
from quad_learner.safety.modes import Mode

DEPTH = 8
NAIVE = 3
"""depth to which every sequence is walked one by one"""


@pytest.fixture
def explorer(small: Any) -> Explorer:
    return Explorer(small.robot, small.settings(**WAITS))


@pytest.mark.slow
@pytest.mark.apart
@pytest.mark.timeout(900)
def test_every_sequence_of_events_to_depth_eight_is_safe(
    explorer: Explorer, capsys: pytest.CaptureFixture[str]
) -> None:
    levels = explorer.explore(DEPTH)
    assert explorer.found == []
    for depth, level in enumerate(levels):
        assert sum(number for _, number in level.values()) == len(EVENTS) ** depth
    assert explorer.steps == explorer.states * len(EVENTS)
    assert set(ways(levels[-1])) == set(Mode)
    with capsys.disabled():
        print(
            f'\nmodes: {len(EVENTS)}^{DEPTH} = {len(EVENTS) ** DEPTH} sequences of events in '
            f'{explorer.states} states, executed {explorer.steps} steps, expected '
            f'{explorer.states * len(EVENTS)}'
        )


def test_states_that_count_as_one_are_one(explorer: Explorer) -> None:
    """Walks every short sequence, and some long ones, without ever merging two states."""
    levels = explorer.explore(5)
    for depth in range(NAIVE + 1):
        walked: dict[str, int] = {}
        for events in itertools.product(EVENTS, repeat=depth):
            walked_to = key(_walk(explorer, events))
            walked[walked_to] = walked.get(walked_to, 0) + 1
        assert walked == {name: number for name, (_, number) in levels[depth].items()}
    chance, names = np.random.default_rng(0), list(EVENTS)
    for _ in range(200):
        events = tuple(names[i] for i in chance.integers(0, len(names), 5))
        assert key(_walk(explorer, events)) in levels[5]


def _walk(explorer: Explorer, events: tuple[str, ...]) -> Any:
    place = explorer.root
    for event in events:
        place = explorer.after(place, event)
    return place


def test_a_mode_that_is_left_by_the_wrong_event_is_found(
    explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Arbiter._unlatched
    monkeypatch.setattr(
        Arbiter, '_unlatched', lambda self, course, view, resumed: whole(self, course, view, True)
    )
    explorer.explore(5)
    assert 'LATCHED_STOP left by nothing' in explorer.found
