"""Builders of logs, episodes and runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from quad_learner.experience.log import ExperienceLog
from quad_learner.experience.metrics import RunFacts, RunRecorder
from quad_learner.experience.metrics_table import Episode, Row, Totals

WriteLog = Callable[..., ExperienceLog]
EPISODE_S = 10.0


@pytest.fixture
def log_path(tmp_path: Path) -> Path:
    return tmp_path / 'experience.mcap'


@pytest.fixture
def payload() -> Callable[[int], bytes]:
    """Returns a function that makes bytes which identify a step."""
    return lambda sequence: b'\x00\x01\x00\x00' + sequence.to_bytes(4, 'little') * 50


@pytest.fixture
def write_log(log_path: Path, payload: Callable[[int], bytes]) -> WriteLog:
    """Returns a function that logs steps into a new segment, each with its own payload."""

    def write(sequences: Iterable[int], close: bool = True) -> ExperienceLog:
        log = ExperienceLog(log_path, clock=lambda: 0)
        log.open()
        for sequence in sequences:
            log.append(sequence, payload(sequence), time_ns=sequence * 25_000_000)
        if close:
            log.close()
        return log

    return write


@pytest.fixture
def facts() -> RunFacts:
    return RunFacts(
        robot='a1',
        seed=7,
        episode_duration_s=EPISODE_S,
        walk_speed=0.4,
        versions={'numpy': '2.4.6'},
    )


@pytest.fixture
def recorder(tmp_path: Path, facts: RunFacts) -> Iterator[RunRecorder]:
    """Returns a recorder that is open on a new metrics.csv."""
    recorder = RunRecorder(tmp_path / 'metrics.csv', facts)
    recorder.open()
    yield recorder
    recorder.close()


@pytest.fixture
def episode() -> Callable[..., Episode]:
    """Returns a function that makes the n-th full episode; further words change it."""

    def make(number: int, displacement: float = 0.0, **changed: Any) -> Episode:
        whole: dict[str, Any] = {
            'number': number,
            'start_s': (number - 1) * EPISODE_S,
            'end_s': number * EPISODE_S,
            'displacement': displacement,
            'total_reward': 12.5,
            'steps': 400,
            'fell': False,
            'truncated': True,
        }
        return Episode(**{**whole, **changed})

    return make


@pytest.fixture
def row(episode: Callable[..., Episode]) -> Callable[..., Row]:
    """Returns a function that makes the row of the n-th episode, walked at `speed`."""

    def make(number: int, speed: float, **changed: Any) -> Row:
        learner = {'lambda': 0.5, 'entropy': math.nan}
        return Row(
            episode(number, speed * EPISODE_S, **changed), speed, number * 5.0, Totals(), learner
        )

    return make
