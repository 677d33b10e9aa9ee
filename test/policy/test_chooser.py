from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from quad_learner.configuration import build
from quad_learner.policy import golden
from quad_learner.policy.chooser import Chooser
from quad_learner.policy.config import PolicyConfig
from quad_learner.policy.onnx_policy import OnnxPolicy, PolicyError

Make = Callable[..., bytes]
SEEN = np.zeros(5, np.float32)


def chooser(seed: int = 0, **changed: Any) -> Chooser:
    values = {
        'noise_correlation_s': 0.1,
        'noise_scale': 0.0,
        'action_smoothing': 0.0,
        'learner_patience_s': 1.0,
    }
    config = build(PolicyConfig, values | changed, 'test')
    return Chooser(config, 5, 3, 0.025, np.random.default_rng(seed))


def test_without_a_model_the_robot_keeps_its_stance() -> None:
    rest = chooser()
    choice = rest.choose(SEEN, begins=True)
    np.testing.assert_array_equal(choice.action, np.zeros(3))
    assert choice.version == 0
    assert rest.version == -1


def test_without_exploring_the_action_is_the_squashed_mean(model: Make) -> None:
    calm = chooser()
    calm.swap(OnnxPolicy(model(bias=0.5, version=3)))
    choice = calm.choose(SEEN, begins=True)
    np.testing.assert_allclose(choice.action, [math.tanh(0.5)] * 3, rtol=1e-6)
    assert choice.version == calm.version == 3


def test_exploring_is_as_wide_as_the_policy_wants_and_never_leaves_the_box(model: Make) -> None:
    wild = chooser(noise_scale=1.0, noise_correlation_s=0.0)
    wild.swap(OnnxPolicy(model(log_std=math.log(0.5), bias=0.1)))
    actions = np.array([wild.choose(SEEN, begins=False).action for _ in range(4000)])
    before = np.arctanh(actions.astype(np.float64))
    assert before.mean() == pytest.approx(0.1, abs=0.03)
    assert before.std() == pytest.approx(0.5, abs=0.03)
    assert np.abs(actions).max() <= 1.0


def test_warming_up_changes_no_action(model: Make) -> None:
    ways = []
    for warm in (False, True):
        wild = chooser(noise_scale=1.0)
        wild.warm_up(SEEN)  # without a model there is nothing to warm
        wild.swap(OnnxPolicy(model(bias=0.5)))
        actions = []
        for number in range(5):
            if warm:
                wild.warm_up(SEEN + number)
            actions.append(wild.choose(SEEN, begins=number == 0).action)
        ways.append(np.array(actions))
    np.testing.assert_array_equal(*ways)


def test_a_new_model_drives_from_the_next_step_on(model: Make) -> None:
    driven = chooser()
    driven.swap(OnnxPolicy(model(bias=0.5, version=1)))
    first = driven.choose(SEEN, begins=True)
    driven.swap(OnnxPolicy(model(bias=-0.5, version=2)))
    second = driven.choose(SEEN, begins=False)
    assert (first.version, second.version) == (1, 2)
    np.testing.assert_array_equal(first.action, -second.action)


@pytest.mark.parametrize(
    'changed, words',
    [
        ({'observations': 6}, 'maps 6 observations to 3 actions; this robot and task need 5 to 3'),
        ({'actions': 2}, 'maps 5 observations to 2 actions'),
        ({'bias': math.nan}, "'bias' holds a number that is not finite"),
        ({'log_std': math.inf}, "'spread' holds a number that is not finite"),
        ({'log_std': 1e4}, 'version 9 answers with non-finite numbers'),
        ({'golden': 'gold'}, 'version 9 carries golden answers that cannot be read'),
    ],
)
def test_a_model_that_must_not_drive_is_refused_and_the_old_one_stays(
    model: Make, changed: dict[str, Any], words: str
) -> None:
    driven = chooser()
    driven.swap(OnnxPolicy(model(version=8)))
    with pytest.raises(PolicyError, match=words):
        driven.swap(OnnxPolicy(model(version=9, **changed)))
    assert driven.version == 8


def test_a_model_that_blows_up_on_what_it_sees_leaves_the_robot_at_rest(model: Make) -> None:
    driven = chooser()
    # All that it was asked before it drove was what it answers to nothing.
    asked = golden.written(SEEN[None], np.zeros((1, 3)), np.full((1, 3), math.exp(-1.0)))
    driven.swap(OnnxPolicy(model(weight=3e38, golden=asked)))
    choice = driven.choose(np.array([3.0, -3.0, 3.0, -3.0, 3.0], np.float32), begins=True)
    assert np.isfinite(choice.action).all()


def test_smoothing_keeps_its_share_of_the_last_action_but_not_over_episodes(model: Make) -> None:
    smooth = chooser(action_smoothing=0.75)
    smooth.swap(OnnxPolicy(model(bias=20.0)))  # tanh(20) is 1
    for expected in (0.25, 0.4375, 0.578125):  # 1 − 0.75ⁿ
        choice = smooth.choose(SEEN, begins=expected == 0.25)
        np.testing.assert_allclose(choice.action, expected, rtol=1e-6)
    np.testing.assert_allclose(smooth.choose(SEEN, begins=True).action, 0.25, rtol=1e-6)


def test_the_same_seed_explores_alike_and_another_does_not(model: Make) -> None:
    runs = []
    for seed in (4, 4, 5):
        wild = chooser(seed, noise_scale=1.0)
        wild.swap(OnnxPolicy(model()))
        runs.append([wild.choose(SEEN, begins=step == 0).action for step in range(5)])
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])
