from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from quad_learner.configuration import ConfigurationError
from quad_learner.evaluation import Performance, configs_of, configs_of_run, spread
from quad_learner.experience import run_directory
from quad_learner.policy.onnx_policy import OnnxPolicy, PolicyError

CONFIG = Path(__file__).resolve().parent.parent / 'config'
FILES = [
    CONFIG / f'{name}.yaml'
    for name in ('graph', 'simulation', 'estimator', 'safety', 'reset', 'policy', 'task')
]


def standing(observations: int) -> OnnxPolicy:
    """Returns a policy that wants to stand whatever it sees, but is very unsure of it."""
    constants = {
        'nothing': np.zeros((observations, 12), np.float32),
        'mean': np.zeros(12, np.float32),
        'spread': np.ones(12, np.float32),
    }
    graph = helper.make_graph(
        [
            helper.make_node('Gemm', ['observation', 'nothing', 'mean'], ['mean_raw']),
            helper.make_node('Gemm', ['observation', 'nothing', 'spread'], ['log_std']),
        ],
        'standing',
        [helper.make_tensor_value_info('observation', TensorProto.FLOAT, [1, observations])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 12])
            for name in ('mean_raw', 'log_std')
        ],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    onnx.checker.check_model(model)
    return OnnxPolicy(model.SerializeToString())


@pytest.fixture
def performance() -> Iterator[Performance]:
    made = Performance(configs_of(FILES, seed=1, episode_s=0.5, use_oscillator=False))
    made.connect(standing(made.task.observation_size))
    yield made
    made.close()


@pytest.mark.slow
def test_a_policy_that_stands_is_scored_as_one_that_goes_nowhere_and_does_not_fall(
    performance: Performance,
) -> None:
    steps: list[int] = []
    for _ in range(2):
        score = performance.episode(steps.append)
        assert score is not None
        assert abs(score.speed) < 0.1
        assert (score.steps, score.fell) == (20, False)
        # A step at full speed earns 1; to stand, for want of a lifted foot, costs little.
        assert abs(score.total_reward) < 0.1 * score.steps
        # Half a second on its feet: 80 ticks and 40 decisions a second.
        assert score.bout.contact.shape == (40, 4)
        assert score.bout.contact.mean() > 0.9
        assert not any(score.bout.others)
        # No exploring: with this policy's own deviation it would not stand.
        np.testing.assert_array_equal(score.bout.action, np.zeros((20, 12)))
        assert score.bout.way == pytest.approx(0.5 * score.speed)
    assert steps == 2 * list(range(20))


@pytest.mark.slow
def test_a_fall_between_two_episodes_is_told_with_the_second(performance: Performance) -> None:
    told = []
    for sideways in (0.0, 40.0, 0.0):
        performance.graph.sim.push(np.array((0.0, sideways, 0.0)))
        score = performance.episode()
        assert score is not None
        told.append((score.fell, score.tumbled))
    assert told == [(False, False), (False, True), (False, False)]


@pytest.mark.slow
def test_an_episode_may_be_cut_short(performance: Performance) -> None:
    score = performance.episode(seconds=0.2)
    assert score is not None
    assert score.steps == 8


def test_a_policy_for_another_task_is_refused(performance: Performance) -> None:
    with pytest.raises(PolicyError, match='maps 7 observations'):
        performance.connect(standing(7))


def test_later_files_and_given_values_win(tmp_path: Path) -> None:
    last = tmp_path / 'last.yaml'
    last.write_text('/**:\n  ros__parameters:\n    episode_s: 3.0\n    seed: 4\n')
    configs = configs_of([*FILES, last], seed=9)
    assert (configs.task.episode_s, configs.graph.seed) == (3.0, 9)


@pytest.mark.parametrize(
    'changed, words',
    [
        ({'epissode_s': 1.0}, "'epissode_s'; did you mean 'episode_s'"),
        ({'episode_s': 0.0}, 'episode_s = 0.0 must be within'),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        configs_of(FILES, **changed)


def test_a_run_of_an_older_version_goes_by_its_own_values_and_else_by_the_shipped(
    tmp_path: Path,
) -> None:
    run = run_directory.create(tmp_path, 'old', {})
    for name in ('robot', 'estimator', 'safety', 'reset', 'policy'):
        (run.parameters / f'{name}.yaml').write_text(
            '/**:\n  ros__parameters:\n    clear_time_s: 0.75\n    gone_since: 3\n'
        )
    configs = configs_of_run(run, seed=9)
    assert configs.parts.safety.clear_time_s == 0.75
    shipped = configs_of(FILES).parts.safety
    assert configs.parts.safety == dataclasses.replace(shipped, clear_time_s=0.75)
    assert configs.graph.seed == 9


def test_a_missing_file_leaves_a_value_missing() -> None:
    with pytest.raises(ConfigurationError, match='has no value'):
        configs_of(FILES[:-1])


def test_the_spread_is_mean_and_deviation() -> None:
    # 2 and 4: one away from their mean on either side.
    assert spread([2.0, 4.0]) == (3.0, 1.0)
