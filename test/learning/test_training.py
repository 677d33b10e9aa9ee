"""A run's learner: what it gives away is sound, and a killed run goes on as if never stopped."""

from __future__ import annotations

import dataclasses
import errno
import math
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from quad_learner.experience.run_directory import RunDirectory, create_at
from quad_learner.experience.steps import Steps
from quad_learner.experience.transition import Transition
from quad_learner.learning import checkpoint, trainee
from quad_learner.learning.actor import Actor
from quad_learner.learning.export import policy_onnx
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.learning.trainee import seed_of
from quad_learner.learning.training import ForeignTaskError, Training
from quad_learner.policy.onnx_policy import ModelCard, OnnxPolicy
from quad_learner.robot.model import RobotModel, load
from quad_learner.task.kinds import BACKWARD, FORWARD, LEFT, Kind

ConfigBuilder = Callable[..., LearnerConfig]
StepBuilder = Callable[..., Transition]


@pytest.fixture
def steps(make_step: StepBuilder) -> list[Transition]:
    """Returns 300 steps in episodes of 25, each beginning where the last one led."""
    generator, steps, seen = np.random.default_rng(0), [], np.zeros(3, np.float32)
    for number in range(1, 301):
        ended = {'terminated': False, 'truncated': number % 25 == 0}
        steps.append(make_step(number, generator, observation=seen, **ended))
        seen = steps[-1].next_observation
    return steps


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """Returns the folder of a run that has just begun."""
    return create_at(tmp_path / 'run', {})


@pytest.fixture(scope='module')
def robot() -> RobotModel:
    """Returns the robot that the models are said to be for."""
    return load('a1')


def _training(
    run: RunDirectory,
    robot: RobotModel,
    config: LearnerConfig,
    steps: list[Transition],
    kinds: Sequence[Kind] = (FORWARD,),
) -> Training:
    """Opens a run whose messages are the steps' numbers."""
    tasks = dict.fromkeys(kinds, None)
    training = Training(
        run,
        robot,
        (3, 2),
        config,
        0,
        tasks,
        lambda: 0,
        lambda data: steps[int(data) - 1],
        lambda many: Steps.of([steps[int(data) - 1] for data in many]),
    )
    training.open()
    return training


def _lived(training: Training, first: int, last: int) -> list[bytes]:
    """Returns the models given away while the steps from `first` to `last` were taken in."""
    models = [training.take_in(b'%d' % n, lambda: True) for n in range(first, last + 1)]
    return [model for each in models for model in each.values()]


def _is_finite(model: bytes) -> bool:
    session = onnxruntime.InferenceSession(model, providers=['CPUExecutionProvider'])
    answers = session.run(None, {'observation': np.ones((1, 3), np.float32)})
    return all(np.isfinite(answer).all() for answer in answers)


@pytest.mark.parametrize('poisoned', ['actor_adam', 'critic_adam'])
def test_nothing_poisoned_is_given_away_or_saved(
    run: RunDirectory,
    robot: RobotModel,
    make_config: ConfigBuilder,
    steps: list[Transition],
    poisoned: str,
) -> None:
    # It is left no time to go back by itself.
    config = make_config(publish_every=10, skips_before_rollback=10_000)
    training = _training(run, robot, config, steps)
    _lived(training, 1, 49)
    learned = getattr(training.learner, poisoned).vector.data
    learned[3] = math.nan
    models = _lived(training, 50, 60)
    assert len(models) == 2
    assert all(_is_finite(model) for model in models)

    learned[3] = math.nan
    assert training.save() == ''
    assert _is_finite(run.policy.read_bytes())
    for name, tensor in checkpoint.read(run.checkpoint).tensors.items():
        assert torch.isfinite(tensor.sum()), name


def _swapped(model: bytes) -> bytes:
    """Returns `model` with what its two joints do exchanged."""
    parsed = onnx.load_from_string(model)
    for part in parsed.graph.initializer:
        if part.name in ('weight_3', 'bias_3'):
            values = onnx.numpy_helper.to_array(part)[..., [1, 0, 2, 3]]
            part.CopyFrom(onnx.numpy_helper.from_array(values.copy(), part.name))
    return bytes(parsed.SerializeToString())


def _answer(model: bytes) -> list[float]:
    mean: list[float] = OnnxPolicy(model).answer(np.ones(3, np.float32)).mean.tolist()
    return mean


