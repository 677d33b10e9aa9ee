"""The learners at work on a run: log, replay, updates, models, checkpoints; ROS-free.

Each task has a learner of its own, or all share one, and a step teaches that of its task. The
order is fixed: a step is in the log before it is learned from; a model is made after every
`publish_every` steps and is meant for the steps that begin one such stretch later, so that acting
and learning overlap and are still the same whenever the seed is. While the robot gets up there are
no steps, and the learner goes over what it has; the next episode begins with the model of that,
and whichever task it is of, a model that says so is there.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import islice

import numpy as np

from quad_learner.experience.log import ExperienceLog, LogUnavailableError, segments
from quad_learner.experience.reader import ExperienceReader
from quad_learner.experience.run_directory import RunDirectory
from quad_learner.experience.steps import Steps
from quad_learner.experience.transition import Transition
from quad_learner.learning.episode_tally import EpisodeTally
from quad_learner.learning.learner import Learner
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.learning.trainee import Trainee, share_of
from quad_learner.robot.model import RobotModel
from quad_learner.task.kinds import NUMBERED, Kind
from quad_learner.task.symmetry import Symmetry

Read = Callable[[bytes], Transition]
ReadAll = Callable[[Sequence[bytes]], Steps]
Models = Mapping[Kind, bytes]

RESTORED_AT_ONCE = 2048
"""steps: a few megabytes, that stay in the processor's cache or near it"""
UNLOGGED_MAX = 144_000
"""steps that wait for the disk at most: an hour at 40 Hz, some 160 MiB of the A1's"""


class ForeignTaskError(ValueError):
    """A step of a task that this run does not learn."""


