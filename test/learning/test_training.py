"""A run's learner: what it gives away is sound, and a killed run goes on as if never stopped."""

from __future__ import annotations

import dataclasses
import errno
import math
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from made_up_runs import lived, opened

from quad_learner.experience.reader import ExperienceReader
from quad_learner.experience.run_directory import RunDirectory, create_at
from quad_learner.experience.transition import Transition
from quad_learner.learning import checkpoint, trainee
from quad_learner.learning import training as module
from quad_learner.learning.actor import Actor
from quad_learner.learning.export import policy_onnx
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.policy.models import ModelQueue
from quad_learner.policy.onnx_policy import OnnxPolicy
from quad_learner.robot.model import RobotModel
from quad_learner.task.kinds import FORWARD

ConfigBuilder = Callable[..., LearnerConfig]
StepBuilder = Callable[..., Transition]


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
    training = opened(run, robot, config, steps)
    lived(training, 1, 49)
    learned = getattr(training.learner, poisoned).vector.data
    learned[3] = math.nan
    models = lived(training, 50, 60)
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
    training = opened(run, robot, make_config(publish_every=10), steps)
    before = lived(training, 1, 20)[-1]
    incumbent = training.learner.incumbent
    if fault == 'not finite':  # where no way back of the learner looks
        training.learner.normaliser.mean[0] = math.nan
    else:

        def faulty(actor: Actor, *more: Any) -> bytes:
            model = policy_onnx(actor, *more)
            return model if actor is incumbent.given else _swapped(model)

        monkeypatch.setattr(trainee, 'policy_onnx', faulty)
    models = lived(training, 21, 50)
    cards = [OnnxPolicy(model).card for model in models]
    assert [OnnxPolicy(model).problem for model in models] == [''] * 4
    assert [card.use_from for card in cards] == [25, 40, 50, 50]
    assert [_answer(model) for model in models] == [_answer(before)] * len(models)
    assert training.metrics()['models_refused'] == len(models)
    words = {'not finite': 'not finite', 'swapped joints': 'answers otherwise'}[fault]
    assert words in incumbent.refusal
    assert training.save() == ''
    assert _answer(run.policy.read_bytes()) == _answer(before)


def test_a_policy_that_falls_in_its_trial_is_rolled_back_and_the_metrics_say_so(
    run: RunDirectory, robot: RobotModel, make_config: ConfigBuilder, make_step: StepBuilder
) -> None:
    """Episodes of 20 steps, f a fall. The newest falls, and again in its trial of ten steps."""
    rules = {'fall_back_steps': 20, 'margin_required_rad': 0.1, 'trial_steps': 30}
    share = {'trial_share': 0.5, 'trial_change': 2.0, 'box_start': 0.4, 'box_opening': 0.0}
    chance = np.random.default_rng(0)
    steps = [
        make_step(
            number,
            chance,
            constraint=0.2,
            terminated=number in (40, 80),
            truncated=number % 20 == 0 and number not in (40, 80),
        )
        for number in range(1, 121)
    ]
    training = opened(run, robot, make_config(warmup_steps=200, **rules, **share), steps)
    told = []
    for first in range(1, 121, 20):
        models = lived(training, first, first + 19)
        metrics = training.metrics()
        names = ('in_trial', 'fell_back', 'rolled_back')
        told.append((OnnxPolicy(models[-1]).card.box, *(metrics[name] for name in names)))
    full, tight = 0.4, 0.2
    assert told == [
        (full, 0.0, 0.0, 0.0),  # a good episode: the incumbent
        (full, 0.0, 1.0, 1.0),  # a fall: the incumbent is next
        (pytest.approx(tight), 1.0, 0.0, 1.0),  # it did well: the newest is next, in a trial
        (full, 0.0, 1.0, 2.0),  # and falls there: back to the incumbent
        (pytest.approx(tight), 1.0, 0.0, 2.0),
        (pytest.approx(tight), 1.0, 0.0, 2.0),  # twenty of its thirty steps are done
    ]


@pytest.mark.parametrize('length', [20, 25])
def test_who_becomes_the_incumbent_is_the_one_that_drove_last(
    run: RunDirectory,
    robot: RobotModel,
    make_config: ConfigBuilder,
    make_step: StepBuilder,
    length: int,
) -> None:
    """Episodes that end where a model is made, and between; as in lockstep, one is used later."""
    chance = np.random.default_rng(0)
    steps = [
        make_step(number, chance, constraint=0.2, terminated=False, truncated=number % length == 0)
        for number in range(1, 5 * length + 1)
    ]
    config = make_config(publish_every=10, fall_back_steps=length, trial_steps=0)
    training = opened(run, robot, config, steps)
    queue, driver = ModelQueue(), None
    given = list(training.models().values())
    for number, step in enumerate(steps, start=1):
        for model in given:
            queue.add(model, 0)
        driver = queue.due(number - 1) or driver
        assert driver is not None
        steps[number - 1] = dataclasses.replace(step, policy_version=driver.card.version)
        given = lived(training, number, number)
        if number % length == 0:
            assert training.learner.incumbent.known
            kept = policy_onnx(training.learner.incumbent.actor)
            seen = np.ones(3, np.float32)
            np.testing.assert_array_equal(
                OnnxPolicy(kept).answer(seen).mean, driver.answer(seen).mean
            )