@pytest.mark.parametrize('fault', ['not finite', 'swapped joints'])
def test_a_model_that_must_not_drive_is_not_given_away_and_the_last_one_goes_out_again(
    run: RunDirectory,
    robot: RobotModel,
    make_config: ConfigBuilder,
    steps: list[Transition],
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
) -> None:
    training = _training(run, robot, make_config(publish_every=10), steps)
    before = _lived(training, 1, 20)[-1]
    incumbent = training.learner.incumbent
    if fault == 'not finite':  # where no way back of the learner looks
        training.learner.normaliser.mean[0] = math.nan
    else:

        def faulty(actor: Actor, *more: Any) -> bytes:
            model = policy_onnx(actor, *more)
            return model if actor is incumbent.given else _swapped(model)

        monkeypatch.setattr(trainee, 'policy_onnx', faulty)
    models = _lived(training, 21, 50)
    cards = _cards(models)
    assert [OnnxPolicy(model).problem for model in models] == [''] * 4
    assert [card.use_from for card in cards] == [25, 40, 50, 50]
    assert [_answer(model) for model in models] == [_answer(before)] * len(models)
    assert training.metrics()['models_refused'] == len(models)
    words = {'not finite': 'not finite', 'swapped joints': 'answers otherwise'}[fault]
    assert words in incumbent.refusal
    assert training.save() == ''
    assert _answer(run.policy.read_bytes()) == _answer(before)


def test_where_the_last_one_must_not_drive_either_no_model_goes_out(
    run: RunDirectory,
    robot: RobotModel,
    make_config: ConfigBuilder,
    steps: list[Transition],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    training = _training(run, robot, make_config(publish_every=10), steps)
    monkeypatch.setattr(trainee, 'policy_onnx', lambda *given: _swapped(policy_onnx(*given)))
    assert _lived(training, 1, 20) == []


@pytest.mark.parametrize('law', ['ascent', 'pid'])
def test_a_killed_run_goes_on_bit_for_bit(
    run: RunDirectory,
    robot: RobotModel,
    make_config: ConfigBuilder,
    steps: list[Transition],
    tmp_path: Path,
    law: str,
) -> None:
    gated = {'gated': True, 'fall_back_steps': 20, 'fall_back_window': 4, 'trial_steps': 10}
    strict = {'gate_margin_rad': 0.0, 'gate_reward': 0.0, 'margin_required_rad': -1.0}
    changes: dict[str, Any] = {**gated, **strict} if law == 'ascent' else {}
    config = make_config(multiplier_law=law, replay_capacity=60, checkpoint_every=100, **changes)
    training = _training(run, robot, config, steps)
    _lived(training, 1, 100)
    shutil.copytree(run.path, tmp_path / 'killed')
    resumed = _training(RunDirectory(tmp_path / 'killed'), robot, config, steps)
    updates = training.learner.updates
    assert (resumed.sequence, resumed.learner.updates) == (100, updates)
    given = [_lived(one, 101, 200) for one in (training, resumed)]
    # But for the version: a resumed run counts on, for models of after the checkpoint.
    assert [_answer(model) for model in given[0]] == [_answer(model) for model in given[1]]
    assert resumed.learner.incumbent.state() == training.learner.incumbent.state()
    assert (training.metrics()['models_refused'] > 0) == (law == 'ascent')
    assert training.learner.updates >= updates + 100
    assert resumed.learner.updates == training.learner.updates
    assert resumed.learner.dual_state() == training.learner.dual_state()
    again = resumed.learner.learned_tensors()
    for name, tensor in training.learner.learned_tensors().items():
        assert torch.equal(tensor, again[name]), name


def test_what_came_after_the_checkpoint_is_taken_up_from_the_log(
    run: RunDirectory, robot: RobotModel, make_config: ConfigBuilder, steps: list[Transition]
) -> None:
    config = make_config(checkpoint_every=100)
    _lived(_training(run, robot, config, steps), 1, 130)
    resumed = _training(run, robot, config, steps)
    assert (resumed.sequence, len(resumed.learner.replay)) == (130, 130)
    assert resumed.learner.normaliser.count == 130
    assert resumed.due_updates == 0


def _version(model: bytes) -> int:
    return OnnxPolicy(model).card.version


def test_no_number_stands_for_two_models(
    run: RunDirectory, robot: RobotModel, make_config: ConfigBuilder, steps: list[Transition]
) -> None:
    config = make_config(publish_every=20, checkpoint_every=40)
    training = _training(run, robot, config, steps)
    given = [_version(training.models()[FORWARD])]
    given += [_version(model) for model in _lived(training, 1, 40)]
    # The checkpoint falls together with a model: what is saved is of the model given away.
    assert _version(run.policy.read_bytes()) == given[-1]
    assert checkpoint.read(run.checkpoint).manifest['version'] == given[-1]
    resumed = _training(run, robot, config, steps)
    given += [_version(resumed.models()[FORWARD])]
    given += [_version(model) for model in _lived(resumed, 41, 60)]
    assert given == sorted(set(given))


def test_a_model_that_the_log_knows_is_not_made_again(
    run: RunDirectory, robot: RobotModel, make_config: ConfigBuilder, steps: list[Transition]
) -> None:
    """No checkpoint was written, but steps say which model chose their action."""
    steps = [dataclasses.replace(step, policy_version=9) for step in steps]
    _lived(_training(run, robot, make_config(), steps), 1, 10)
    assert _training(run, robot, make_config(), steps).version == 10


def test_a_resumed_run_tells_the_same_of_its_past(
    run: RunDirectory, robot: RobotModel, make_config: ConfigBuilder, steps: list[Transition]
) -> None:
    fallen = dataclasses.replace(steps[69], terminated=True)
    steps = [*steps[:69], fallen, *steps[70:]]
    training = _training(run, robot, make_config(checkpoint_every=100), steps)
    _lived(training, 1, 115)
    resumed = _training(run, robot, make_config(checkpoint_every=100), steps)
    told, again = training.metrics(), resumed.metrics()
    for name in ('falls', 'episode_return', 'episode_length', 'reward', 'constraint'):
        assert again[name] == told[name] != 0.0, name


class FullDisk:
    """Stands in for what writes: nothing does while `error` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error = 0
        for name in ('pwrite', 'write', 'mkdir', 'fsync', 'fdatasync'):
            monkeypatch.setattr(os, name, self._refusing(getattr(os, name)))

    def _refusing(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def called(*given: Any, **named: Any) -> Any:
            if self.error:
                raise OSError(self.error, os.strerror(self.error))
            return real(*given, **named)

        return called


@pytest.mark.parametrize('error', [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_while_the_disk_refuses_learning_pauses_and_goes_on_after(
    run: RunDirectory,
    robot: RobotModel,
    make_config: ConfigBuilder,
    steps: list[Transition],
    monkeypatch: pytest.MonkeyPatch,
    error: int,
) -> None:
    training = _training(run, robot, make_config(checkpoint_every=40), steps)
    _lived(training, 1, 40)
    updates, disk = training.learner.updates, FullDisk(monkeypatch)
    disk.error = error
    # Models are still made: whoever acts does not wait.
    assert len(_lived(training, 41, 80)) >= 2
    assert training.learner.updates == updates
    assert os.strerror(error) in training.problem
    assert 'checkpoint was not written' in training.unsaved
    assert training.unlogged == 40
    disk.error = 0
    _lived(training, 81, 120)
    assert (training.problem, training.unsaved, training.unlogged) == ('', '', 0)
    assert training.learner.updates > updates
    assert training.close() == ''
    again = _training(run, robot, make_config(checkpoint_every=40), steps)
    assert (again.sequence, len(again.learner.replay), again.lost) == (120, 120, 0)


def test_no_checkpoint_knows_of_steps_that_are_not_in_the_log(
    run: RunDirectory,
    robot: RobotModel,
    make_config: ConfigBuilder,
    steps: list[Transition],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The log alone is refused: there would be room for the checkpoint."""
    training = _training(run, robot, make_config(checkpoint_every=20), steps)
    _lived(training, 1, 20)

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, 'pwrite', full)
    _lived(training, 21, 40)
    assert 'No space left' in training.unsaved
    assert checkpoint.read(run.checkpoint).manifest['numbers']['last_sequence'] == 20


