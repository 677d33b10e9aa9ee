"""Scripted policies, good and bad: which may drive a robot is what the simulation says of them."""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scripted_policies import linear, shaking, standing

from quad_learner import bringup, rehearsal
from quad_learner.configuration import ConfigurationError
from quad_learner.driving import DriveOptions, Prepared, prepare
from quad_learner.evaluation import Performance, Score, configs_of_run
from quad_learner.experience import rehearsed
from quad_learner.experience.rehearsed import Verdict
from quad_learner.experience.run_directory import RunDirectory, create_at
from quad_learner.robot.model import load
from quad_learner.robot.signals import NANOSECONDS
from quad_learner.safety.modes import Reason
from quad_learner.task.kinds import FORWARD, LEFT, Kind

SPEED = 0.25


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """Returns a run of two tasks, learned in simulation, without a policy."""
    run = create_at(tmp_path / 'run', {})
    values = bringup.parameters(bringup.nodes('sim'), {'tasks': ['forward', 'left']}, None)
    bringup.write_parameters(values, run.parameters)
    return run


def _on_a_robot(run: RunDirectory, although: bool = False) -> Prepared:
    return prepare(DriveOptions(run.path, backend='ros2_control', unrehearsed=although))


def _said(run: RunDirectory, kind: Kind, objection: str) -> None:
    """Keeps a verdict of the policy as it is."""
    of = rehearsed.fingerprint(run, kind)
    rehearsed.keep(run, kind, Verdict(*of, objection, rehearsal.SECONDS, SPEED))


@pytest.fixture
def no_simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the import fail as on a robot's computer without pybullet."""
    monkeypatch.setitem(sys.modules, 'quad_learner.evaluation', None)


@pytest.mark.slow
def test_a_policy_that_falls_in_simulation_is_refused_before_anything_of_a_robot_starts(
    run: RunDirectory,
) -> None:
    robot, task = load('a1'), configs_of_run(run).task
    run.policy.write_bytes(linear(standing(robot, task)))
    run.policy_of('_left').write_bytes(linear(shaking(robot, task)))
    with pytest.raises(ConfigurationError, match=r'left: it fell after .* s in simulation') as why:
        _on_a_robot(run)
    assert '--unrehearsed' in str(why.value)
    assert not (run.path / 'drive').exists(), 'no parameter file, so no process either'
    run.policy_of('_left').unlink()
    (told,) = _on_a_robot(run).told
    assert told.startswith('forward: walked 5.0 s in simulation without fall or trip')


@pytest.mark.slow
@pytest.mark.parametrize(
    ('tripped_s', 'reasons', 'words'),
    [
        (0.2, Reason.OVER_SPEED, 'safety stopped it after 5.00 s in simulation: OVER_SPEED'),
        (0.0, Reason.SENSORS_STALE, 'safety stopped it after 5.00 s in simulation: SENSORS_STALE'),
        (-0.2, Reason.OVER_SPEED, ''),
    ],
)
def test_a_stop_speaks_against_it_as_a_fall_does(
    run: RunDirectory,
    monkeypatch: pytest.MonkeyPatch,
    tripped_s: float,
    reasons: Reason,
    words: str,
) -> None:
    """The policy only stands: a stop is put into the record, after it began or before."""
    run.policy.write_bytes(linear(standing(load('a1'), configs_of_run(run).task)))
    of_episode = Performance.episode

    def stopped(world: Performance, note: Callable[[int], None], seconds: float) -> Score | None:
        def noted(step: int) -> None:
            if step == 0:
                when_ns = world.graph.sample.time_ns + round(tripped_s * NANOSECONDS)
                world.graph.trips.append((when_ns, reasons))
            note(step)

        return of_episode(world, noted, seconds)

    monkeypatch.setattr(Performance, 'episode', stopped)
    assert rehearsal.rehearse(run, FORWARD, FORWARD).objection == words