def test_a_run_that_is_taken_up_begins_with_a_trial(
    run: RunDirectory, robot: RobotModel, make_config: ConfigBuilder, steps: list[Transition]
) -> None:
    config = make_config(trial_steps=30, trial_share=0.5, trial_change=2.0, box_opening=0.0)
    training = opened(run, robot, config, steps)
    whole = OnnxPolicy(training.models()[FORWARD]).card.box
    training.try_anew()
    assert OnnxPolicy(training.models()[FORWARD]).card.box == pytest.approx(0.5 * whole)
    assert training.metrics()['in_trial'] == 1.0


def test_where_the_last_one_must_not_drive_either_no_model_goes_out(
    run: RunDirectory,
    robot: RobotModel,
    make_config: ConfigBuilder,
    steps: list[Transition],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    training = opened(run, robot, make_config(publish_every=10), steps)
    monkeypatch.setattr(trainee, 'policy_onnx', lambda *given: _swapped(policy_onnx(*given)))
    assert lived(training, 1, 20) == []


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
    training = opened(run, robot, config, steps)
    lived(training, 1, 100)
    shutil.copytree(run.path, tmp_path / 'killed')
    resumed = opened(RunDirectory(tmp_path / 'killed'), robot, config, steps)
    updates = training.learner.updates
    assert (resumed.sequence, resumed.learner.updates) == (100, updates)
    given = [lived(one, 101, 200) for one in (training, resumed)]
    # But for the version: a resumed run counts on, for models of after the checkpoint.
    assert [_answer(model) for model in given[0]] == [_answer(model) for model in given[1]]
    for state in (states := [one.learner.incumbent.state() for one in (training, resumed)]):
        for which in ('given', 'before'):
            del state[which]['version']
    assert states[0] == states[1]
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
    lived(opened(run, robot, config, steps), 1, 130)
    resumed = opened(run, robot, config, steps)
    assert (resumed.sequence, len(resumed.learner.replay)) == (130, 130)
    assert resumed.learner.normaliser.count == 130
    assert resumed.due_updates == 0


def _version(model: bytes) -> int:
    return OnnxPolicy(model).card.version


def test_no_number_stands_for_two_models(
    run: RunDirectory, robot: RobotModel, make_config: ConfigBuilder, steps: list[Transition]
) -> None:
    config = make_config(publish_every=20, checkpoint_every=40)
    training = opened(run, robot, config, steps)
    given = [_version(training.models()[FORWARD])]
    given += [_version(model) for model in lived(training, 1, 40)]
    # The checkpoint falls together with a model: what is saved is of the model given away.
    assert _version(run.policy.read_bytes()) == given[-1]
    assert checkpoint.read(run.checkpoint).manifest['version'] == given[-1]
    resumed = opened(run, robot, config, steps)
    given += [_version(resumed.models()[FORWARD])]
    given += [_version(model) for model in lived(resumed, 41, 60)]
    assert given == sorted(set(given))


def test_a_model_that_the_log_knows_is_not_made_again(
    run: RunDirectory, robot: RobotModel, make_config: ConfigBuilder, steps: list[Transition]
) -> None:
    """No checkpoint was written, but steps say which model chose their action."""
    steps = [dataclasses.replace(step, policy_version=9) for step in steps]
    lived(opened(run, robot, make_config(), steps), 1, 10)
    assert opened(run, robot, make_config(), steps).version == 10


def test_a_resumed_run_tells_the_same_of_its_past(
    run: RunDirectory, robot: RobotModel, make_config: ConfigBuilder, steps: list[Transition]
) -> None:
    fallen = dataclasses.replace(steps[69], terminated=True)
    steps = [*steps[:69], fallen, *steps[70:]]
    training = opened(run, robot, make_config(checkpoint_every=100), steps)
    lived(training, 1, 115)
    resumed = opened(run, robot, make_config(checkpoint_every=100), steps)
    told, again = training.metrics(), resumed.metrics()
    for name in ('falls', 'episode_return', 'episode_length', 'reward', 'constraint'):
        assert again[name] == told[name] != 0.0, name


class FullDisk:
    """Stands in for what writes: nothing does while `error` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
        self.error = 0
        for name in names or ('pwrite', 'write', 'mkdir', 'fsync', 'fdatasync'):
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
    training = opened(run, robot, make_config(checkpoint_every=40), steps)
    lived(training, 1, 40)
    updates, disk = training.learner.updates, FullDisk(monkeypatch)
    disk.error = error
    # Models are still made: whoever acts does not wait.
    assert len(lived(training, 41, 80)) >= 2
    assert training.learner.updates == updates
    assert os.strerror(error) in training.problem
    assert 'checkpoint was not written' in training.unsaved
    assert training.unlogged == 40
    disk.error = 0
    lived(training, 81, 120)
    assert (training.problem, training.unsaved, training.unlogged) == ('', '', 0)
    assert training.learner.updates > updates
    assert training.close() == ''
    again = opened(run, robot, make_config(checkpoint_every=40), steps)
    assert (again.sequence, len(again.learner.replay), again.lost) == (120, 120, 0)


@pytest.mark.parametrize('error', [errno.ENOSPC, errno.EROFS, errno.EIO])
@pytest.mark.parametrize('refused', ['pwrite', 'fdatasync', 'fsync'])
def test_a_run_taken_up_while_the_disk_refuses_pauses_and_goes_on_after(
    run: RunDirectory,
    robot: RobotModel,
    make_config: ConfigBuilder,
    steps: list[Transition],
    monkeypatch: pytest.MonkeyPatch,
    error: int,
    refused: str,
) -> None:
    lived(opened(run, robot, make_config(checkpoint_every=40), steps), 1, 40)
    disk = FullDisk(monkeypatch, refused)
    disk.error = error
    training = opened(run, robot, make_config(checkpoint_every=40), steps)
    updates = training.learner.updates
    assert os.strerror(error) in training.problem
    assert len(lived(training, 41, 60)) == 2
    assert (training.unlogged, training.learner.updates) == (20, updates)
    disk.error = 0
    lived(training, 61, 100)
    assert (training.problem, training.unlogged, training.close()) == ('', 0, '')
    assert training.learner.updates > updates
    again = opened(run, robot, make_config(checkpoint_every=40), steps)
    assert (again.sequence, len(again.learner.replay), again.lost) == (100, 100, 0)


def test_of_steps_beyond_those_that_may_wait_none_is_learned_from_and_all_are_told(
    run: RunDirectory,
    robot: RobotModel,
    make_config: ConfigBuilder,
    steps: list[Transition],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Room for 30: of 41 to 90 the last 20 are lost; the 91st finds room on the disk again."""
    monkeypatch.setattr(module, 'UNLOGGED_MAX', 30)
    config = make_config(checkpoint_every=40, fall_back_steps=25, margin_required_rad=-1.0)
    training = opened(run, robot, config, steps)
    lived(training, 1, 40)
    disk = FullDisk(monkeypatch)
    disk.error = errno.ENOSPC
    models = lived(training, 41, 90)
    assert len(models) >= 2, 'whoever acts does not wait'
    assert (training.sequence, training.unlogged, training.lost) == (90, 30, 20)
    assert '30 steps wait, and those that come now are lost; ' in training.problem
    assert 'No space left' in training.problem
    assert len(training.learner.replay) == training.learner.normaliser.count == 70
    disk.error = 0
    lived(training, 91, 120)
    assert (training.problem, training.unlogged, training.lost) == ('', 0, 20)
    assert training.close() == ''
    logged = [r.sequence for r in ExperienceReader(run.experience).records()]
    assert logged == [*range(1, 71), *range(91, 121)]
    again = opened(run, robot, config, steps)
    assert (again.sequence, len(again.learner.replay)) == (120, 100)
    assert again.learner.incumbent.state() == training.learner.incumbent.state()


def test_a_fall_that_could_not_be_kept_is_a_step_back_all_the_same(
    run: RunDirectory,
    robot: RobotModel,
    make_config: ConfigBuilder,
    steps: list[Transition],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, 'UNLOGGED_MAX', 0)
    steps[49] = dataclasses.replace(steps[49], terminated=True, truncated=False)
    config = make_config(fall_back_steps=25, margin_required_rad=-1.0)
    training = opened(run, robot, config, steps)
    lived(training, 1, 25)
    assert training.learner.incumbent.known
    FullDisk(monkeypatch).error = errno.ENOSPC
    lived(training, 26, 50)
    assert (training.lost, training.learner.incumbent.drives) == (25, True)


def test_no_checkpoint_knows_of_steps_that_are_not_in_the_log(
    run: RunDirectory,
    robot: RobotModel,
    make_config: ConfigBuilder,
    steps: list[Transition],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The log alone is refused: there would be room for the checkpoint."""
    training = opened(run, robot, make_config(checkpoint_every=20), steps)
    lived(training, 1, 20)

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, 'pwrite', full)
    lived(training, 21, 40)
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
        training = opened(run, robot, make_config(checkpoint_every=50), steps)
        lived(training, 1, 50)
        ballast = tmp_path / 'ballast'
        with pytest.raises(OSError, match='No space left'), ballast.open('wb', 0) as file:
            while True:
                file.write(bytes(1024))
        lived(training, 51, 150)
        assert 'No space left' in training.problem + training.unsaved
        ballast.unlink()
        lived(training, 151, 200)
        assert (training.problem, training.close()) == ('', '')
        assert opened(run, robot, make_config(), steps).sequence == 200
    finally:
        subprocess.run(['umount', '-l', str(tmp_path)], check=True)
