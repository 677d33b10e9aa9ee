"""Which policy drives after a fall; policies are told apart by a number in their weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from quad_learner.learning import checkpoint
from quad_learner.learning.actor import Actor
from quad_learner.learning.export import policy_onnx
from quad_learner.learning.incumbent import Incumbent, Rules
from quad_learner.learning.learner import Learner
from quad_learner.policy.onnx_policy import OnnxPolicy
from quad_learner.safety.modes import Reason

if TYPE_CHECKING:
    from pathlib import Path

    from test.learning.conftest import ConfigBuilder, StepBuilder

LENGTH = 4
MARGIN = 0.1
GOOD, LEANING, SHORT, FALL, TRIP = 'good', 'leaning', 'short', 'fall', 'trip'
PRESENT: dict[str, Any] = {
    'good_steps': LENGTH,
    'good_margin': MARGIN,
    'trial_steps': 0,
    'trial_share': 0.5,
    'window': 0,
    'wait_updates': 0,
}
"""The rules without trial and without counting."""
TRIED = {'trial_steps': 3, 'trial_share': 0.5}


class Told:
    """An incumbent and the policy that learns: its first weight counts the episodes."""

    def __init__(
        self, make_config: ConfigBuilder, make_step: StepBuilder, **changes: float
    ) -> None:
        self.newest, *rooms = (Actor(3, 2, make_config(), torch.Generator()) for _ in range(5))
        rules = {**PRESENT, **changes}
        self.incumbent = Incumbent((rooms[0], rooms[1], rooms[2], rooms[3]), Rules(**rules))
        self.make_step = make_step
        self.episodes = self.updates = 0

    def learn(self, number: float) -> None:
        """Marks the policy that learns."""
        self.newest.flat.vector[0] = self.newest.shift[0] = number
        self.newest.box = 0.1 * number

    def episode(self, kind: str) -> int | None:
        """Returns the number of the policy that then drives; None: the newest."""
        self.episodes += 1
        self.learn(float(self.episodes))
        kept = self.incumbent.actor
        self.incumbent.propose(kept if self.incumbent.drives else self.newest)
        self.incumbent.accept(version=self.episodes)
        self.learn(-1.0)  # the newest goes on learning: what drives is what was given
        length = LENGTH - 1 if kind == SHORT else LENGTH
        for number in range(1, length + 1):
            self.step(kind, number, length)
        return int(self.incumbent.actor.flat.vector[0]) if self.incumbent.drives else None

    def step(self, kind: str, number: int, length: int) -> None:
        """Lets the incumbent follow one step of an episode of this `length`."""
        last = number == length
        step = self.make_step(
            number,
            np.random.default_rng(0),
            constraint=MARGIN - 0.01 if kind == LEANING else MARGIN + 0.01,
            terminated=kind == FALL and last,
            truncated=kind != FALL and last,
            reasons=Reason.OVER_SPEED if kind == TRIP and last else Reason.NONE,
            policy_version=self.episodes,
        )
        self.updates += 1
        self.incumbent.follow(step, self.updates)


@pytest.fixture
def told(make_config: ConfigBuilder, make_step: StepBuilder) -> Told:
    return Told(make_config, make_step)


def test_after_a_fall_the_last_good_policy_drives_for_one_episode(told: Told) -> None:
    assert [told.episode(kind) for kind in (GOOD, GOOD, FALL, GOOD, FALL)] == [
        None,
        None,
        2,
        None,  # its own good episode makes no policy good that has not driven
        2,
    ]


@pytest.mark.parametrize('kind', [LEANING, SHORT])
def test_neither_a_lean_nor_a_short_episode_makes_a_policy_good(told: Told, kind: str) -> None:
    assert [told.episode(each) for each in (GOOD, kind, FALL)] == [None, None, 1]


def test_one_that_falls_too_is_forgotten(told: Told) -> None:
    assert [told.episode(each) for each in (GOOD, FALL, FALL, FALL)] == [None, 1, None, None]


def test_before_any_good_episode_there_is_nothing_to_go_back_to(told: Told) -> None:
    assert told.episode(FALL) is None


@pytest.mark.parametrize(('version', 'kept'), [(1, 1.0), (2, 2.0), (0, None)])
def test_the_one_that_drove_the_last_step_is_kept_and_not_what_was_given_meanwhile(
    told: Told, version: int, kept: float | None
) -> None:
    """A model is given while another drives; of older ones nothing is known any more."""
    for number in (0, 1, 2):
        told.learn(float(number))
        told.incumbent.propose(told.newest)
        told.incumbent.accept(version=number)
    told.episodes = version
    for step in range(1, LENGTH + 1):
        told.step(GOOD, step, LENGTH)
    assert told.incumbent.known == (kept is not None)
    if kept is not None:
        assert float(told.incumbent.actor.flat.vector[0]) == kept


def test_what_goes_out_again_is_known_by_its_new_number(told: Told) -> None:
    told.learn(5.0)
    told.incumbent.propose(told.newest)
    told.incumbent.accept(version=1)
    told.incumbent.give_again(version=7)
    told.episodes = 7
    for step in range(1, LENGTH + 1):
        told.step(GOOD, step, LENGTH)
    assert float(told.incumbent.actor.flat.vector[0]) == 5.0


def test_the_whole_policy_is_kept_and_nothing_of_it_changes(told: Told) -> None:
    told.episode(GOOD)
    told.episode(FALL)
    kept = told.incumbent.actor
    assert (float(kept.shift[0]), kept.box) == (1.0, pytest.approx(0.1))


def test_none_is_ever_gone_back_to_where_that_is_off(
    make_config: ConfigBuilder, make_step: StepBuilder
) -> None:
    told = Told(make_config, make_step, good_steps=0)
    assert [told.episode(kind) for kind in (GOOD, FALL)] == [None, None]


def _tried(told: Told, kinds: str) -> str:
    """Returns who drove each episode, n for the newest, i for the incumbent."""
    drove = ''
    for kind in kinds:
        drove += 'i' if told.incumbent.drives else 'n'
        told.episode({'g': GOOD, 'f': FALL, 't': TRIP, 's': SHORT}[kind])
    return drove


def test_where_falls_have_risen_the_newest_waits_for_so_many_more_updates(
    make_config: ConfigBuilder, make_step: StepBuilder
) -> None:
    """An episode is four updates; a fall beyond the first is to wait for nine: three episodes."""
    told = Told(make_config, make_step, window=3, wait_updates=9)
    assert _tried(told, 'gfgfgggg') == 'nniniiin'
    assert told.incumbent.rolled_back == 2


def test_falls_as_many_as_led_to_the_incumbent_are_no_rise(
    make_config: ConfigBuilder, make_step: StepBuilder
) -> None:
    """It became the incumbent between falls: two of its three last episodes ended in one."""
    told = Told(make_config, make_step, window=3, wait_updates=1000)
    assert _tried(told, 'ffgfgf') == 'nnnnin'


@pytest.mark.parametrize(('window', 'last'), [(2, 'n'), (8, 'i')])
def test_falls_of_long_ago_are_forgotten(
    make_config: ConfigBuilder, make_step: StepBuilder, window: int, last: str
) -> None:
    """Short episodes lie between the two: the incumbent stays the one before both."""
    told = Told(make_config, make_step, window=window, wait_updates=1000)
    assert _tried(told, 'gfgssfgg') == 'nninnni' + last


def test_those_of_the_incumbent_do_not_count_against_the_newest(
    make_config: ConfigBuilder, make_step: StepBuilder
) -> None:
    """Counted as well, they would make two falls usual when the next incumbent becomes it."""
    told = Told(make_config, make_step, window=4, wait_updates=1000)
    assert _tried(told, 'gffgfgfgg') == 'nninninii'


@pytest.mark.parametrize('changed', [{}, {'window': 2}, TRIED])
def test_a_trip_of_the_policys_own_counts_as_a_fall(
    make_config: ConfigBuilder, make_step: StepBuilder, changed: dict[str, Any]
) -> None:
    told = Told(make_config, make_step, **changed)
    assert _tried(told, 'gtg') == 'nni'


def _boxes(told: Told, kind: str, whole: float) -> list[float]:
    """Returns the box of the model made before each step of an episode, and of the one after."""
    boxes: list[float] = []
    incumbent, newest = told.incumbent, told.newest
    for number in range(1, LENGTH + 1):
        newest.box = whole
        boxes.append(incumbent.propose(incumbent.actor if incumbent.drives else newest).box)
        incumbent.accept(told.episodes)
        told.step(kind, number, LENGTH)
    newest.box = whole
    boxes.append(incumbent.propose(incumbent.actor if incumbent.drives else newest).box)
    assert newest.box == whole, 'what learns is never bounded'
    return boxes


def test_the_newest_comes_back_with_a_share_of_the_incumbents_box(
    make_config: ConfigBuilder, make_step: StepBuilder
) -> None:
    """The incumbent's box is 0.4; the newest's has become 0.6; a trial lasts three steps."""
    told = Told(make_config, make_step, **TRIED)
    assert _boxes(told, GOOD, 0.4) == [0.4] * 5
    assert _boxes(told, FALL, 0.6) == [0.6] * 4 + [0.4]
    assert _boxes(told, GOOD, 0.6) == [0.4] * 4 + [0.2], 'the incumbent itself has all of its box'
    assert told.incumbent.in_trial
    assert _boxes(told, GOOD, 0.6) == [0.2] * 3 + [0.6] * 2
    assert not told.incumbent.in_trial


@pytest.mark.parametrize('kind', [FALL, TRIP])
def test_who_falls_or_trips_in_its_trial_is_rolled_back_and_tried_from_its_beginning(
    make_config: ConfigBuilder, make_step: StepBuilder, kind: str
) -> None:
    told = Told(make_config, make_step, trial_steps=LENGTH + 1, trial_share=0.5)
    _boxes(told, GOOD, 0.4)
    _boxes(told, FALL, 0.4)
    _boxes(told, GOOD, 0.4)
    assert told.incumbent.rolled_back == 1
    assert _boxes(told, kind, 0.4) == [0.2] * 4 + [0.4]
    assert (told.incumbent.rolled_back, told.incumbent.drives) == (2, True)
    _boxes(told, GOOD, 0.4)
    assert _boxes(told, GOOD, 0.4) == [0.2] * 5


def test_a_trial_that_an_episode_cuts_short_goes_on_in_the_next(
    make_config: ConfigBuilder, make_step: StepBuilder
) -> None:
    told = Told(make_config, make_step, trial_steps=LENGTH + 2, trial_share=0.5)
    for kind in (GOOD, FALL, GOOD):
        _boxes(told, kind, 0.4)
    assert _boxes(told, GOOD, 0.4) == [0.2] * 5
    assert _boxes(told, GOOD, 0.4) == [0.2] * 2 + [0.4] * 3


def test_one_that_was_not_yet_given_all_of_its_box_becomes_no_incumbent(
    make_config: ConfigBuilder, make_step: StepBuilder
) -> None:
    """Else the next trial would be with a share of a share, and so on."""
    told = Told(make_config, make_step, trial_steps=LENGTH, trial_share=0.5)
    for kind in (GOOD, FALL, GOOD, GOOD):
        _boxes(told, kind, 0.4)
    assert told.incumbent.actor.box == 0.4


def test_a_policy_from_elsewhere_is_tried_in_a_share_of_its_own_box(
    make_config: ConfigBuilder, make_step: StepBuilder
) -> None:
    told = Told(make_config, make_step, trial_steps=LENGTH + 1, trial_share=0.5)
    told.incumbent.trial.begin()
    assert _boxes(told, FALL, 0.4) == [0.2] * 5
    assert told.incumbent.trial.left == LENGTH + 1, 'without an incumbent it is tried once more'


def test_what_was_only_proposed_becomes_no_incumbent(told: Told) -> None:
    told.episode(LEANING)
    told.learn(7.0)
    told.incumbent.propose(told.newest)
    assert float(told.incumbent.given.shift[0]) == 1.0
    told.incumbent.accept(version=2)
    assert float(told.incumbent.given.shift[0]) == 7.0


def _learner(make_config: ConfigBuilder, make_step: StepBuilder, **changes: bool) -> Learner:
    """Returns a learner after a good episode, 20 updates and a fall."""
    learner = Learner(3, 2, make_config(fall_back_steps=20, **changes), 0)
    chance, number = np.random.default_rng(0), 0
    learner.propose()
    learner.incumbent.accept(version=0)
    for fell in (False, True):
        for _ in range(20):
            number += 1
            ended = {'terminated': fell and number == 40, 'truncated': number == 20}
            learner.ingest(make_step(number, chance, constraint=0.2, **ended))
        for _ in range(0 if fell else 20):
            learner.update()
    return learner


def test_what_is_given_away_after_a_fall_is_the_policy_of_before(
    make_config: ConfigBuilder, make_step: StepBuilder
) -> None:
    learner, untrained = _learner(make_config, make_step), Learner(3, 2, make_config(), 0)
    seen = np.array([0.3, -0.2, 0.5], np.float32)
    shift, scale = learner.incumbent.actor.shift, learner.incumbent.actor.scale
    untrained.actor.shift.copy_(shift)
    untrained.actor.scale.copy_(scale)
    of_before = OnnxPolicy(policy_onnx(untrained.actor)).answer(seen).mean
    given = OnnxPolicy(policy_onnx(learner.driver)).answer(seen).mean
    newest = OnnxPolicy(policy_onnx(learner.actor)).answer(seen).mean
    np.testing.assert_array_equal(given, of_before)
    assert np.abs(newest - of_before).max() > 1e-3


def test_a_fall_whose_step_is_not_finite_is_one_and_an_episode_with_such_a_step_is_not_good(
    make_config: ConfigBuilder, make_step: StepBuilder
) -> None:
    learner, chance = _learner(make_config, make_step), np.random.default_rng(1)
    fallen = Learner(3, 2, make_config(fall_back_steps=20), 0)
    for number in range(1, 41):
        ended = {'terminated': number == 40, 'truncated': number == 20}
        reward = math.nan if number == 40 else 0.0
        step = make_step(number, chance, constraint=0.2, reward=reward, **ended)
        fallen.ingest(step)
    assert learner.incumbent.drives
    assert fallen.incumbent.drives

    spoilt = Learner(3, 2, make_config(fall_back_steps=19), 0)
    for number in range(1, 21):
        reward = math.nan if number == 10 else 0.0
        spoilt.ingest(
            make_step(number, chance, constraint=0.2, reward=reward, truncated=number == 20)
        )
    assert not spoilt.incumbent.known


def test_without_the_constraint_the_newest_drives_whatever_falls(
    make_config: ConfigBuilder, make_step: StepBuilder
) -> None:
    learner = _learner(make_config, make_step, constrained=False)
    assert learner.driver is learner.actor


def test_it_is_in_the_checkpoint(
    make_config: ConfigBuilder, make_step: StepBuilder, tmp_path: Path
) -> None:
    learner = _learner(make_config, make_step)
    checkpoint.save(tmp_path, learner, version=1)
    resumed = Learner(3, 2, learner.config, seed=99)
    checkpoint.load(tmp_path, resumed)
    assert resumed.incumbent.drives
    assert policy_onnx(resumed.driver) == policy_onnx(learner.driver)
    assert resumed.incumbent.state() == learner.incumbent.state()
