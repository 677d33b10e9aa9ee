from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quad_learner.experience.reader import ExperienceReader
from quad_learner.experience.run_directory import create_at
from quad_learner.nodes import learner as module
from quad_learner.nodes.learner import LearnerNode, in_the_background
from quad_learner.policy.onnx_policy import OnnxPolicy
from quad_learner.ros import topics
from quad_learner.ros.diagnostics import ERROR, OK, WARN, status
from quad_learner.ros.packed import progress_from

SMALL = {
    'warmup_steps': 40,
    'updates_per_step': 0.5,
    'eager_updates': 0.0,
    'critic_width': 16,
    'actor_width': 16,
    'batch_size': 16,
    'publish_every': 20,
    'replay_capacity': 1000,
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Returns the folder of a run that has just begun."""
    create_at(tmp_path / 'run', {'numpy': '2'})
    return tmp_path / 'run'


@pytest.fixture
def learner(bench: Any, run: Path) -> Iterator[Any]:
    """Returns the bench with a learner of small networks on it."""
    metrics = map(topics.metric, ('updates', 'reward', 'models_refused'))
    bench.listen(topics.MODEL, topics.PROGRESS, *metrics)
    bench.start(LearnerNode, 'learner', run_directory=str(run), **SMALL)
    yield bench
    bench.node.close()


@pytest.fixture
def step_of(transition_of: Any, learner: Any) -> Any:
    """Returns a function that makes the n-th step, with the sizes of the task."""
    size = learner.node._training.learner.actor.shift.shape[0]
    chance = np.random.default_rng(0)

    def make(sequence: int, **changed: Any) -> Any:
        return transition_of(
            sequence=sequence,
            episode=1,
            step=sequence - 1,
            time_ns=sequence * 25_000_000,
            observation=chance.standard_normal(size).astype(np.float32),
            next_observation=chance.standard_normal(size).astype(np.float32),
            truncated=False,
            **changed,
        )

    return make


def live(bench: Any, step_of: Any, first: int, last: int) -> None:
    """Sends the steps from `first` to `last`; returns when the learner has the last one."""
    for sequence in range(first, last + 1):
        bench.say(topics.EXPERIENCE, bench.records.transition_to(step_of(sequence)))
        if sequence % 10 == 0:
            bench.until(lambda n=sequence: bench.node._training.sequence >= n, f'step {sequence}')
    bench.until(lambda: bench.node._training.sequence == last, f'step {last}')


def test_it_begins_by_saying_where_it_stands_and_with_a_first_model(learner: Any) -> None:
    first = learner.until(lambda: learner.heard['learner/progress'], 'progress')[0]
    assert progress_from(first).sequence == 0
    model = learner.until(lambda: learner.heard['policy/model'], 'a model')[0]
    card = OnnxPolicy(bytes(model.data)).card
    assert (card.robot, card.action_size, card.use_from) == ('a1', 12, 0)


def test_it_learns_tells_and_makes_a_model_each_so_many_steps(learner: Any, step_of: Any) -> None:
    live(learner, step_of, 1, 60)
    assert learner.node._training.learner.updates == 10  # half of the 20 after the warm-up
    cards = [OnnxPolicy(bytes(m.data)).card for m in learner.heard['policy/model']]
    assert {card.version for card in cards} >= {0, 1, 2}
    learner.until(
        lambda: [p for p in learner.heard['learner/progress'] if progress_from(p).sequence == 60],
        'progress after each step',
    )
    learner.until(
        lambda: [m for m in learner.heard['learner/updates'] if m.data == 10.0], 'the metric'
    )
    reward = learner.until(lambda: learner.heard['learner/reward'], 'the reward')[-1]
    assert reward.data == pytest.approx(0.75)


def test_a_run_that_is_taken_up_begins_with_a_trial_and_says_so(bench: Any, run: Path) -> None:
    bench.listen(topics.MODEL, topics.metric('in_trial'))
    tried = {'trial_steps': 80, 'trial_share': 0.5, 'box_start': 0.4}
    bench.start(LearnerNode, 'learner', run_directory=str(run), elapsed_s=60.0, **SMALL, **tried)
    model = bench.until(lambda: bench.heard['policy/model'], 'a model')[0]
    assert OnnxPolicy(bytes(model.data)).card.box == pytest.approx(0.5 * 0.4)
    assert bench.until(lambda: bench.heard['learner/in_trial'], 'the metric')[-1].data == 1.0
    bench.node.report()
    assert bench.node.diagnostics.values['in_trial'] == 1
    bench.node.close()


def test_a_step_that_comes_twice_counts_once_and_one_that_never_came_is_told(
    learner: Any, step_of: Any
) -> None:
    live(learner, step_of, 1, 10)
    for sequence in (3, 10, 13):
        learner.say(topics.EXPERIENCE, learner.records.transition_to(step_of(sequence)))
    learner.until(lambda: learner.node._training.sequence == 13, 'step 13')
    assert learner.node.report()[1].startswith('2 steps never arrived')


def test_a_model_that_must_not_drive_is_counted_and_told(learner: Any, step_of: Any) -> None:
    live(learner, step_of, 1, 10)
    learner.node._training.learner.normaliser.mean[0] = np.nan
    live(learner, step_of, 11, 20)
    level, summary = learner.node.report()
    assert level == WARN
    assert 'the newest model does not drive: the policy must not drive: its constant' in summary
    assert learner.node.diagnostics.values['models_refused'] == 1
    metric = learner.until(
        lambda: [m for m in learner.heard['learner/models_refused'] if m.data == 1.0], 'the metric'
    )
    assert metric
    # What it had before goes out again.
    learner.until(lambda: len(learner.heard['policy/model']) == 2, 'a second model')
    assert OnnxPolicy(bytes(learner.heard['policy/model'][-1].data)).problem == ''


def test_a_record_of_another_task_is_refused_and_told(
    learner: Any, step_of: Any, robot: Any
) -> None:
    from quad_learner.ros.packed import Records

    step = step_of(1)
    foreign = Records(robot, observations=5).transition_to(
        type(step)(**{**vars(step), 'observation': np.zeros(5), 'next_observation': np.zeros(5)})
    )
    learner.say(topics.EXPERIENCE, foreign)
    problem = learner.until(lambda: learner.node.diagnostics.values.get('problem'), 'a problem')
    assert 'numbers in' in problem
    assert learner.node._training.sequence == 0


def test_what_was_learned_is_saved_when_asked_and_taken_up_again(
    learner: Any, step_of: Any, run: Path
) -> None:
    live(learner, step_of, 1, 50)
    assert learner.call(topics.CHECKPOINT).success
    live(learner, step_of, 51, 55)
    updates = learner.node._training.learner.updates
    learner.node.close()
    learner.node.destroy_node()
    sequences = [r.sequence for r in ExperienceReader(run / 'experience.mcap').records()]
    assert sequences == list(range(1, 56))
    again = learner.start(LearnerNode, 'learner', run_directory=str(run), **SMALL)
    assert again._training.sequence == 55
    assert again._training.learner.updates == updates
    live(learner, step_of, 56, 60)


def test_steps_that_have_arrived_are_kept_when_it_is_stopped(
    learner: Any, step_of: Any, run: Path
) -> None:
    live(learner, step_of, 1, 5)
    for sequence in range(6, 9):
        learner.say(topics.EXPERIENCE, learner.records.transition_to(step_of(sequence)))

    def arrived() -> bool:  # without letting the node look at them
        learner.node._take_the_rest()
        return bool(learner.node._training.sequence == 8)

    learner.until(arrived, 'the steps that were on their way')
    assert learner.call(topics.CHECKPOINT).success
    logged = [r.sequence for r in ExperienceReader(run / 'experience.mcap').records()]
    assert logged == list(range(1, 9))


def test_while_the_disk_is_full_it_says_so_and_takes_every_step(
    learner: Any, step_of: Any, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live(learner, step_of, 1, 45)
    training = learner.node._training
    updates, room, write = training.learner.updates, [False], os.pwrite

    def full(*given: Any) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(*given)

    monkeypatch.setattr(os, 'pwrite', full)
    live(learner, step_of, 46, 60)
    level, summary = learner.node.report()
    assert (level, 'No space left on device' in summary) == (ERROR, True)
    assert learner.node.diagnostics.values['unlogged_steps'] == 15
    assert not learner.call(topics.CHECKPOINT).success
    assert training.learner.updates == updates
    room[0] = True
    live(learner, step_of, 61, 80)  # a checkpoint that failed is tried again with the next model
    assert learner.node.report()[0] == OK
    assert training.learner.updates > updates
    assert [r.sequence for r in ExperienceReader(run / 'experience.mcap').records()] == list(
        range(1, 81)
    )


def test_one_that_begins_while_the_disk_is_full_says_so_and_learns_when_there_is_room(
    bench: Any, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It must not end as one that refuses its configuration does: that takes control down."""
    write = os.pwrite

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, 'pwrite', full)
    bench.listen(topics.MODEL)
    node = bench.start(LearnerNode, 'learner', run_directory=str(run), **SMALL)
    bench.until(lambda: bench.heard['policy/model'], 'a model')
    level, summary = node.report()
    assert (level, 'No space left on device' in summary) == (ERROR, True)
    monkeypatch.setattr(os, 'pwrite', write)
    assert bench.call(topics.CHECKPOINT).success
    assert node.report()[0] == OK
    node.close()


