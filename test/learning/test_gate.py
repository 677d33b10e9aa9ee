"""Scripted policies before a scripted judge: which may drive is worked out by hand."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from quad_learner.learning.actor import Actor
from quad_learner.learning.gate import Gate, Lead
from quad_learner.learning.learner import Learner

if TYPE_CHECKING:
    from test.learning.conftest import ConfigBuilder, StepBuilder

MARGIN_RAD, REWARD = 0.02, 0.1
GATED: dict[str, Any] = {'gated': True, 'gate_margin_rad': MARGIN_RAD, 'gate_reward': REWARD}
DIVE = 20.0
"""a mean so far out that its tanh is 1: all joints all the way"""


class Judge:
    """Critics that value the first joint's action as reward and dislike any of the second.

    Each has a second member that thinks better of everything, and is not to be heard.
    """

    def __init__(self) -> None:
        self.seen = torch.zeros(0)

    def probe(self, inputs: torch.Tensor) -> torch.Tensor:
        self.seen = inputs.clone()
        reward, margin = inputs[:, 3], -0.1 * inputs[:, 4] ** 2
        return torch.stack((reward, reward + 5.0, margin + 5.0, margin))


def _script(actor: Actor, first: float, second: float, box: float = 1.0) -> None:
    """Lets `actor` answer these actions before squashing, whatever it sees."""
    actor.flat.vector.zero_()
    actor.flat.values['bias_3'][:2] = torch.tensor((first, second))
    actor.box = box


def _learner(make_config: ConfigBuilder, make_step: StepBuilder, **changes: Any) -> Learner:
    """Returns a learner with an incumbent that keeps its joints still, judged by `Judge`."""
    learner = Learner(3, 2, make_config(fall_back_steps=20, **changes), 0)
    _script(learner.actor, 0.0, 0.0)
    _give(learner)
    chance = np.random.default_rng(0)
    for number in range(1, 81):
        ended = {'terminated': False, 'truncated': number % 20 == 0}
        learner.ingest(make_step(number, chance, constraint=0.2, **ended))
    assert learner.incumbent.known
    learner.critics = Judge()  # type: ignore[assignment]
    return learner


def _give(learner: Learner) -> tuple[float, float]:
    """Returns what the policy given to the robot wants, before squashing."""
    given = learner.propose()
    learner.incumbent.accept(version=0)
    first, second = given.flat.values['bias_3'][:2].tolist()
    return first, second


# The judge's margin of an action a of the second joint is −0.1 a², its reward of the first a.
AT_MARGIN = math.atanh(math.sqrt(MARGIN_RAD / 0.1))
AT_REWARD = -math.atanh(REWARD)


@pytest.mark.parametrize(
    ('first', 'second', 'drives'),
    [
        (0.3, 0.0, True),
        (0.0, 0.98 * AT_MARGIN, True),
        (0.0, 1.02 * AT_MARGIN, False),
        (0.98 * AT_REWARD, 0.0, True),
        (1.02 * AT_REWARD, 0.0, False),
        (DIVE, DIVE, False),  # much reward, no margin
        (math.nan, 0.0, False),
    ],
)
def test_a_policy_drives_unless_the_critics_put_it_below_the_incumbent_by_more_than_the_margins(
    make_config: ConfigBuilder,
    make_step: StepBuilder,
    first: float,
    second: float,
    drives: bool,
) -> None:
    learner = _learner(make_config, make_step, **GATED)
    _script(learner.actor, first, second)
    wanted = tuple(np.array((first, second), np.float32).tolist())
    assert _give(learner) == (wanted if drives else (0.0, 0.0))
    assert learner.incumbent.refused == (not drives)
    assert bool(learner.incumbent.refusal) == (not drives)


def test_the_last_one_let_through_drives_on_until_another_is(
    make_config: ConfigBuilder, make_step: StepBuilder
) -> None:
    learner, given = _learner(make_config, make_step, **GATED), []
    for first, second in ((0.25, 0.0), (DIVE, DIVE), (0.5, DIVE), (0.75, 0.0)):
        _script(learner.actor, first, second)
        given.append(_give(learner))
    assert given == [(0.25, 0.0), (0.25, 0.0), (0.25, 0.0), (0.75, 0.0)]
    assert learner.incumbent.refused == 2


def test_off_lets_everything_through(make_config: ConfigBuilder, make_step: StepBuilder) -> None:
    learner = _learner(make_config, make_step, **{**GATED, 'gated': False})
    _script(learner.actor, DIVE, DIVE)
    assert _give(learner) == (DIVE, DIVE)


def test_before_there_is_an_incumbent_nobody_is_compared(
    make_config: ConfigBuilder, make_step: StepBuilder
) -> None:
    learner = _learner(make_config, make_step, **GATED)
    learner.incumbent.known = False
    _script(learner.actor, DIVE, DIVE)
    assert _give(learner) == (DIVE, DIVE)


# All 12 % of the box that a policy goes from its predecessor are its first joint's.
STEP = math.atanh(0.12)


@pytest.mark.parametrize(
    ('allowed', 'tried'), [(0.0, True), (0.084, True), (0.086, False), (2.0, False)]
)
def test_a_policy_that_is_another_than_the_one_that_drove_is_tried(
    make_config: ConfigBuilder, make_step: StepBuilder, allowed: float, tried: bool
) -> None:
    """0.12 in one of two joints is 0.12 / √2 = 0.085 in the root of the mean square."""
    trial = {'trial_steps': 80, 'trial_share': 0.5, 'trial_change': allowed}
    learner = _learner(make_config, make_step, **GATED, **trial)
    incumbent = learner.incumbent
    assert incumbent.given.box == 1.0
    _script(learner.actor, STEP, 0.0)
    assert _give(learner) == pytest.approx((STEP, 0.0))
    assert incumbent.in_trial == tried
    assert incumbent.given.box == (0.5 if tried else 1.0)
    assert _give(learner) == pytest.approx((STEP, 0.0))
    assert incumbent.trial.left == (80 if tried else 0), 'a smaller box is no change'


def test_one_that_was_refused_is_not_tried(
    make_config: ConfigBuilder, make_step: StepBuilder
) -> None:
    trial = {'trial_steps': 80, 'trial_share': 0.5, 'trial_change': 0.0}
    learner = _learner(make_config, make_step, **GATED, **trial)
    _script(learner.actor, DIVE, DIVE)
    assert _give(learner) == (0.0, 0.0)
    assert not learner.incumbent.in_trial


def test_each_policys_own_box_and_normaliser_count(
    make_config: ConfigBuilder, make_step: StepBuilder
) -> None:
    learner = _learner(make_config, make_step)
    newest, incumbent = learner.actor, learner.incumbent.actor
    _script(newest, DIVE, 0.0, box=0.5)
    _script(incumbent, DIVE, DIVE, box=0.25)
    judge, gate = Judge(), Gate(3, 2, learner.config)
    lead = gate.lead(newest, incumbent, judge, learner.replay)  # type: ignore[arg-type]
    assert lead == pytest.approx((0.5 - 0.25, 0.1 * 0.25**2))
    # The critics are shown observations by the newest normaliser, whoever acts.
    seen = torch.from_numpy(learner.replay.recent(16, 4))
    torch.testing.assert_close(judge.seen[:, :3], newest.normalised(seen), rtol=0.0, atol=0.0)
    assert not torch.equal(incumbent.normalised(seen), newest.normalised(seen))


def test_comparing_draws_nothing_and_changes_nothing_that_learns(
    make_config: ConfigBuilder, make_step: StepBuilder
) -> None:
    made = []
    for gated in (True, False):
        config = make_config(
            fall_back_steps=20, critic_kind='layer_norm', **{**GATED, 'gated': gated}
        )
        learner, chance = Learner(3, 2, config, 0), np.random.default_rng(0)
        _give(learner)
        for number in range(1, 81):
            ended = {'terminated': False, 'truncated': number % 20 == 0}
            learner.ingest(make_step(number, chance, constraint=0.2, **ended))
            while learner.due_updates:
                learner.update()
                learner.propose()
        assert learner.incumbent.known
        made.append(learner)
    here, there = (learner.learned_tensors() for learner in made)
    for name, tensor in here.items():
        assert torch.equal(tensor, there[name]), name


@pytest.mark.parametrize('lead', [Lead(0.0, math.nan), Lead(math.nan, 0.0)])
def test_what_cannot_be_valued_must_not_drive(make_config: ConfigBuilder, lead: Lead) -> None:
    assert Gate(3, 2, make_config(**GATED)).objection(lead)
