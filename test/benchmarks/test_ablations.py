"""Claims about the list of changes and about going on where one was stopped."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import ablation_curves
import ablations
from ablations import BOX, CHANGES, LAYER_NORM, learn_changed, run, settings_of, wanted
from ablations import read as read_trials
from plain_critics import PlainCritics
from quad_learner.configuration import read, read_values
from quad_learner.learning import critics
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.resources import config_directory
from quad_learner.robot.model import load


def pretend(seed: int, minutes: float, settings: dict[str, Any]) -> dict[str, Any]:
    """Stands for a trial; runs in another process."""
    return {'seed': seed, 'steps': 100 * seed, 'set': settings}


def test_every_change_but_the_default_changes_a_parameter_that_there_is() -> None:
    files = ('learner', 'policy', 'task')
    shipped: dict[str, Any] = {}
    for name in files:
        shipped |= read_values(config_directory() / f'{name}.yaml')
    shipped |= {BOX: 1.0, LAYER_NORM: True}
    for name, change in CHANGES.items():
        assert name == 'default' or any(shipped[key] != value for key, value in change.items())
    contents = [json.dumps(change, sort_keys=True) for change in CHANGES.values()]
    assert len(set(contents)) == len(contents)


def test_a_smaller_action_box_is_another_robot_file_with_all_else_alike(tmp_path: Path) -> None:
    settings = settings_of({BOX: 0.5, 'mirror': False}, tmp_path)
    path = settings.pop('robot')
    assert settings == {'mirror': False}
    ours, small = load('a1'), load(path)
    np.testing.assert_allclose(small.action_box[:3], (0.1, 0.16, 0.16))
    for field in dataclasses.fields(ours):
        if field.name != BOX:
            np.testing.assert_equal(getattr(small, field.name), getattr(ours, field.name))


@pytest.mark.parametrize('layer_norm', [True, False])
def test_without_layer_norm_a_trial_learns_with_plain_critics(
    layer_norm: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = read(LearnerConfig, config_directory() / 'learner.yaml', {})

    def kind(_seed: int, _minutes: float, settings: dict[str, Any]) -> dict[str, Any]:
        assert settings == {}, 'what is no parameter is kept from the learner'
        return {'kind': type(critics.build(3, 2, shipped, torch.Generator()))}

    monkeypatch.setattr(ablations, 'learn', kind)
    found = learn_changed(0, 1.0, {LAYER_NORM: layer_norm})['kind']
    assert found is (critics.LayerNormCritics if layer_norm else PlainCritics)


def test_what_is_there_is_not_run_again_and_a_torn_line_is(tmp_path: Path) -> None:
    path = tmp_path / 'trials.jsonl'
    run(wanted(['default'], [1], 2.0), path, 1, pretend)
    first = path.read_text()
    path.write_text(first + '{"change": "default", "se')
    run(wanted(['default', 'no mirror'], [1, 2], 2.0), path, 1, pretend)
    assert path.read_text().startswith(first)
    found = [(trial['change'], trial['seed'], trial['steps']) for trial in read_trials(path)]
    assert sorted(found) == [
        ('default', 1, 100),
        ('default', 2, 200),
        ('no mirror', 1, 100),
        ('no mirror', 2, 200),
    ]


def test_another_length_or_another_content_is_another_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / 'trials.jsonl'
    run(wanted(['no mirror'], [1], 2.0), path, 1, pretend)
    run(wanted(['no mirror'], [1], 3.0), path, 1, pretend)
    monkeypatch.setitem(CHANGES, 'no mirror', {'mirror': False, 'history': 0})  # type: ignore[arg-type]
    run(wanted(['no mirror'], [1], 3.0), path, 1, pretend)
    assert len(read_trials(path)) == 3


def test_seeds_go_round_the_changes_in_turn() -> None:
    trials = wanted(['default', 'no mirror'], [0, 1], 10.0)
    assert [(trial['seed'], trial['change']) for trial in trials] == [
        (0, 'default'),
        (0, 'no mirror'),
        (1, 'default'),
        (1, 'no mirror'),
    ]


def test_the_picture_has_a_colour_for_each_change(tmp_path: Path) -> None:
    curves = {
        'end_s': [15.0, 30.0, 45.0, 60.0],
        'speed_m_s': [0.1, 0.2, 0.3, 0.4],
        'fell': [True, False, True, False],
        'lambda': [1.0, 2.0, 1.0, 0.0],
    }
    picture = tmp_path / 'curves.png'
    later = curves | {'end_s': [20.0, 40.0, 50.0, 70.0]}
    ablation_curves.draw({'a': [{'curves': curves}], 'b': [{'curves': later}]}, picture)
    pixels = np.asarray(Image.open(picture).convert('RGB')).astype(int)
    for colour, drawn in zip(ablation_curves.COLOURS, (True, True, False), strict=False):
        parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        # Lines are seven tenths opaque on white.
        shade = [round(0.7 * part + 0.3 * 255) for part in parts]
        assert ((abs(pixels - shade).max(axis=2) <= 12).sum() > 200) == drawn


def test_the_same_trials_draw_the_same_svg(tmp_path: Path) -> None:
    curves = {'end_s': [20.0], 'lambda': [1.0], 'fell': [True], 'speed_m_s': [0.1]}
    pictures = [tmp_path / f'{number}.svg' for number in range(2)]
    for picture in pictures:
        ablation_curves.draw({'a': [{'curves': curves}]}, picture)
    one, same = (picture.read_text() for picture in pictures)
    assert one == same
    assert '<dc:date>' not in one