def test_a_disk_that_takes_its_time_holds_up_nobody_else_and_costs_no_step(
    learner: Any, step_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait is the learner's own: who speaks is done at once, and what was said is kept."""
    live(learner, step_of, 1, 2)
    sync = os.fdatasync

    def slow(descriptor: int) -> None:
        time.sleep(1.0)
        sync(descriptor)

    monkeypatch.setattr(os, 'fdatasync', slow)
    steps = [learner.records.transition_to(step_of(number)) for number in range(3, 203)]
    began = time.monotonic()
    for step in steps:
        learner.say(topics.EXPERIENCE, step)
    assert time.monotonic() - began < 1.0  # before any sync could have ended
    learner.until(lambda: learner.node._training.sequence == 202, 'the last step')
    assert time.monotonic() - began > 3.0
    assert learner.node._training.lost == 0


@pytest.mark.parametrize('word', ['x', '', '1e3'])
def test_a_last_step_that_is_no_number_ends_nothing(learner: Any, word: str) -> None:
    learner.say(topics.POLICY_STATE, status('policy', OK, 'finished', {'sequence': word}))
    told = learner.node.diagnostics.values
    learner.until(lambda: 'policy/state' in told.get('problem', ''), 'the problem')
    assert not learner.node.finished


def test_it_has_finished_when_the_policys_last_step_is_in(learner: Any, step_of: Any) -> None:
    said = status('policy', OK, 'finished', {'sequence': 12})
    learner.say(topics.POLICY_STATE, said)
    learner.settle(10)
    assert not learner.node.finished
    live(learner, step_of, 1, 12)
    assert learner.node.finished


def test_whoever_wants_the_end_does_not_wait_for_updates_that_are_owed(
    learner: Any, step_of: Any
) -> None:
    live(learner, step_of, 1, 60)
    training = learner.node._training
    made = training.learner.updates
    assert made > 0
    learner.node.stopping = lambda: True
    live(learner, step_of, 61, 80)
    assert training.learner.updates == made
    assert training.due_updates == 10


@pytest.mark.parametrize(('gear', 'gives_way'), [('lockstep', False), ('real_time', True)])
def test_beside_a_robot_in_real_time_updates_take_what_is_free(
    bench: Any, run: Path, monkeypatch: pytest.MonkeyPatch, gear: str, gives_way: bool
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(module, 'run_only_when_idle', lambda: asked.append(True))
    bench.start(in_the_background, 'learner', run_directory=str(run), gear=gear, **SMALL)
    assert asked == [True] * gives_way
    bench.node.close()
