"""The learner at work on a run: log, replay, updates, models, checkpoints; ROS-free.

The order is fixed: a step is in the log before it is learned from; a model is made after every
`publish_every` steps and is meant for the steps that begin one such stretch later, so that acting
and learning overlap and are still the same whenever the seed is. While the robot gets up there are
no steps, and the learner goes over what it has; the next episode begins with the model of that.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

from quad_learner.experience.durable import write_atomically
from quad_learner.experience.log import ExperienceLog, LogUnavailableError, segments
from quad_learner.experience.reader import ExperienceReader
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
from quad_learner.robot.model import RobotModel
from quad_learner.task.symmetry import Symmetry

Read = Callable[[bytes], Transition]
ReadAll = Callable[[Sequence[bytes]], Steps]

RESTORED_AT_ONCE = 2048
"""steps: a few megabytes, that stay in the processor's cache or near it"""


class Training:
    """One run's learner. `open` first, `close` last."""

    def __init__(
        self,
        run: RunDirectory,
        robot: RobotModel,
        sizes: tuple[int, int],
        config: LearnerConfig,
        seed: int,
        symmetry: Symmetry | None,
        clock: Callable[[], int],
        read: Read,
        read_all: ReadAll,
    ) -> None:
        """Args:
        run: where everything is kept.
        robot: names the models.
        sizes: numbers in an observation and in an action.
        config: how to learn.
        seed: of everything random.
        symmetry: of robot and task, None for none.
        clock: steady time [ns], for the log's syncs.
        read: turns a logged message into a transition.
        read_all: does the same for many, at least one.
        """
        self._run = run
        self._robot = robot
        self._config = config
        self._read = read
        self._read_all = read_all
        self.identity = {'robot': robot.name, 'joints': ','.join(robot.joints)}
        """what a checkpoint must be of to be taken up"""
        mirror = None if symmetry is None else Mirror(*symmetry)
        self.learner = Learner(*sizes, config, seed, mirror)
        self._log = ExperienceLog(run.experience, clock)
        self.sequence = 0
        """of the last step in the log"""
        self.episode = 0
        """of that step"""
        self.version = 0
        """of the newest model"""
        self.lost = 0
        """steps that never arrived"""
        self.passed_over: tuple[str, ...] = ()
        """why newer checkpoints than the one taken up were not used"""
        self.problem = ''
        """why learning is paused, empty while it is not"""
        self.unsaved = ''
        """why the last checkpoint was not written, empty where it was"""
        self._unlogged: deque[tuple[Transition, bytes]] = deque()
        self._extra = 0
        self._last: UpdateMetrics | None = None
        self._falls = 0
        self._return = self._length = 0.0
        self._episode_return = self._episode_length = math.nan
        self._reward = self._constraint = math.nan

    def open(self) -> None:
        """Opens the log; where the run has a past, takes it up again.

        Raises:
            CheckpointError: the checkpoint cannot be used.
            LogUnavailableError: the log cannot be written.
        """
        if checkpoint.exists(self._run.checkpoint):
            found = checkpoint.load(self._run.checkpoint, self.learner, self.identity)
            self.version = int(found.manifest['version'])
            self.passed_over = found.passed_over
        self._restore()
        if self.sequence:
            # Models were given away after the checkpoint: no number may stand for two of them.
            self.version += 1
        self._log.open()

    def _restore(self) -> None:
        """Rebuilds the replay from the log; what came after the checkpoint is taken in anew."""
        if not segments(self._run.experience):
            return
        last = self.learner.last_sequence
        records = ExperienceReader(self._run.experience).records()
        while data := [record.data for record in islice(records, RESTORED_AT_ONCE)]:
            steps = self._read_all(data)
            self._follow_all(steps)
            new = steps.sequence > last
            known = int(new.argmax()) if new.any() else len(steps)
            self.learner.rebuild(steps[:known])
            for later in data[known:]:
                self._ingest_or_rebuild(self._read(later), last)
        self.learner.pace.forgive()

    def _ingest_or_rebuild(self, transition: Transition, last: int) -> None:
        if transition.sequence > last:
            self.learner.ingest(transition)
        else:
            self.learner.rebuild(Steps.of((transition,)))

    def _follow_all(self, steps: Steps) -> None:
        ended = steps.terminated | steps.truncated
        for reward, fell, end in zip(
            steps.reward.tolist(), steps.terminated.tolist(), ended.tolist(), strict=True
        ):
            self._count(reward, fell, end)
        self.sequence, self.episode = int(steps.sequence[-1]), int(steps.episode[-1])
        self._reward, self._constraint = float(steps.reward[-1]), float(steps.constraint[-1])
        self.version = max(self.version, int(steps.policy_version.max()))

    def take_in(self, data: bytes, may_update: Callable[[], bool]) -> bytes | None:
        """Logs and learns from one step; returns a new model when one is due.

        Args:
            data: the message as it was received.
            may_update: asked before each update that is owed; no leaves it to `update`.

        Raises:
            MessageError: the message is not a step of this robot and task.
        """
        transition = self._read(data)
        if transition.sequence <= self.sequence:
            return None
        self.lost += transition.sequence - self.sequence - 1
        self._append(transition, data)
        self.learner.ingest(transition)
        self._follow(transition)
        ended = transition.terminated or transition.truncated
        if ended and self.learner.updates > 0:
            self._extra = self._config.updates_per_reset
        while self.due_updates > 0 and may_update():
            self.update()
        return self._model_if_due(ended)

    @property
    def unlogged(self) -> int:
        """Steps that wait in memory for the disk to take them."""
        return len(self._unlogged)

    @property
    def due_updates(self) -> int:
        """Updates to make now: those owed for steps, and those of the pause between episodes."""
        return self.learner.due_updates + self._extra

    def update(self) -> None:
        """Makes one update, unless learning is paused."""
        if self.problem:
            self.learner.pace.forgive()
            self._extra = 0
            return
        if self.learner.due_updates == 0:
            self._extra = max(0, self._extra - 1)
        self._last = self.learner.update()

    def _append(self, transition: Transition, data: bytes) -> None:
        """Logs a step; while the disk refuses, steps wait in memory and learning pauses."""
        self._unlogged.append((transition, data))
        self._log_what_waits()

    def _log_what_waits(self) -> None:
        try:
            while self._unlogged:
                waiting, data = self._unlogged[0]
                self._log.append(waiting.sequence, data, waiting.time_ns)
                self._unlogged.popleft()
            self.problem = ''
        except LogUnavailableError as error:
            self.problem = str(error)

    def _follow(self, transition: Transition) -> None:
        self.sequence, self.episode = transition.sequence, transition.episode
        self._reward, self._constraint = transition.reward, transition.constraint
        ended = transition.terminated or transition.truncated
        self._count(transition.reward, transition.terminated, ended)

    def _count(self, reward: float, fell: bool, ended: bool) -> None:
        self._return += reward
        self._length += 1.0
        self._falls += fell
        if ended:
            self._episode_return, self._episode_length = self._return, self._length
            self._return = self._length = 0.0

    def _model_if_due(self, ended: bool) -> bytes | None:
        every = self._config.publish_every
        is_due = ended or self.sequence % every == 0
        self.version += is_due
        # One that failed is tried again before its time, but not at each step.
        if self.sequence % self._config.checkpoint_every == 0 or (is_due and self.unsaved):
            self.save()
        if not is_due:
            return None
        # Between episodes there is time to wait for the newest; within one, acting goes on.
        return self._model(self.sequence if ended else self.sequence + every)

    def first_model(self) -> bytes:
        """Returns the model to begin with, meant for now."""
        return self._model(self.sequence)

    def _model(self, use_from: int) -> bytes:
        every = self._config.publish_every
        # The next model is made at the next multiple and meant for one stretch later.
        use_until = (self.sequence // every + 2) * every
        self.learner.recover()
        span = {'use_from': use_from, 'use_until': use_until, 'made_after': self.sequence}
        given = self.learner.give()
        return self._onnx(given, {name: str(step) for name, step in span.items()})

    def _onnx(self, policy: Actor, more: dict[str, str]) -> bytes:
        properties = {
            'version': str(self.version),
            'robot': self._robot.name,
            'joints': ','.join(self._robot.joints),
        }
        return policy_onnx(policy, {**properties, **more})

    def metrics(self) -> dict[str, float]:
        """Returns what is plotted, by name."""
        last = self._last
        nan = math.nan
        return {
            'reward': self._reward,
            'constraint': self._constraint,
            'lambda': self.learner.multiplier.value,
            'alpha': self.learner.temperature.value,
            'box_share': self.learner.box.value,
            'fell_back': float(self.learner.incumbent.drives),
            'episode_return': self._episode_return,
            'episode_length': self._episode_length,
            'falls': float(self._falls),
            'critic_loss': last.reward_critic_loss if last else nan,
            'safety_critic_loss': last.safety_critic_loss if last else nan,
            'actor_loss': last.actor_loss if last else nan,
            'entropy': last.entropy if last else nan,
            'q_value': last.reward_value if last else nan,
            'safety_value': last.constraint if last else nan,
            'updates': float(self.learner.updates),
            'replay_size': float(len(self.learner.replay)),
            'policy_version': float(self.version),
            'backlog': float(self.learner.due_updates),
        }

    def save(self) -> str:
        """Writes checkpoint and policy; returns what went wrong, empty when nothing did."""
        self.unsaved = ''
        try:
            self._write_checkpoint()
        except OSError as error:
            self.unsaved = f'the checkpoint was not written: {error}'
        return self.unsaved

    def _write_checkpoint(self) -> None:
        self._log_what_waits()
        if self.problem:
            # It would know of steps that no restart finds in the log.
            raise OSError(self.problem)
        self._log.sync()
        self.learner.recover()
        checkpoint.save(self._run.checkpoint, self.learner, self.version, self.identity)
        write_atomically(self._run.policy, self._onnx(self.learner.driver, {}))

    def close(self) -> str:
        """Saves and closes the log; returns what went wrong, empty when nothing did."""
        problem = self.save()
        try:
            self._log.close()
        except OSError as error:
            return problem or str(error)
        return problem
