"""A run of several tasks: each learns from its own steps, or all from one another's."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import torch
from made_up_runs import EACH_ITS_OWN, SHARED, by_turns, lived, opened

from quad_learner.experience.run_directory import RunDirectory, create_at
from quad_learner.experience.transition import Transition
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.learning.trainee import seed_of
from quad_learner.learning.training import ForeignTaskError
from quad_learner.policy.onnx_policy import ModelCard, OnnxPolicy
from quad_learner.robot.model import RobotModel
from quad_learner.task.kinds import BACKWARD, FORWARD, LEFT

ConfigBuilder = Callable[..., LearnerConfig]


def test_each_task_learns_from_its_own_steps_alone(
    run: RunDirectory,
    robot: RobotModel,
    make_config: ConfigBuilder,
    steps: list[Transition],
    tmp_path: Path,
) -> None:
    # What a learner of several does to one of them is what a learner of that one alone does.
    config = make_config(checkpoint_every=10_000, replay_capacity=200)
    both = by_turns(steps)
    ahead = [step for step in both[:200] if step.task == FORWARD.number]
    alone = [dataclasses.replace(step, sequence=number) for number, step in enumerate(ahead, 1)]
    other = create_at(tmp_path / 'alone', {})
    half = make_config(checkpoint_every=10_000, replay_capacity=100)
    single = opened(other, robot, half, alone)
    lived(single, 1, 100)
    first = opened(run, robot, config, both, EACH_ITS_OWN)
    lived(first, 1, 175)
    assert first.learner.updates == single.learner.updates
    again = single.learner.learned_tensors()
    for name, tensor in first.learner.learned_tensors().items():
        assert torch.equal(tensor, again[name]), name


def test_at_the_end_of_an_episode_there_is_a_model_of_every_task_within_one_of_its_own(
    run: RunDirectory, robot: RobotModel, make_config: ConfigBuilder, steps: list[Transition]
) -> None:
    config = make_config(publish_every=20)
    training = opened(run, robot, config, by_turns(steps), EACH_ITS_OWN)
    given = [training.take_in(b'%d' % n, lambda: True) for n in range(1, 51)]
    told = {n: models for n, models in enumerate(given, 1) if models}
    assert list(told) == [20, 25, 40, 50]
    assert [set(models) for models in told.values()] == [
        {FORWARD},
        {FORWARD, BACKWARD},
        {BACKWARD},
        {FORWARD, BACKWARD},
    ]
    spans = {
        n: {(card.use_from, card.use_until, card.made_after) for card in _cards(models.values())}
        for n, models in told.items()
    }
    assert spans == {
        20: {(40, 60, 20)},
        25: {(25, 60, 25)},
        40: {(60, 80, 40)},
        50: {(50, 80, 50)},
    }


def _version(model: bytes) -> int:
    return OnnxPolicy(model).card.version


def _cards(models: Iterable[bytes]) -> list[ModelCard]:
    return [OnnxPolicy(model).card for model in models]


def test_a_killed_run_of_several_tasks_goes_on_bit_for_bit(
    run: RunDirectory,
    robot: RobotModel,
    make_config: ConfigBuilder,
    steps: list[Transition],
    tmp_path: Path,
) -> None:
    config, both = make_config(checkpoint_every=100), by_turns(steps)
    training = opened(run, robot, config, both, EACH_ITS_OWN)
    lived(training, 1, 100)
    shutil.copytree(run.path, tmp_path / 'killed')
    killed = RunDirectory(tmp_path / 'killed')
    assert killed.policy_of('').is_file()
    assert killed.policy_of('_backward').is_file()
    resumed = opened(killed, robot, config, both, EACH_ITS_OWN)
    for last in (225, 250):  # one ends with a step ahead, the other with one back
        for one in (training, resumed):
            lived(one, one.sequence + 1, last)
        again = resumed.learner.learned_tensors()
        for name, tensor in training.learner.learned_tensors().items():
            assert torch.equal(tensor, again[name]), name
    assert training.updates == resumed.updates > 100


def test_no_number_stands_for_two_models_of_a_task(
    run: RunDirectory, robot: RobotModel, make_config: ConfigBuilder, steps: list[Transition]
) -> None:
    config = make_config(publish_every=20, checkpoint_every=60)
    # Nothing but the log knows that the robot was given the seventh of walking backward.
    both = [
        dataclasses.replace(step, policy_version=7 if step.task == BACKWARD.number else 0)
        for step in by_turns(steps)
    ]
    training = opened(run, robot, config, both, EACH_ITS_OWN)
    given = [training.models()]
    given += [training.take_in(b'%d' % n, lambda: True) for n in range(1, 61)]
    last = {kind: _version(models[kind]) for models in given for kind in models}
    resumed = opened(run, robot, config, both, EACH_ITS_OWN)
    again = resumed.models()
    assert _version(again[FORWARD]) > last[FORWARD]
    assert _version(again[BACKWARD]) == 8
    given += [again, *(resumed.take_in(b'%d' % n, lambda: True) for n in range(61, 121))]
    for kind in (FORWARD, BACKWARD):
        told = [_version(models[kind]) for models in given if kind in models]
        assert len(told) > 6
        assert told == sorted(set(told))


def test_each_task_takes_up_its_own_steps_from_the_log(
    run: RunDirectory, robot: RobotModel, make_config: ConfigBuilder, steps: list[Transition]
) -> None:
    config, both = make_config(checkpoint_every=100), by_turns(steps)
    lived(opened(run, robot, config, both, EACH_ITS_OWN), 1, 130)
    resumed = opened(run, robot, config, both, EACH_ITS_OWN)
    # The 130th is the fifth of an episode backward: 75 steps were taken ahead, 55 back.
    assert (resumed.learner.last_sequence, len(resumed.learner.replay)) == (130, 55)
    assert resumed.learner.normaliser.count == 55
    assert resumed.metrics()['replay_size'] == 130
    assert (resumed.due_updates, resumed.lost) == (0, 0)


def test_an_older_checkpoint_of_any_task_is_told_of(
    run: RunDirectory, robot: RobotModel, make_config: ConfigBuilder, steps: list[Transition]
) -> None:
    config, both = make_config(checkpoint_every=20), by_turns(steps)
    lived(opened(run, robot, config, both, EACH_ITS_OWN), 1, 80)
    newest = max(run.checkpoint_of('_backward').iterdir())
    (newest / 'state.safetensors').write_bytes(b'')
    resumed = opened(run, robot, config, both, EACH_ITS_OWN)
    assert len(resumed.passed_over) == 1
    assert str(newest) in resumed.passed_over[0]


def test_a_step_of_a_task_that_is_not_learned_is_refused(
    run: RunDirectory, robot: RobotModel, make_config: ConfigBuilder, steps: list[Transition]
) -> None:
    strange = [dataclasses.replace(step, task=LEFT.number) for step in steps]
    training = opened(run, robot, make_config(), strange)
    with pytest.raises(ForeignTaskError, match='task left, but this run learns forward'):
        lived(training, 1, 1)
    assert training.sequence == 0


def test_the_learners_of_a_run_begin_differently_and_that_of_walking_forward_with_its_seed() -> (
    None
):
    seeds = [seed_of(kind, 7) for kind in (FORWARD, BACKWARD, LEFT)]
    assert seeds[0] == 7
    assert len(set(seeds)) == 3
    assert seeds[1:] != [seed_of(kind, 8) for kind in (BACKWARD, LEFT)]


def test_tasks_that_share_a_learner_are_one_to_it(
    run: RunDirectory,
    robot: RobotModel,
    make_config: ConfigBuilder,
    steps: list[Transition],
    tmp_path: Path,
) -> None:
    config, both = make_config(checkpoint_every=100, publish_every=20), by_turns(steps)
    single = opened(create_at(tmp_path / 'single', {}), robot, config, steps)
    shared = opened(run, robot, config, both, SHARED)
    for number in range(1, 131):
        models = shared.take_in(b'%d' % number, lambda: True)
        assert set(models) <= {FORWARD}
        assert models.keys() == single.take_in(b'%d' % number, lambda: True).keys()
    assert len(shared.learner.replay) == 130
    assert not run.policy_of('_backward').exists()
    resumed = opened(run, robot, config, both, SHARED)
    assert len(resumed.learner.replay) == 130
    alone = single.learner.learned_tensors()
    for name, tensor in shared.learner.learned_tensors().items():
        assert torch.equal(tensor, alone[name]), name
