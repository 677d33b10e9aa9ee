"""Claims about what an evaluation leaves behind."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from quad_learner.evaluation import Score
from quad_learner.experience.run_directory import RunDirectory, create_at
from quad_learner.experience.walk_quality import Bout
from quad_learner.scorecard import lines, write_scorecard


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return create_at(tmp_path / 'run', {})


@pytest.fixture
def trot() -> Bout:
    """Returns two metres of a trot of two strides a second by a robot of 10 kg."""
    foot = np.arange(320)[:, None] % 40 < 20
    return Bout(
        tick_hz=80.0,
        action_hz=40.0,
        mass=10.0,
        contact=np.hstack((foot, ~foot, ~foot, foot)),
        others=((),) * 320,
        height=np.full(320, 0.25),
        roll=np.full(320, np.pi / 18.0),
        pitch=np.zeros(320),
        action=np.zeros((160, 12)),
        way=2.0,
        work=196.2,
        drawn=392.4,
    )


def test_the_file_holds_the_whole_and_each_episode(run: RunDirectory, trot: Bout) -> None:
    knees = replace(trot, others=(('shin',),) * 320, contact=np.ones((320, 4), np.bool_))
    scores = [Score(0.2, 100.0, 160, False, trot), Score(0.4, 50.0, 160, True, knees, True)]
    write_scorecard(run, scores, seed=7, four_legs=True)
    found = json.loads(run.evaluation.read_text())
    assert (found['seed'], found['falls'], found['tumbles']) == (7, 1, 1)
    assert [episode['tumbled_before'] for episode in found['episodes']] == [False, True]
    assert found['speed_m_s'] == {'mean': 0.3, 'std': 0.1}
    assert found['walk']['other_contact_share'] == 0.5
    first, second = (episode['walk'] for episode in found['episodes'])
    assert first['gait']['pattern'] == 'trot'
    assert first['gait']['stride_hz']['hind_left'] == 2.0
    assert (first['cost_of_transport_mechanical'], first['vibration_share']) == (1.0, None)
    assert second['gait']['pattern'] == 'no steps'
    assert second['other_contacts'] == {'shin': 1.0}
    assert run.footfalls.read_bytes().startswith(b'\x89PNG')


def test_the_file_names_the_policy_that_was_driven(run: RunDirectory, trot: Bout) -> None:
    scores = [Score(0.2, 1.0, 160, False, trot)]
    for policy, name in ((None, 'policy.onnx'), (run.policy_of('_left'), 'policy_left.onnx')):
        write_scorecard(run, scores, 1, True, policy)
        assert json.loads(run.evaluation.read_text())['policy'] == name


def test_people_read_the_same_figures(run: RunDirectory, trot: Bout) -> None:
    shown = dict(lines(write_scorecard(run, [Score(0.2, 1.0, 160, False, trot)], 1, True)))
    assert shown['gait'] == 'trot'
    assert shown['cost of transport'] == '1.000 mechanical, 2.000 from the battery'
    assert shown['scooting (not on feet alone)'] == '0.0%'
    assert shown['vibration (above 5 Hz)'] == '—'
    assert shown['largest lean'] == 'roll 10.0°, pitch 0.0°'


def test_a_robot_of_another_build_has_figures_but_no_picture(
    run: RunDirectory, trot: Bout
) -> None:
    quality = write_scorecard(run, [Score(0.2, 1.0, 160, False, trot)], 1, four_legs=False)
    assert json.loads(run.evaluation.read_text())['walk']['gait'] is None
    assert 'gait' not in dict(lines(quality))
    assert not run.footfalls.exists()
