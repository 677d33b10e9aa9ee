"""The learner of one task of a run, with its models and its checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from quad_learner.experience.durable import write_atomically
from quad_learner.experience.run_directory import RunDirectory
from quad_learner.experience.steps import Steps
from quad_learner.experience.transition import Transition
from quad_learner.learning import checkpoint
from quad_learner.learning.actor import Actor
from quad_learner.learning.export import policy_onnx
from quad_learner.learning.learner import Learner
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.learning.mirror import Mirror
from quad_learner.learning.update_metrics import UpdateMetrics
from quad_learner.policy.golden import RECENT
from quad_learner.policy.onnx_policy import OnnxPolicy, PolicyError
from quad_learner.policy.onnx_session import Sessions
from quad_learner.robot.model import RobotModel
from quad_learner.task.kinds import FORWARD, Kind
from quad_learner.task.symmetry import Symmetry


class Trainee:
    """Learns one task."""

    def __init__(
        self,
        kind: Kind,
        run: RunDirectory,
        robot: RobotModel,
        sizes: tuple[int, int],
        config: LearnerConfig,
        seed: int,
        symmetry: Symmetry | None,
    ) -> None:
        """Args:
        kind: the task.
        run: where everything is kept.
        robot: names the models.
        sizes: numbers in an observation and in an action.
        config: how to learn.
        seed: of the run.
        symmetry: of robot and task, None for none.
        """
        self._config = config
        self._checkpoint = run.checkpoint_of(kind.suffix)
        self._policy = run.policy_of(kind.suffix)
        self.identity = {'robot': robot.name, 'joints': ','.join(robot.joints)}
        """what a checkpoint must be of to be taken up"""
        mirror = None if symmetry is None else Mirror(*symmetry)
        self.learner = Learner(*sizes, config, seed_of(kind, seed), mirror)
        self.version = 0
        """of the newest model"""
        self.last: UpdateMetrics | None = None
        """of the newest update"""
        self.passed_over: tuple[str, ...] = ()
        """why newer checkpoints than the one taken up were not used"""
        self._saved_sequence = 0
        """of the last step that the checkpoint taken up knows of"""
        self._extra = 0
        self._sessions = Sessions()

    def open(self) -> None:
        """Takes up the checkpoint, where there is one.

        Raises:
            CheckpointError: it cannot be used.
        """
        if checkpoint.exists(self._checkpoint):
            found = checkpoint.load(self._checkpoint, self.learner, self.identity)
            self.version = int(found.manifest['version'])
            self.passed_over = found.passed_over
            self._saved_sequence = self.learner.last_sequence

    def restore(
        self, steps: Steps, data: Sequence[bytes], read: Callable[[bytes], Transition]
    ) -> None:
        """Takes up steps of this task from the log, at least one, in the order logged.

        What the checkpoint knows of goes into the replay alone; what came after is taken in anew.

        Args:
            steps: all of them.
            data: the logged message of each.
            read: turns one into a transition.
        """
        self.version = max(self.version, int(steps.policy_version.max()))
        new = steps.sequence > self._saved_sequence
        known = int(new.argmax()) if new.any() else len(steps)
        self.learner.rebuild(steps[:known])
        for row in range(known, len(steps)):
            if new[row]:
                self.learner.ingest(read(data[row]))
            else:
                self.learner.rebuild(steps[row : row + 1])

    def end_episode(self) -> None:
        """Owes the updates of the pause that follows."""
        if self.learner.updates > 0:
            self._extra = self._config.updates_per_reset

    @property
    def due_updates(self) -> int:
        """Updates to make now: those owed for steps, and those of the pause between episodes."""
        return self.learner.due_updates + self._extra

    def forgive(self) -> None:
        """Owes nothing any more."""
        self.learner.pace.forgive()
        self._extra = 0

    def update(self) -> None:
        """Makes one update."""
        if self.learner.due_updates == 0:
            self._extra = max(0, self._extra - 1)
        self.last = self.learner.update()

    def model(self, sequence: int, use_from: int) -> bytes:
        """Returns the policy as it is after step `sequence`, meant for those after `use_from`.

        One that must not drive is refused, and what was given last goes out again; empty where
        that must not drive either.
        """
        every = self._config.publish_every
        # The next model is made at the next multiple and meant for one stretch later.
        use_until = (sequence // every + 2) * every
        self.learner.recover()
        numbers = {'use_from': use_from, 'use_until': use_until, 'made_after': sequence}
        span = {name: str(step) for name, step in numbers.items()}
        incumbent = self.learner.incumbent
        model = self._onnx(self.learner.propose(), span)
        problem = self._objection(model)
        if not problem:
            incumbent.accept(self.version)
            return model
        incumbent.refuse(problem)
        model = self._onnx(incumbent.given, span)
        if self._objection(model):
            return b''
        incumbent.give_again(self.version)
        return model

    def _objection(self, model: bytes) -> str:
        """Returns why a model must not drive, by the runtime that it would drive with."""
        try:
            return OnnxPolicy(model, self._sessions).problem
        except PolicyError as error:
            return str(error)

    def _onnx(self, policy: Actor, more: dict[str, str]) -> bytes:
        about = {'version': str(self.version), **self.identity, **more}
        return policy_onnx(policy, about, self.learner.replay.recent(RECENT))

    def save(self) -> None:
        """Writes the checkpoint, and the policy that was given last.

        Raises:
            OSError: they were not written.
        """
        self.learner.recover()
        checkpoint.save(self._checkpoint, self.learner, self.version, self.identity)
        write_atomically(self._policy, self._onnx(self.learner.incumbent.given, {}))


def seed_of(kind: Kind, seed: int) -> int:
    """Returns the seed of one task's learner: the run's for walking forward, else its own."""
    if kind is FORWARD:
        return seed
    return int(np.random.SeedSequence((seed, kind.number)).generate_state(1)[0])


def share_of(config: LearnerConfig, tasks: int) -> LearnerConfig:
    """Returns `config` for one of so many `tasks`: they share the memory for steps."""
    return replace(config, replay_capacity=max(1, config.replay_capacity // tasks))