class Training:
    """One run's learners. `open` first, `close` last."""

    def __init__(
        self,
        run: RunDirectory,
        robot: RobotModel,
        sizes: tuple[int, int],
        config: LearnerConfig,
        seed: int,
        taught_by: Mapping[Kind, Kind],
        symmetries: Mapping[Kind, Symmetry | None],
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
        taught_by: each task that is learned, and the one that its learner is named after.
        symmetries: of robot and task, None for none, for each learner.
        clock: steady time [ns], for the log's syncs.
        read: turns a logged message into a transition.
        read_all: does the same for many, at least one.
        """
        self._run = run
        self._config = config
        self._read = read
        self._read_all = read_all
        share = share_of(config, len(symmetries))
        self._trainees = {
            kind: Trainee(kind, run, robot, sizes, share, seed, symmetry)
            for kind, symmetry in symmetries.items()
        }
        self._taught_by = taught_by
        self._current = next(iter(self._trainees.values()))
        self._log = ExperienceLog(run.experience, clock)
        self.sequence = 0
        """of the last step in the log"""
        self.episode = 0
        """of that step"""
        self.lost = 0
        """steps that never arrived, or came when no more could wait for the disk"""
        self.problem = ''
        """why learning is paused, empty while it is not"""
        self.unsaved = ''
        """why the last checkpoint was not written, empty where it was"""
        self._unlogged: deque[tuple[int, bytes, int]] = deque()
        """sequence, message and stamp [ns] of the steps that wait for the disk"""
        self._tally = EpisodeTally()
        self._reward = self._constraint = math.nan

    @property
    def learner(self) -> Learner:
        """That of the last step's task."""
        return self._current.learner

    @property
    def version(self) -> int:
        """Of that task's newest model."""
        return self._current.version

    @property
    def updates(self) -> int:
        """Made so far, of all tasks."""
        return sum(trainee.learner.updates for trainee in self._trainees.values())

    @property
    def identity(self) -> Mapping[str, str]:
        """What that task's checkpoint must be of to be taken up."""
        return self._current.identity

    @property
    def passed_over(self) -> tuple[str, ...]:
        """Why newer checkpoints than those taken up were not used, of all tasks."""
        return tuple(why for each in self._trainees.values() for why in each.passed_over)

    @property
    def refusal(self) -> str:
        """Why the newest model of a task does not drive, of all tasks; empty where all do."""
        refusals = (each.learner.incumbent.refusal for each in self._trainees.values())
        return '; '.join(refusal for refusal in refusals if refusal)

    def open(self) -> None:
        """Opens the log; where the run has a past, takes it up again.

        A disk that refuses is a `problem`, as it is later: the log is begun when it takes steps.

        Raises:
            CheckpointError: a checkpoint cannot be used.
            ForeignTaskError: the log holds a step of a task that is not learned.
        """
        for trainee in self._trainees.values():
            trainee.open()
        self._restore()
        if self.sequence:
            # Models were given away after the checkpoint: no number may stand for two of them.
            for trainee in self._trainees.values():
                trainee.version += 1
        self._log_what_waits()

    def _restore(self) -> None:
        """Rebuilds the replays from the log; what came after a checkpoint is taken in anew."""
        if not segments(self._run.experience):
            return
        records = ExperienceReader(self._run.experience).records()
        while data := [record.data for record in islice(records, RESTORED_AT_ONCE)]:
            steps = self._read_all(data)
            taught = np.array([self._learner_of(task).number for task in steps.task.tolist()])
            for number in np.unique(taught).tolist():
                rows = np.flatnonzero(taught == number)
                messages = [data[row] for row in rows.tolist()]
                self._trainee_of(number).restore(steps[rows], messages, self._read)
            self._follow_all(steps)
        self._forgive()

    def _trainee_of(self, task: int) -> Trainee:
        return self._trainees[self._learner_of(task)]

    def _learner_of(self, task: int) -> Kind:
        kind = NUMBERED.get(task)
        if kind is None or kind not in self._taught_by:
            name = f'number {task}' if kind is None else kind.name
            known = ', '.join(kind.name for kind in self._taught_by)
            raise ForeignTaskError(
                f'a step of the task {name}, but this run learns {known}; '
                'go on with the tasks that it began with'
            )
        return self._taught_by[kind]

    def _follow_all(self, steps: Steps) -> None:
        ended = steps.terminated | steps.truncated
        for reward, fell, end in zip(
            steps.reward.tolist(), steps.terminated.tolist(), ended.tolist(), strict=True
        ):
            self._tally.count(reward, fell, end)
        self._current = self._trainee_of(int(steps.task[-1]))
        self.sequence, self.episode = int(steps.sequence[-1]), int(steps.episode[-1])
        self._reward, self._constraint = float(steps.reward[-1]), float(steps.constraint[-1])

    def _forgive(self) -> None:
        for trainee in self._trainees.values():
            trainee.forgive()

    def take_in(self, data: bytes, may_update: Callable[[], bool]) -> Models:
        """Logs and learns from one step; returns the new models that are due.

        Args:
            data: the message as it was received.
            may_update: asked before each update that is owed; no leaves it to `update`.

        Raises:
            MessageError: the message is not a step of this robot and task.
            ForeignTaskError: it is of a task that is not learned.
        """
        transition = self._read(data)
        if transition.sequence <= self.sequence:
            return {}
        trainee = self._trainee_of(transition.task)
        self.lost += transition.sequence - self.sequence - 1
        if self._keep(transition, data):
            trainee.learner.ingest(transition)
        else:
            trainee.learner.pass_over(transition)
        self._follow(transition, trainee)
        ended = transition.terminated or transition.truncated
        if ended:
            trainee.end_episode()
        while self.due_updates > 0 and may_update():
            self.update()
        return self._models_due(ended)

    def try_anew(self) -> None:
        """Lets what each learner gives away next begin with a trial: it comes from elsewhere."""
        for trainee in self._trainees.values():
            trainee.learner.incumbent.trial.begin()

    @property
    def unlogged(self) -> int:
        """Steps that wait in memory for the disk to take them."""
        return len(self._unlogged)

    @property
    def due_updates(self) -> int:
        """Updates to make now, of all tasks."""
        return sum(trainee.due_updates for trainee in self._trainees.values())

    def update(self) -> None:
        """Makes one update, of the last step's task first, unless learning is paused."""
        if self.problem:
            self._forgive()
            return
        owing = [trainee for trainee in self._trainees.values() if trainee.due_updates > 0]
        (self._current if self._current in owing or not owing else owing[0]).update()

    def _keep(self, transition: Transition, data: bytes) -> bool:
        """Logs a step, or lets it wait while the disk refuses, and learning with it.

        Returns False where too many wait: the log, and what is learned from, has no later step
        than those that wait, and goes on with the first that comes when the disk takes them.
        """
        self._unlogged.append((transition.sequence, data, transition.time_ns))
        self._log_what_waits()
        if len(self._unlogged) <= UNLOGGED_MAX:
            return True
        self._unlogged.pop()
        self.lost += 1
        self.problem = (
            f'{UNLOGGED_MAX} steps wait, and those that come now are lost; {self.problem}'
        )
        return False

    def _log_what_waits(self) -> None:
        try:
            if self._log.segment is None:
                self._log.open()
            while self._unlogged:
                self._log.append(*self._unlogged[0])
                self._unlogged.popleft()
            self.problem = ''
        except LogUnavailableError as error:
            self.problem = str(error)

    def _follow(self, transition: Transition, trainee: Trainee) -> None:
        self._current = trainee
        self.sequence, self.episode = transition.sequence, transition.episode
        self._reward, self._constraint = transition.reward, transition.constraint
        ended = transition.terminated or transition.truncated
        self._tally.count(transition.reward, transition.terminated, ended)

    def _models_due(self, ended: bool) -> Models:
        every = self._config.publish_every
        is_due = ended or self.sequence % every == 0
        # Between episodes there is time to wait for the newest, of whichever task is next.
        told = tuple(self._trainees.values()) if ended else (self._current,)
        for trainee in told if is_due else ():
            trainee.version += 1
        # Between episodes a model is meant for now; within one, acting goes on.
        models = self._made(told, 0 if ended else every) if is_due else {}
        # One that failed is tried again before its time, but not at each step.
        if self.sequence % self._config.checkpoint_every == 0 or (is_due and self.unsaved):
            self.save()
        return models

    def models(self) -> Models:
        """Returns the model of each task, meant for now."""
        return self._made(tuple(self._trainees.values()), 0)

    def _made(self, of: Sequence[Trainee], ahead: int) -> Models:
        """Returns models meant for so many steps ahead; none of a task that has no sound one."""
        made = {
            kind: trainee.model(self.sequence, self.sequence + ahead)
            for kind, trainee in self._trainees.items()
            if trainee in of
        }
        return {kind: model for kind, model in made.items() if model}

    def metrics(self) -> dict[str, float]:
        """Returns what is plotted, by name: of the last step's task, but for what is counted."""
        last = self._current.last
        nan = math.nan
        learners = [trainee.learner for trainee in self._trainees.values()]
        return {
            'reward': self._reward,
            'constraint': self._constraint,
            'lambda': self.learner.value_of_multiplier,
            'alpha': self.learner.temperature.value,
            'box_share': self.learner.box.value,
            'in_trial': float(self.learner.incumbent.in_trial),
            'fell_back': float(self.learner.incumbent.drives),
            'rolled_back': float(sum(each.incumbent.rolled_back for each in learners)),
            'models_refused': float(sum(each.incumbent.refused for each in learners)),
            'episode_return': self._tally.last_return,
            'episode_length': self._tally.last_length,
            'falls': float(self._tally.falls),
            'critic_loss': last.reward_critic_loss if last else nan,
            'safety_critic_loss': last.safety_critic_loss if last else nan,
            'actor_loss': last.actor_loss if last else nan,
            'entropy': last.entropy if last else nan,
            'q_value': last.reward_value if last else nan,
            'safety_value': last.constraint if last else nan,
            'updates': float(self.updates),
            'replay_size': float(sum(len(learner.replay) for learner in learners)),
            'policy_version': float(self.version),
            'backlog': float(sum(learner.due_updates for learner in learners)),
        }

    def save(self) -> str:
        """Writes checkpoints and policies; returns what went wrong, empty when nothing did."""
        self.unsaved = ''
        try:
            self._write_checkpoints()
        except OSError as error:
            self.unsaved = f'the checkpoint was not written: {error}'
        return self.unsaved

    def _write_checkpoints(self) -> None:
        self._log_what_waits()
        if self.problem:
            # It would know of steps that no restart finds in the log.
            raise OSError(self.problem)
        self._log.sync()
        for trainee in self._trainees.values():
            trainee.save()

    def close(self) -> str:
        """Saves and closes the log; returns what went wrong, empty when nothing did."""
        problem = self.save()
        try:
            self._log.close()
        except OSError as error:
            return problem or str(error)
        return problem
