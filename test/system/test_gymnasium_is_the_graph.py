"""The Gymnasium environment and the graph of processes: one seed, one sequence of actions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from rclpy.node import Node
from std_msgs.msg import UInt8MultiArray

from quad_learner import bringup
from quad_learner.experience.transition import Transition
from quad_learner.gymnasium_env import WalkEnv
from quad_learner.policy.onnx_policy import OnnxPolicy
from quad_learner.robot.model import load
from quad_learner.ros import topics
from quad_learner.ros.packed import Progress, Records, progress_to
from quad_learner.supervisor import Supervisor

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

SEED = 5
STEPS = 200
CHANGED = {'episode_s': 2.0, 'noise_scale': 0.0, 'action_smoothing': 0.0}
# In the middle of episodes: the steps go on behind them.
CHANGED |= {'faults': ['dropped_sample@2.0+0.05', 'dropped_sample@4.0+0.3']}
CONTROL = ('robot', 'safety', 'estimator', 'reset', 'policy')


def wobbly_policy(observations: int, actions: int) -> bytes:
    """Returns a policy that answers to everything it sees, so that the robot stumbles about."""
    chance = np.random.default_rng(1)
    weight = (0.15 * chance.standard_normal((observations, actions))).astype(np.float32)
    constants = {
        'weight': weight,
        'bias': np.zeros(actions, np.float32),
        'nothing': np.zeros((observations, actions), np.float32),
        'spread': np.full(actions, -20.0, np.float32),
    }
    graph = helper.make_graph(
        [
            helper.make_node('Gemm', ['observation', 'weight', 'bias'], ['mean_raw']),
            helper.make_node('Gemm', ['observation', 'nothing', 'spread'], ['log_std']),
        ],
        'wobbly',
        [helper.make_tensor_value_info('observation', TensorProto.FLOAT, [1, observations])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, actions])
            for name in ('mean_raw', 'log_std')
        ],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    helper.set_model_props(model, {'version': '1', 'robot': 'a1', 'made_after': str(2**40)})
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def in_gymnasium(actions: list[Any]) -> list[dict[str, Any]]:
    """Returns the steps of the environment, driven by one action after the other."""
    env = WalkEnv(**CHANGED)
    observation, _ = env.reset(seed=SEED)
    steps = []
    for action in actions:
        after, reward, terminated, truncated, info = env.step(action)
        steps.append(
            {
                'observation': observation,
                'action': info['executed_action'],
                'reward': reward,
                'constraint': info['constraint'],
                'next_observation': after,
                'terminated': terminated,
                'truncated': truncated,
            }
        )
        observation = after
        if terminated or truncated:
            observation, _ = env.reset()
    assert env.graph is not None
    assert env.graph.judge.judged > 2 * STEPS
    assert env.graph.unsafe == []
    env.close()
    return steps


@pytest.fixture
def graph(domain: Any, tmp_path: Path) -> Any:
    """Starts the control processes of the graph, without a learner; stops them at the end."""
    specs = [spec for spec in bringup.nodes('sim') if spec.name in CONTROL]
    shared = {'seed': SEED, 'minutes': 100.0, 'gear': 'lockstep'}
    values = bringup.parameters(specs, shared, None)
    for merged in values.values():
        merged |= {name: value for name, value in CHANGED.items() if name in merged}
    files = bringup.write_parameters(values, tmp_path)
    supervisor = Supervisor(domain.environment, tmp_path)
    for spec in specs:
        supervisor.start(spec, ['--params-file', str(files[spec.name])])
    yield supervisor
    assert supervisor.stop() == [], 'a process had to be killed'


def in_graph(model: bytes, watcher: Node, seen_until: Callable[..., Any]) -> list[Transition]:
    """Returns the steps of the graph, for which this process plays the learner."""
    robot = load('a1')
    size = OnnxPolicy(model).card.observation_size
    records = Records(robot, size)
    steps: list[Transition] = []
    topics.EXPERIENCE.subscribe(watcher, lambda m: steps.append(records.transition_from(m)))
    progress = topics.PROGRESS.publisher(watcher)
    models = topics.MODEL.publisher(watcher)
    message = UInt8MultiArray()
    message.data = model
    models.publish(message)
    progress.publish(progress_to(Progress(0, 0, 0, 1)))
    seen_until(lambda: len(steps) >= STEPS, 400.0, lambda: f'{STEPS} steps, only {len(steps)}')
    return steps[:STEPS]


def test_the_environment_is_the_graph_to_the_bit(
    graph: Any, watcher: Node, seen_until: Callable[..., Any]
) -> None:
    env = WalkEnv(**CHANGED)
    (observations,), (actions,) = env.observation_space.shape, env.action_space.shape
    model = wobbly_policy(observations, actions)
    of_graph = in_graph(model, watcher, seen_until)
    # What the policy node asked for is what the model says on what was logged, by itself.
    session = onnxruntime.InferenceSession(model, providers=['CPUExecutionProvider'])
    for step in of_graph:
        (raw,) = session.run(['mean_raw'], {'observation': step.observation[None]})
        np.testing.assert_allclose(step.asked, np.tanh(raw[0]), atol=1e-4)
    of_env = in_gymnasium([step.asked for step in of_graph])
    assert [step.sequence for step in of_graph] == list(range(1, STEPS + 1))
    for number, (theirs, ours) in enumerate(zip(of_graph, of_env, strict=True)):
        for name, value in ours.items():
            # What the log holds is single precision; nothing else may lie between the two.
            told = np.asarray(value, np.float32)
            np.testing.assert_array_equal(
                np.asarray(getattr(theirs, name), np.float32), told, f'step {number}: {name}'
            )
    moved = np.ptp([step.observation for step in of_graph], axis=0)
    assert (moved > 0.05).mean() > 0.8, 'the robot must have moved for this to say anything'
    assert of_graph[-1].episode > 1, 'more than one episode, with a reset in between'
