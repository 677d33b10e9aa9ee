"""Models that have arrived and when each may drive.

A model says from which step on it is meant (`use_from`) and before which step the next one must be
there (`use_until`). In lockstep the policy keeps to that, and begins an episode only with a model
that has learned from every step so far (`made_after`), so that the same seed swaps the same
weights at the same steps however fast the machine is; in real time it takes the newest.
"""

from __future__ import annotations

from quad_learner.policy.onnx_policy import OnnxPolicy
from quad_learner.policy.onnx_session import Sessions
from quad_learner.robot.signals import NANOSECONDS


class ModelQueue:
    """Models not yet used, oldest first."""

    def __init__(self) -> None:
        self._waiting: list[OnnxPolicy] = []
        self._sessions = Sessions()
        self._arrived_ns = 0
        self.valid_until = 0
        """the step before which the model last handed out must be replaced"""
        self.made_after = 0
        """the last step that the model last handed out has learned from"""

    def add(self, model: bytes, now_ns: int) -> None:
        """Takes in a model that came at `now_ns` [ns, steady clock].

        Raises:
            PolicyError: it cannot be run; nothing changes.
        """
        policy = OnnxPolicy(model, self._sessions)
        self._waiting.append(policy)
        self._arrived_ns = now_ns

    def newest(self) -> OnnxPolicy | None:
        """Returns the newest model that was not handed out yet, and drops the older ones."""
        if not self._waiting:
            return None
        policy = self._waiting[-1]
        return self._hand_out(policy)

    def due(self, step: int) -> OnnxPolicy | None:
        """Returns the model that is meant for `step`, if it is here and was not handed out yet."""
        meant = [policy for policy in self._waiting if policy.card.use_from <= step]
        return self._hand_out(meant[-1]) if meant else None

    def age_s(self, now_ns: int) -> float:
        """Returns how long ago [s] the last model came, by the steady clock."""
        return (now_ns - self._arrived_ns) / NANOSECONDS if self._arrived_ns else -1.0

    def _hand_out(self, policy: OnnxPolicy) -> OnnxPolicy:
        index = self._waiting.index(policy)
        self._waiting = self._waiting[index + 1 :]
        self.valid_until = policy.card.use_until
        self.made_after = policy.card.made_after
        return policy