def test_a_robot_that_does_not_get_up_in_simulation_shows_nothing_of_its_policy(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.policy.write_bytes(linear(standing(load('a1'), configs_of_run(run).task)))
    monkeypatch.setattr(Performance, 'episode', lambda *_: None)
    assert 'did not get up' in rehearsal.rehearse(run, FORWARD, FORWARD).objection


def test_what_is_no_policy_of_this_robot_is_not_driven_on_one(run: RunDirectory) -> None:
    run.policy.write_bytes(linear(np.zeros((7, 12))))
    with pytest.raises(ConfigurationError, match='maps 7 observations'):
        _on_a_robot(run)


def test_a_verdict_that_is_there_is_gone_by_without_a_simulator(
    run: RunDirectory, no_simulator: None
) -> None:
    run.policy.write_bytes(b'a policy')
    _said(run, FORWARD, '')
    assert _on_a_robot(run).told == (
        'forward: walked 5.0 s in simulation without fall or trip, at 0.25 m/s',
    )


def test_without_verdict_and_simulator_it_is_refused_with_the_ways_out(
    run: RunDirectory, no_simulator: None
) -> None:
    run.policy.write_bytes(b'a policy')
    with pytest.raises(ConfigurationError, match='no simulator here') as why:
        _on_a_robot(run)
    for way in (f'quad-learner rehearse {run.path}', 'rehearsal*.json', '--unrehearsed'):
        assert way in str(why.value)


def test_a_person_may_take_it_on_and_is_told(run: RunDirectory, no_simulator: None) -> None:
    run.policy.write_bytes(b'a policy')
    run.policy_of('_left').write_bytes(b'another')
    _said(run, LEFT, 'it fell after 1.30 s in simulation')
    ready = _on_a_robot(run, although=True)
    assert ready.told == (
        f'forward: {rehearsal.NO_SIMULATOR}',
        'left: it fell after 1.30 s in simulation',
    )
    assert ready.files


def test_where_the_simulation_is_the_robot_nothing_is_rehearsed(
    run: RunDirectory, no_simulator: None
) -> None:
    run.policy.write_bytes(b'a policy')
    assert prepare(DriveOptions(run.path)).told == ()


@pytest.mark.parametrize('changed', ['the policy', 'its parameters', 'the verdict', 'its form'])
def test_a_verdict_holds_for_what_was_rehearsed_alone(run: RunDirectory, changed: str) -> None:
    run.policy.write_bytes(b'a policy')
    _said(run, FORWARD, '')
    assert rehearsed.kept(run, FORWARD, FORWARD)
    path = run.rehearsal_of('')
    if changed == 'the policy':
        run.policy.write_bytes(b'a Policy')
    elif changed == 'its parameters':
        kept = run.parameters / 'policy.yaml'
        kept.write_text(kept.read_text().replace('action_smoothing', 'action_smoothing '))
    elif changed == 'the verdict':
        path.write_text(path.read_text()[:-3])
    else:
        path.write_text(json.dumps({**json.loads(path.read_text()), 'objection': None}))
    assert rehearsed.kept(run, FORWARD, FORWARD) is None


def test_a_policy_is_rehearsed_once_and_again_where_the_verdict_cannot_be_kept(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.policy.write_bytes(b'a policy')
    walked: list[Kind] = []

    def rehearse(run: RunDirectory, kind: Kind, learner: Kind) -> Verdict:
        walked.append(kind)
        return Verdict(*rehearsed.fingerprint(run, learner), '', rehearsal.SECONDS, SPEED)

    monkeypatch.setattr(rehearsal, 'rehearse', rehearse)
    keep = rehearsed.keep

    def full(*_: Any) -> Path:
        raise OSError(errno.ENOSPC, 'no space left')

    monkeypatch.setattr(rehearsed, 'keep', full)
    for _ in range(2):
        assert [kind for kind, _ in rehearsal.verdicts(run)] == [FORWARD]
    monkeypatch.setattr(rehearsed, 'keep', keep)
    for _ in range(3):
        list(rehearsal.verdicts(run))
    assert walked == [FORWARD] * 3


def test_one_policy_of_several_tasks_is_rehearsed_at_each(run: RunDirectory) -> None:
    path = run.parameters / 'policy.yaml'
    path.write_text(path.read_text().replace('share_learner: false', 'share_learner: true'))
    assert rehearsal.taught_by(run) == {FORWARD: FORWARD, LEFT: FORWARD}
