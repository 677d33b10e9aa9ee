"""The share of the action box that is open: grows while the constraint holds, else shrinks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from quad_learner.learning.box_share import BoxShare
from quad_learner.learning.export import policy_onnx
from quad_learner.learning.learner import Learner
from quad_learner.policy.onnx_policy import OnnxPolicy, PolicyError

if TYPE_CHECKING:
    from test.learning.conftest import ConfigBuilder, StepBuilder


def test_opens_by_the_same_each_good_step_and_stops_when_all_is_open() -> None:
    box, seen = BoxShare(0.4, 0.25), []
    for _ in range(4):
        box.step(met=True)
        seen.append(box.value)
    assert seen == pytest.approx([0.65, 0.9, 1.0, 1.0])


def test_closes_as_fast_but_never_below_its_start() -> None:
    box, seen = BoxShare(0.4, 0.25), []
    box.restore({'value': 1.0})
    for _ in range(4):
        box.step(met=False)
        seen.append(box.value)
    assert seen == pytest.approx([0.75, 0.5, 0.4, 0.4])


def test_what_it_remembers_can_be_taken_up() -> None:
    box, other = BoxShare(0.4, 0.01), BoxShare(0.4, 0.01)
    box.step(met=True)
    other.restore(box.state())
    assert other.value == box.value


def test_the_learner_opens_it_by_what_it_ingests(
    make_config: ConfigBuilder, make_step: StepBuilder
) -> None:
    config = make_config(box_start=0.4, box_opening=0.1, margin_required_rad=0.1)
    learner, chance = Learner(3, 2, config, 0), np.random.default_rng(0)
    assert learner.actor.box == 0.4
    for number, margin in enumerate((0.2, 0.2, 0.2), start=1):
        learner.ingest(make_step(number, chance, constraint=margin, terminated=False))
    assert learner.actor.box == pytest.approx(0.7)
    learner.ingest(make_step(4, chance, constraint=-3.0, terminated=False))
    assert learner.actor.box == pytest.approx(0.6)


def test_there_is_none_without_the_constraint(make_config: ConfigBuilder) -> None:
    assert Learner(3, 2, make_config(box_start=0.4, constrained=False), 0).actor.box == 1.0


def test_a_level_body_does_not_pay_for_a_lean(
    make_config: ConfigBuilder, make_step: StepBuilder
) -> None:
    chance = np.random.default_rng(0)
    learner = Learner(3, 2, make_config(margin_cap_rad=0.1), 0)
    for number, margin in enumerate((0.5, -0.1), start=1):
        learner.ingest(make_step(number, chance, constraint=margin))
    assert learner.recent_constraint.value == pytest.approx((0.1 - 0.1) / 2)


def test_no_more_is_required_than_is_counted(make_config: ConfigBuilder) -> None:
    with pytest.raises(ValueError, match=r'margin_required_rad = 0\.2 .* margin_cap_rad = 0\.1'):
        make_config(margin_cap_rad=0.1, margin_required_rad=0.2)


def test_the_gradient_knows_the_box(make_config: ConfigBuilder) -> None:
    learner = Learner(3, 2, make_config(), 0)
    actor, observation = learner.actor, torch.randn(5, 3)
    actor.box = 0.6
    noise, pull = torch.randn(5, 2), torch.randn(5, 2)
    action, _ = actor.sample(observation, noise)
    actor.backward(pull, 0.0)
    leaves = {name: value.clone().requires_grad_() for name, value in actor.flat.values.items()}
    hidden = observation
    for layer in (1, 2):
        hidden = torch.relu(hidden @ leaves[f'weight_{layer}'] + leaves[f'bias_{layer}'])
    mean, _ = (hidden @ leaves['weight_3'] + leaves['bias_3']).chunk(2, dim=1)
    _, log_std = actor.gaussian(observation)
    automatic = 0.6 * torch.tanh(mean + log_std.exp() * noise)
    torch.testing.assert_close(action, automatic.detach(), rtol=1e-4, atol=1e-6)
    # Of the mean's bias alone: the deviation's head is held fixed here.
    (slope,) = torch.autograd.grad((automatic * pull).sum(), leaves['bias_3'])
    torch.testing.assert_close(actor.flat.slopes['bias_3'][..., :2], slope[..., :2])


def test_the_model_says_how_far_it_is_open(make_config: ConfigBuilder) -> None:
    actor = Learner(3, 2, make_config(box_start=0.4), 0).actor
    assert OnnxPolicy(policy_onnx(actor)).card.box == 0.4
    with pytest.raises(PolicyError, match='property box'):
        OnnxPolicy(policy_onnx(actor, {'box': '1.5'}))