def test_on_a_full_file_system_nothing_is_lost_and_space_is_enough_to_go_on(
    robot: RobotModel, make_config: ConfigBuilder, steps: list[Transition], tmp_path: Path
) -> None:
    mounted = subprocess.run(
        ['mount', '-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', str(tmp_path)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip('a small file system cannot be mounted here (needs root)')
    try:
        run = create_at(tmp_path / 'run', {})
        training = _training(run, robot, make_config(checkpoint_every=50), steps)
        _lived(training, 1, 50)
        ballast = tmp_path / 'ballast'
        with pytest.raises(OSError, match='No space left'), ballast.open('wb', 0) as file:
            while True:
                file.write(bytes(1024))
        _lived(training, 51, 150)
        assert 'No space left' in training.problem + training.unsaved
        ballast.unlink()
        _lived(training, 151, 200)
        assert (training.problem, training.close()) == ('', '')
        assert _training(run, robot, make_config(), steps).sequence == 200
    finally:
        subprocess.run(['umount', '-l', str(tmp_path)], check=True)


def _by_turns(steps: list[Transition]) -> list[Transition]:
    """Returns `steps` with every other episode of 25 walked backward, and each with its number."""
    return [
        dataclasses.replace(
            step, task=(BACKWARD if index // 25 % 2 else FORWARD).number, episode=index // 25
        )
        for index, step in enumerate(steps)
    ]


def test_each_task_learns_from_its_own_steps_alone(
    run: RunDirectory,
    robot: RobotModel,
    make_config: ConfigBuilder,
    steps: list[Transition],
    tmp_path: Path,
) -> None:
    # What a learner of several does to one of them is what a learner of that one alone does.
    config = make_config(checkpoint_every=10_000, replay_capacity=200)
    both = _by_turns(steps)
    ahead = [step for step in both[:200] if step.task == FORWARD.number]
    alone = [dataclasses.replace(step, sequence=number) for number, step in enumerate(ahead, 1)]
    other = create_at(tmp_path / 'alone', {})
    half = make_config(checkpoint_every=10_000, replay_capacity=100)
    single = _training(other, robot, half, alone)
    _lived(single, 1, 100)
    first = _training(run, robot, config, both, (FORWARD, BACKWARD))
    _lived(first, 1, 175)
    assert first.learner.updates == single.learner.updates
    again = single.learner.learned_tensors()
    for name, tensor in first.learner.learned_tensors().items():
        assert torch.equal(tensor, again[name]), name


def test_at_the_end_of_an_episode_there_is_a_model_of_every_task_within_one_of_its_own(
    run: RunDirectory, robot: RobotModel, make_config: ConfigBuilder, steps: list[Transition]
) -> None:
    config = make_config(publish_every=20)
    training = _training(run, robot, config, _by_turns(steps), (FORWARD, BACKWARD))
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


def _cards(models: Iterable[bytes]) -> list[ModelCard]:
    return [OnnxPolicy(model).card for model in models]


def test_a_killed_run_of_several_tasks_goes_on_bit_for_bit(
    run: RunDirectory,
    robot: RobotModel,
    make_config: ConfigBuilder,
    steps: list[Transition],
    tmp_path: Path,
) -> None:
    config, both = make_config(checkpoint_every=100), _by_turns(steps)
    training = _training(run, robot, config, both, (FORWARD, BACKWARD))
    _lived(training, 1, 100)
    shutil.copytree(run.path, tmp_path / 'killed')
    killed = RunDirectory(tmp_path / 'killed')
    assert killed.policy_of('').is_file()
    assert killed.policy_of('_backward').is_file()
    resumed = _training(killed, robot, config, both, (FORWARD, BACKWARD))
    for last in (225, 250):  # one ends with a step ahead, the other with one back
        for one in (training, resumed):
            _lived(one, one.sequence + 1, last)
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
        for step in _by_turns(steps)
    ]
    training = _training(run, robot, config, both, (FORWARD, BACKWARD))
    given = [training.models()]
    given += [training.take_in(b'%d' % n, lambda: True) for n in range(1, 61)]
    last = {kind: _version(models[kind]) for models in given for kind in models}
    resumed = _training(run, robot, config, both, (FORWARD, BACKWARD))
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
    config, both = make_config(checkpoint_every=100), _by_turns(steps)
    _lived(_training(run, robot, config, both, (FORWARD, BACKWARD)), 1, 130)
    resumed = _training(run, robot, config, both, (FORWARD, BACKWARD))
    # The 130th is the fifth of an episode backward: 75 steps were taken ahead, 55 back.
    assert (resumed.learner.last_sequence, len(resumed.learner.replay)) == (130, 55)
    assert resumed.learner.normaliser.count == 55
    assert resumed.metrics()['replay_size'] == 130
    assert (resumed.due_updates, resumed.lost) == (0, 0)


def test_an_older_checkpoint_of_any_task_is_told_of(
    run: RunDirectory, robot: RobotModel, make_config: ConfigBuilder, steps: list[Transition]
) -> None:
    config, both = make_config(checkpoint_every=20), _by_turns(steps)
    _lived(_training(run, robot, config, both, (FORWARD, BACKWARD)), 1, 80)
    newest = max(run.checkpoint_of('_backward').iterdir())
    (newest / 'state.safetensors').write_bytes(b'')
    resumed = _training(run, robot, config, both, (FORWARD, BACKWARD))
    assert len(resumed.passed_over) == 1
    assert str(newest) in resumed.passed_over[0]


def test_a_step_of_a_task_that_is_not_learned_is_refused(
    run: RunDirectory, robot: RobotModel, make_config: ConfigBuilder, steps: list[Transition]
) -> None:
    strange = [dataclasses.replace(step, task=LEFT.number) for step in steps]
    training = _training(run, robot, make_config(), strange)
    with pytest.raises(ForeignTaskError, match='task left, but this run learns forward'):
        _lived(training, 1, 1)
    assert training.sequence == 0


def test_the_learners_of_a_run_begin_differently_and_that_of_walking_forward_with_its_seed() -> (
    None
):
    seeds = [seed_of(kind, 7) for kind in (FORWARD, BACKWARD, LEFT)]
    assert seeds[0] == 7
    assert len(set(seeds)) == 3
    assert seeds[1:] != [seed_of(kind, 8) for kind in (BACKWARD, LEFT)]
