"""Claims about the benchmark of the get-up: what it counts, and how sure it is of it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import get_up
from film import Film
from get_up import Outcome, summary, surely, tired
from quad_learner.evaluation import configs_of, shipped_files
from quad_learner.robot.model import load
from quad_learner.simulation.in_process import InProcessGraph


def outcome(up: bool, seconds: float, trips: tuple[str, ...] = (), reason: str = '') -> Outcome:
    return Outcome(0, 'back', up, seconds, True, trips, 0, reason)


@pytest.mark.parametrize('falls', [1, 20, 1000])
def test_that_all_got_up_is_as_sure_as_that_so_many_would_not_by_chance(falls: int) -> None:
    # Of one that gets up with probability p all do with p to the power of falls: 5 % at the bound.
    assert surely(falls, falls) ** falls == pytest.approx(0.05)


def test_that_one_of_all_got_up_is_worth_little_and_that_none_did_nothing() -> None:
    # At the bound p the chance that any does, 1 − (1 − p)^20, is 5 %.
    assert 1.0 - (1.0 - surely(1, 20)) ** 20 == pytest.approx(0.05)
    assert surely(0, 20) == 0.0


def test_times_are_of_those_that_stood_and_reasons_of_those_that_did_not() -> None:
    told = summary(
        [
            outcome(True, 2.0),
            outcome(True, 4.0, ('TILT',)),
            outcome(True, 3.0, ('TILT', 'OVER_SPEED')),
            outcome(False, 40.0, reason='GIVE_UP: tipped'),
        ]
    )
    assert (told['falls'], told['up'], told['success']) == (4, 3, 0.75)
    assert (told['median_s'], told['longest_s']) == (3.0, 4.0)
    assert (told['trips'], told['trips_by_reason']) == (3, {'TILT': 2, 'OVER_SPEED': 1})
    assert told['failures'] == {'GIVE_UP: tipped': 1}


def test_a_tired_battery_makes_motors_slow_by_its_voltage() -> None:
    robot = load('a1')
    assert (tired(robot, 1.0).speed_max == robot.speed_max).all()
    ratio = robot.battery_empty_voltage / robot.battery_full_voltage
    np.testing.assert_allclose(tired(robot, 0.0).speed_max, ratio * robot.speed_max)


@pytest.mark.parametrize(('kind', 'tilt'), [('belly', 0.0), ('right', np.pi / 2), ('back', np.pi)])
def test_it_is_let_go_as_it_was_asked_and_again_where_a_foot_is_sunk_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, kind: str, tilt: float
) -> None:
    configs = configs_of(shipped_files())
    graph = InProcessGraph(load('a1'), configs.parts, configs.graph)
    graph.connect()
    let_go = []

    def drop(sim: object, position: object, orientation: np.ndarray, *_: object) -> None:
        x, y = orientation[:2]
        let_go.append(np.arccos(1.0 - 2.0 * (x * x + y * y)))

    monkeypatch.setattr(get_up.drops, 'drop', drop)
    monkeypatch.setattr(get_up, 'is_sunk', lambda *_: True)
    get_up.drop(graph, kind, np.random.default_rng(0), Film(graph.sim, 1, (8, 8)))
    graph.close()
    assert len(let_go) == 10
    # 0.25 rad of deviation about two axes: 0.35 in all, some 1.2 at the largest of ten.
    assert np.median(np.abs(np.array(let_go) - tilt)) < 0.5


def test_a_strip_has_the_rows_and_the_size_that_were_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strip = tmp_path / 'strip.png'
    asked = '--falls 1 --longest 0.5 --rows 2 --picture 40 30 --strip'
    monkeypatch.setattr(sys, 'argv', ['get_up.py', *asked.split(), str(strip)])
    get_up.main()
    with Image.open(strip) as image:
        assert image.size == (9 * 40, 2 * 30)
