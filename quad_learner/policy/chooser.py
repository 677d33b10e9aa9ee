"""Chooses actions: the current model's answer, explored, models swapped between steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quad_learner.policy.config import PolicyConfig
from quad_learner.policy.driver import Choice
from quad_learner.policy.exploration import SmoothNoise
from quad_learner.policy.onnx_policy import OnnxPolicy, PolicyError

Vector = NDArray[np.float32]


class Chooser:
    """Holds the model that drives and the noise that explores."""

    def __init__(
        self,
        config: PolicyConfig,
        observation_size: int,
        action_size: int,
        period_s: float,
        generator: np.random.Generator,
    ) -> None:
        self._config = config
        self._sizes = (observation_size, action_size)
        self._noise = SmoothNoise(action_size, config.noise_correlation_s, period_s, generator)
        self._last = np.zeros(action_size, np.float32)
        self._policy: OnnxPolicy | None = None

    @property
    def version(self) -> int:
        """Of the model that drives; −1 before the first."""
        return -1 if self._policy is None else self._policy.card.version

    def swap(self, policy: OnnxPolicy) -> None:
        """Lets `policy` choose from the next step on.

        Raises:
            PolicyError: it is for another robot or task, or fails its golden answers.
        """
        found = (policy.card.observation_size, policy.card.action_size)
        if found != self._sizes:
            raise PolicyError(
                f'the policy maps {found[0]} observations to {found[1]} actions; this robot and '
                f'task need {self._sizes[0]} to {self._sizes[1]}'
            )
        if policy.problem:
            raise PolicyError(f'policy version {policy.card.version} {policy.problem}')
        self._policy = policy

    def warm_up(self, observation: Vector) -> None:
        """Answers for nothing: what was not touched for a period costs three times as much."""
        if self._policy is not None:
            self._policy.answer(observation)

    def choose(self, observation: Vector, begins: bool) -> Choice:
        """Returns the action for `observation`, −1 … 1; rest (zeros) while there is no model."""
        if begins:
            self._noise.begin()
            self._last = np.zeros_like(self._last)
        if self._policy is None:
            return Choice(np.zeros_like(self._last), 0)
        answer = self._policy.answer(observation)
        noise = self._noise.next() * self._config.noise_scale
        squashed = np.tanh(answer.mean + answer.std * noise)
        action = (self._policy.card.box * squashed).astype(np.float32)
        keep = self._config.action_smoothing
        action = np.float32(keep) * self._last + np.float32(1.0 - keep) * action
        if not np.isfinite(action).all():
            action = np.zeros_like(self._last)
        self._last = action
        return Choice(action, self._policy.card.version)
