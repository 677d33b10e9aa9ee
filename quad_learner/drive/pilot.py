"""Sits in the policy's seat and lets the learned policies follow a command.

    REST ── something is wanted, the robot stands ──► ASK ── safety grants ──► DRIVE
      ▲                                                                         │
      └─── stood for a while, tired, a fall, a trip, an operator ◄──────────────┘

A policy that is new here is tried first: for a while it has a share of its actions. Who falls or
trips later is tried again, and who does so in its trial is given up: it drives no more.

One motion goes over into another without a jump: what the new one asks for begins at the position
asked for last, and the difference fades. The rhythm goes on, for the new policy sees its phase.
So it does for who walks on before it has come to a halt: its legs are still stepping.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from quad_learner.drive.config import DriveConfig
from quad_learner.drive.selector import Selector
from quad_learner.policy.chooser import Chooser
from quad_learner.policy.driver import GRACE_DECISIONS
from quad_learner.policy.trial import OWN_TRIPS, Trial
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import (
    NANOSECONDS,
    Estimate,
    JointCommand,
    JointTarget,
    SensorSample,
)
from quad_learner.robot.ticks import Ticks
from quad_learner.safety.modes import Authority, Mode, Reason
from quad_learner.task.commander import REST
from quad_learner.task.kinds import Kind
from quad_learner.task.walk import WalkTask

Array = NDArray[np.float64]
Vector = NDArray[np.float32]


class Phase(Enum):
    """What the pilot is doing."""

    REST = 'rest'
    ASK = 'ask'
    DRIVE = 'drive'


class Pilot:
    """Decides once a policy period."""

    def __init__(
        self,
        robot: RobotModel,
        task: WalkTask,
        choosers: Mapping[Kind, Chooser],
        selector: Selector,
        config: DriveConfig,
        stands: Callable[[SensorSample], bool],
    ) -> None:
        """Args:
        robot: the robot.
        task: what the policies observe, and what their actions mean.
        choosers: the learned policies.
        selector: says which of them follows a command.
        config: how to go over from one to another.
        stands: tells from a sample whether the robot is ready to be driven.
        """
        self._robot = robot
        self._task = task
        self._choosers = choosers
        self._selector = selector
        self._stands = stands
        self._ticks = Ticks(robot)
        self._blend_ns = max(1, round(config.blend_s * NANOSECONDS))
        self._idle_ns = round(config.idle_s * NANOSECONDS)
        tried = round(config.trial_s * robot.policy_hz), config.trial_reach
        self._trials = {kind: Trial(*tried) for kind in choosers}
        for trial in self._trials.values():
            trial.begin()
        self.given_up: dict[Kind, str] = {}
        """the policies that must not drive any more, and why"""
        self._halt_ns = task.halt_steps * NANOSECONDS // robot.policy_hz
        self.phase = Phase.REST
        self.kind: Kind | None = None
        """what is being done; None: it stands"""
        self._request = 0
        self._waited = 0
        self._since_ns = 0
        self._halts_until_ns = 0
        self._nothing = np.zeros(task.action_size)
        self._offset = np.zeros_like(robot.stance)
        self._asked = robot.stance

    @property
    def in_trial(self) -> bool:
        """What drives has only a share of its actions."""
        if self.phase is not Phase.DRIVE or self.kind is None:
            return False
        return self._trials[self.kind].left > 0

    def decide(
        self,
        sample: SensorSample,
        estimate: Estimate,
        command: JointCommand | None,
        wanted: Array,
        tired: bool = False,
    ) -> JointTarget:
        """Returns the target of this decision period.

        Args:
            sample: sensed now.
            estimate: of now.
            command: safety's command of the tick before; None before the first.
            wanted: velocity ahead, to the left [m/s], yaw rate [rad/s], (3,); zeros: stand.
            tired: battery or motors ask for a rest: halt, and give the seat back for it.
        """
        wanted = REST if tired else wanted
        if command is not None:
            self._follow(sample, command, wanted, 0 if tired else self._idle_ns)
            if self.phase is Phase.DRIVE:
                self._asked = self._drive(sample, estimate, command, wanted)
        request = 0 if self.phase is Phase.REST else self._request
        return self._target(sample.time_ns, request)

    def _target(self, time_ns: int, request: int) -> JointTarget:
        robot = self._robot
        position = self._asked if self.phase is Phase.DRIVE else robot.stance
        return JointTarget(time_ns, Authority.POLICY, request, position, robot.kp, robot.kd)

    def _follow(
        self, sample: SensorSample, command: JointCommand, wanted: Array, idle_ns: int
    ) -> None:
        """Moves on to the next phase where it is time; who stands for `idle_ns` [ns] lets go."""
        drives = command.mode is Mode.ACTIVE and command.authority is Authority.POLICY
        if self.phase is Phase.REST:
            called = self._chosen(wanted, None) is not None
            if called and command.authority is Authority.RESET and self._stands(sample):
                self.phase, self._waited = Phase.ASK, 0
                self._request = 1 + self._ticks.decision(sample.time_ns)
        elif self.phase is Phase.ASK:
            self._waited += 1
            if drives and command.request == self._request:
                self.phase, self.kind = Phase.DRIVE, None
                self._since_ns, self._asked = sample.time_ns, self._robot.stance
                self._offset, self._halts_until_ns = np.zeros_like(self._asked), 0
            elif self._waited > GRACE_DECISIONS:
                self.phase = Phase.REST
        elif not drives:
            self._judge(command)
            self.phase = Phase.REST
        elif self.kind is None and sample.time_ns - self._since_ns > max(idle_ns, self._halt_ns):
            self.phase = Phase.REST

    def _chosen(self, wanted: Array, current: Kind | None) -> Kind | None:
        """Returns the task that follows `wanted`; None: it is to stand."""
        return self._selector.choose(wanted, current, self.given_up)

    def _judge(self, command: JointCommand) -> None:
        """Tries what lost its seat by its own doing again, or gives it up in its trial."""
        reasons, kind = command.reasons & OWN_TRIPS, self.kind
        if kind is None or not reasons:
            return
        if self.in_trial:
            why = ', '.join(str(reason.name) for reason in Reason if reason & reasons)
            self.given_up[kind] = f'{kind.name} drives no more: it was stopped in its trial, {why}'
        self._trials[kind].begin()

    def _drive(
        self, sample: SensorSample, estimate: Estimate, command: JointCommand, wanted: Array
    ) -> Array:
        """Returns the joint positions [rad] to ask for, (joints,)."""
        kind = self._chosen(wanted, self.kind)
        changed, before = kind is not self.kind, self.kind
        self.kind = kind
        steps = before is not None or sample.time_ns < self._halts_until_ns
        if kind is None:
            if changed:
                self._halts_until_ns = sample.time_ns + self._halt_ns
            position = self._halt(sample, estimate, command)
        else:
            if not steps:
                observation = self._task.begin(sample, estimate, command, kind, wanted)
            else:
                if changed:
                    self._task.go_over(estimate, kind)
                observation = self._task.step(sample, estimate, command, wanted).observation
            action = self._choosers[kind].choose(observation, changed).action
            share = self._trials[kind].share
            self._trials[kind].step()
            position = self._task.target(share * action.astype(np.float64), sample.time_ns)
        if changed:
            self._since_ns, self._offset = sample.time_ns, self._asked - position
        left = 1.0 - (sample.time_ns - self._since_ns) / self._blend_ns
        return position + max(left, 0.0) * self._offset

    def _halt(self, sample: SensorSample, estimate: Estimate, command: JointCommand) -> Array:
        """Returns the joint positions [rad], (joints,), of who steps on the spot, then stands."""
        if sample.time_ns >= self._halts_until_ns:
            return self._robot.stance
        # Who walks on sees what it really did meanwhile.
        self._task.step(sample, estimate, command)
        return self._task.target(self._nothing, sample.time_ns)
