"""A scripted bad policy that passes every look at it, on the simulated robot: what stops it?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from scripted_policies import HARD

from quad_learner import configuration
from quad_learner.experience.transition import Transition
from quad_learner.gymnasium_env import WalkEnv
from quad_learner.learning.actor import Actor
from quad_learner.learning.export import policy_onnx
from quad_learner.learning.learner import Learner
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.policy.chooser import Chooser
from quad_learner.policy.config import PolicyConfig
from quad_learner.policy.onnx_policy import OnnxPolicy
from quad_learner.resources import config_directory
from quad_learner.safety.modes import Reason

EPISODE_S, STEPS = 6.0, 240
SHARE = 0.7
RULES = {
    'actor_width': 24,  # each joint's velocity, and its negative
    'fall_back_steps': STEPS,
    'margin_required_rad': 0.05,
    'trial_steps': STEPS,
    'trial_share': SHARE,
    'box_start': 1.0,
}


class Foreseeing:
    """Critics to whom all actions are alike."""

    def probe(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.zeros(4, len(inputs))


def shake(actor: Actor) -> None:
    """Lets `actor` push each joint on in the way that it moves."""
    joints = 12
    moves = torch.eye(joints)
    values = actor.flat.values
    actor.flat.vector.zero_()
    values['weight_1'][joints : 2 * joints] = torch.cat((moves, -moves), 1)
    values['weight_2'][:] = torch.eye(2 * joints)
    values['weight_3'][:, :joints] = HARD * torch.cat((moves, -moves))
    values['bias_3'][joints:] = -20.0


class Robot:
    """Episodes of the simulated robot: the learner takes in their steps and learns nothing."""

    def __init__(self, env: WalkEnv) -> None:
        self.env = env
        sizes = env.observation_space.shape[0], env.action_space.shape[0]
        folder = config_directory()
        config = configuration.read(LearnerConfig, folder / 'learner.yaml', RULES)
        self.learner = Learner(*sizes, config, 0)
        self.learner.critics = Foreseeing()  # type: ignore[assignment]
        self.learner.actor.flat.vector.zero_()
        policy = configuration.read(PolicyConfig, folder / 'policy.yaml', {'noise_scale': 0.0})
        self.chooser = Chooser(policy, *sizes, 0.025, np.random.default_rng(0))
        self.observation, _ = env.reset(seed=0)
        self.sequence = 0

    def give(self) -> None:
        proposed = self.learner.propose()
        self.learner.incumbent.accept(version=1)
        self.chooser.swap(OnnxPolicy(policy_onnx(proposed)))

    def episode(self) -> tuple[int, bool, float]:
        """Returns how many steps it had, whether it ended in a fall, and the largest action."""
        over, begins, steps, largest = False, True, 0, 0.0
        while not over:
            if steps % 20 == 0:
                self.give()
            action = self.chooser.choose(self.observation, begins).action
            after, reward, terminated, truncated, info = self.env.step(action)
            self.sequence, steps, begins = self.sequence + 1, steps + 1, False
            largest = max(largest, float(np.abs(action).max()))
            over = terminated or truncated
            self.learner.ingest(
                Transition(
                    sequence=self.sequence,
                    episode=1,
                    task=0,
                    step=steps,
                    time_ns=self.sequence,
                    policy_version=1,
                    observation=self.observation,
                    asked=action,
                    action=info['executed_action'],
                    reward=reward,
                    constraint=info['constraint'],
                    next_observation=after,
                    terminated=terminated,
                    truncated=truncated,
                    reasons=Reason(info['reasons']),
                )
            )
            self.observation = after
        self.observation, _ = self.env.reset()
        return steps, terminated, largest


@pytest.fixture
def robot() -> Iterator[Robot]:
    env = WalkEnv(episode_s=EPISODE_S)
    yield Robot(env)
    env.close()


@pytest.mark.slow
def test_a_bad_policy_is_tried_in_a_smaller_box_falls_there_and_is_rolled_back(
    robot: Robot,
) -> None:
    incumbent = robot.learner.incumbent
    steps, fell, _ = robot.episode()
    assert (steps, fell, incumbent.known, incumbent.in_trial) == (STEPS, False, True, False)

    shake(robot.learner.actor)
    steps, fell, largest = robot.episode()
    assert fell
    assert steps < STEPS, 'within its trial'
    assert largest == pytest.approx(SHARE), 'all of what was open, and no more'
    assert incumbent.refused == 0, 'nothing else stood in its way'
    assert (incumbent.rolled_back, incumbent.drives) == (1, True)

    steps, fell, largest = robot.episode()
    assert (steps, fell, largest) == (STEPS, False, 0.0), 'the incumbent, which stands'
    assert incumbent.in_trial, 'the newest is next'
