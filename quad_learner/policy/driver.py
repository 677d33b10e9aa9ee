"""Who sits in the driver's seat: sessions, episodes, and the experience that comes of them.

One object for the graph's policy node and for the same graph in one process. Each decision period
it is given what is sensed, estimated and was last commanded; it answers with a joint target (with
request 0 when it does not want to drive) and, while an episode runs, the transition just finished.

    REST ── robot stands under the reset controller ──► ASK ── safety grants ──► EPISODE
      ▲                                                                             │
      ├──────────── episode over: fall, trip, operator ◄────────────────────────────┤
      └── has halted ◄── HALT ◄── episode over: time, bounds, end of the run ◄──────┘

A robot that is let go at full speed may pitch over its stiff legs. So an episode that merely ends
is followed by a halt: the robot goes on stepping, on the spot, until it has come to rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from quad_learner.experience.transition import Transition
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import Estimate, JointCommand, JointTarget, SensorSample
from quad_learner.robot.ticks import Ticks
from quad_learner.safety.modes import Authority, Mode, Reason
from quad_learner.task.course import Course
from quad_learner.task.walk import Outcome, WalkTask

Vector = NDArray[np.float32]

HALT_ABOVE_M_S = 0.3
"""A slower robot needs no halt: legs that hold their pose stop it where it is."""
TIRED_EPISODES = 4
"""A tired robot outside its workspace turns and walks, and each once more, before it rests."""
GRACE_DECISIONS = 8
"""Decisions to wait for a request to be granted before asking anew: 0.2 s at 40 Hz."""


class Phase(Enum):
    """What the driver is doing."""

    REST = 'rest'
    ASK = 'ask'
    EPISODE = 'episode'
    HALT = 'halt'
    FINISHED = 'finished'


@dataclass(frozen=True)
class Choice:
    """An action and the version of the model that chose it."""

    action: Vector
    version: int


@dataclass(frozen=True)
class Counters:
    """Where the numbering goes on: a restarted process must not begin at one again."""

    sequence: int = 0
    episode: int = 0


@dataclass(frozen=True)
class EpisodeEnd:
    """How an episode ended."""

    episode: int
    task: int
    """its number"""
    start_ns: int
    end_ns: int
    steps: int
    total_reward: float
    fell: bool
    complete: bool
    """it ran its full length"""
    left: bool
    """it ended where the workspace does, or facing its centre again"""
    reasons: Reason


@dataclass(frozen=True)
class Look:
    """What a decision period found: what the last step came to, whether an action is wanted."""

    transition: Transition | None = None
    end: EpisodeEnd | None = None
    wants_action: bool = False
    begins: bool = False
    """the action wanted is the first of an episode"""


class Driver:
    """Runs episodes one after the other for as long as the robot's time lasts.

    Each decision period: `look`, then `answer` with the action, if one is wanted.
    """

    def __init__(
        self,
        robot: RobotModel,
        task: WalkTask,
        course: Course,
        stands: Callable[[SensorSample], bool],
        counters: Counters,
    ) -> None:
        """Args:
        robot: the robot.
        task: what an episode is.
        course: which task comes next, and how far it may go.
        stands: tells from a sample whether the robot is ready for an episode.
        counters: where sequence and episode numbers go on.
        """
        self._robot = robot
        self._task = task
        self._course = course
        self.kind = course.kinds[0]
        """the task of this episode, or of the one asked for"""
        self._stands = stands
        self._ticks = Ticks(robot)
        self.counters = counters
        self.phase = Phase.REST
        self.tumbles = 0
        """falls after an episode that had not ended in one: while it halted, stood or rested"""
        self._may_tumble = False
        self.observation: Vector = np.zeros(task.observation_size, np.float32)
        """the newest of the episode, (observations,)"""
        # The number of the decision that asks: rising, also across a restart of the process.
        self._request = 0
        self._waited = 0
        self._choice = Choice(np.zeros(task.action_size, np.float32), 0)
        self._choice_ns = 0
        self._start_ns = 0
        self._steps = 0
        self._total = 0.0
        self._halting = 0
        self._after_halt = Phase.REST
        self._tired_episodes = 0

    def go_on(self) -> None:
        """Takes the end of the run back: there is to be another episode."""
        self._after_halt = Phase.REST
        if self.phase is Phase.FINISHED:
            self.phase = Phase.REST

    def halt_steps(self, estimate: Estimate) -> int:
        """Returns for how many periods it would halt, were the episode over now; 0 without one."""
        walks = float(np.hypot(*estimate.velocity_body[:2])) > HALT_ABOVE_M_S
        return self._task.halt_steps if walks and self.phase is Phase.EPISODE else 0

    def look(
        self,
        sample: SensorSample,
        estimate: Estimate,
        command: JointCommand | None,
        finish: bool,
        tired: bool = False,
    ) -> Look:
        """Returns what the last step came to, and moves on to the next phase where it is time.

        Args:
            sample: sensed now.
            estimate: of now.
            command: safety's command of the tick before; None before the first.
            finish: the run's time is over: end the episode, do not begin another.
            tired: battery or motors ask for a rest: begin no episode that does not lead home.
        """
        self._course.see(estimate)
        if not tired:
            self._tired_episodes = 0
        if command is None:
            return Look()
        if self.phase is Phase.EPISODE:
            return self._judge(sample, estimate, command, finish)
        self._watch(sample)
        if self.phase is Phase.HALT:
            self._halt(command, finish)
        elif finish:
            self.phase = Phase.FINISHED
        elif self.phase is Phase.ASK:
            return self._wait_for_grant(sample, estimate, command)
        elif self.phase is Phase.REST and self._may_ask(sample, command, tired):
            self.phase = Phase.ASK
            self.kind = self._course.next()
            self._waited = 0
            self._request = 1 + self._ticks.decision(sample.time_ns)
        return Look()

    def answer(self, sample: SensorSample, choice: Choice | None) -> JointTarget:
        """Returns the target of this decision period.

        Args:
            sample: that `look` was given.
            choice: the action, where `look` wanted one.
        """
        robot = self._robot
        position, request = robot.stance, 0
        if self.phase is Phase.ASK:
            request = self._request
        elif self.phase is Phase.EPISODE and choice is not None:
            self._choice, self._choice_ns = choice, sample.time_ns
            position = self._task.target(choice.action.astype(np.float64), sample.time_ns)
            request = self._request
        elif self.phase is Phase.HALT:
            position, request = self._task.on_the_spot(sample.time_ns), self._request
        return JointTarget(sample.time_ns, Authority.POLICY, request, position, robot.kp, robot.kd)

    def _watch(self, sample: SensorSample) -> None:
        if self._may_tumble and self._task.is_down(sample):
            self.tumbles += 1
            self._may_tumble = False

    def _may_ask(self, sample: SensorSample, command: JointCommand, tired: bool) -> bool:
        rests = tired and (self._course.is_home or self._tired_episodes >= TIRED_EPISODES)
        stays = rests or self._course.strayed_m > 0.0
        return command.authority is Authority.RESET and self._stands(sample) and not stays

    def _wait_for_grant(
        self, sample: SensorSample, estimate: Estimate, command: JointCommand
    ) -> Look:
        if self._drives(command):
            self.phase = Phase.EPISODE
            self._count(episode=self.counters.episode + 1)
            self._tired_episodes += 1
            self._start_ns, self._steps, self._total = sample.time_ns, 0, 0.0
            self._course.begin()
            wanted = self._course.wanted()
            self.observation = self._task.begin(sample, estimate, command, self.kind, wanted)
            return Look(wants_action=True, begins=True)
        self._waited += 1
        if self._waited > GRACE_DECISIONS:
            self.phase = Phase.REST
        return Look()

    def _drives(self, command: JointCommand) -> bool:
        return (
            command.mode is Mode.ACTIVE
            and command.authority is Authority.POLICY
            and command.request == self._request
        )

    def _halt(self, command: JointCommand, finish: bool) -> None:
        self._halting -= 1
        if finish:
            self.phase = Phase.FINISHED
        elif self._halting <= 0 or not self._drives(command):
            self.phase = self._after_halt

    def _judge(
        self, sample: SensorSample, estimate: Estimate, command: JointCommand, finish: bool
    ) -> Look:
        left = self._course.is_over()
        outcome = self._task.step(sample, estimate, command, self._course.wanted(), left)
        self._count(sequence=self.counters.sequence + 1)
        over = outcome.terminated or outcome.truncated or finish
        transition = self._transition(outcome, over)
        self._steps += 1
        self._total += outcome.reward
        self.observation = outcome.observation
        if not over:
            return Look(transition, wants_action=True)
        self._may_tumble = not outcome.terminated
        self._after_halt = Phase.FINISHED if finish else Phase.REST
        self._halting = self.halt_steps(estimate) if self._drives(command) else 0
        self.phase = Phase.HALT if self._halting else self._after_halt
        return Look(transition, self._end(outcome, left, sample.time_ns))

    def _transition(self, outcome: Outcome, over: bool) -> Transition:
        return Transition(
            sequence=self.counters.sequence,
            episode=self.counters.episode,
            task=self.kind.number,
            step=self._steps,
            time_ns=self._choice_ns,
            policy_version=self._choice.version,
            observation=self.observation,
            asked=self._choice.action,
            action=outcome.action,
            reward=outcome.reward,
            constraint=outcome.constraint,
            next_observation=outcome.observation,
            terminated=outcome.terminated,
            truncated=over and not outcome.terminated,
            reasons=outcome.reasons,
        )

    def _end(self, outcome: Outcome, left: bool, end_ns: int) -> EpisodeEnd:
        return EpisodeEnd(
            episode=self.counters.episode,
            task=self.kind.number,
            start_ns=self._start_ns,
            end_ns=end_ns,
            steps=self._steps,
            total_reward=self._total,
            fell=outcome.terminated,
            complete=self._task.complete,
            left=left and outcome.truncated,
            reasons=outcome.reasons,
        )

    def _count(self, **changed: int) -> None:
        self.counters = replace(self.counters, **changed)
