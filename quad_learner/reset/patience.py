"""How often, how long and how hard the get-up tries, and what must happen before it tries again.

A round is as many attempts as fit into `round_time` and `round_work`: one that fails at once costs
little, and may well work the next time. After a round that failed it rests for `cool_down` and
begins another, until `rounds` have failed: then only a person helps. Somebody who sets the robot
upright lets it begin at once. One that gave up upright (its feet were caught) must have been
tipped first, or be put into its stance, which limp legs do not come to by themselves: else nobody
could tell that anybody came.
"""

from __future__ import annotations

import numpy as np

from quad_learner.reset.config import ResetConfig
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import SensorSample


class Patience:
    """What is left of it."""

    def __init__(self, robot: RobotModel, config: ResetConfig) -> None:
        """Stores; nothing has been tried.

        Args:
            robot: whose motors work.
            config: times, work and rounds.
        """
        self._config = config
        self._torque_sum = float(robot.torque_max.sum())
        self.attempt = 1
        """of this round, from 1"""
        self.rounds = 0
        """that failed since it last stood, or was helped"""
        self._spent = self._spent_before = self._worked = 0.0
        self._rested = self._upright_for = 0.0
        self._has_lain = self._has_sunk = False

    @property
    def waits_for_a_person(self) -> bool:
        """Whether no rest will make it try again."""
        return self.rounds >= self._config.rounds

    def begin_round(self) -> None:
        """Has all its time and work before it again."""
        self.attempt = 1
        self._spent = self._spent_before = self._worked = 0.0

    def stood(self) -> None:
        """It got up: whatever failed before is forgotten."""
        self.begin_round()
        self.rounds = 0

    def spend(self, sample: SensorSample, dt: float) -> str:
        """Counts a part of an attempt; returns what it has had too much of, or nothing.

        Args:
            sample: what joints do now; an effort that is not a number is unknown, and not counted.
            dt: time since the last call [s].
        """
        power = np.abs(sample.joint_effort * sample.joint_velocity).sum() / self._torque_sum
        self._spent += dt
        self._worked += max(0.0, float(power) * dt)
        if self._spent > self._config.attempt_time:
            return f'took longer than {self._config.attempt_time} s'
        return self._used_up()

    def _used_up(self) -> str:
        if self._spent_before + self._spent > self._config.round_time:
            return f'{self._config.round_time} s have been spent'
        if self._worked > self._config.round_work:
            return f'work of {self._config.round_work} rad at full torque has been spent'
        return ''

    def fail(self) -> bool:
        """Ends an attempt; tells whether there is another one in this round."""
        if self._used_up():
            return False
        self._spent_before += self._spent
        self._spent = 0.0
        self.attempt += 1
        return True

    def give_up(self, upright: bool) -> str:
        """A round has failed, with the body upright or not; returns what comes now, for people."""
        self.rounds += 1
        self._rested = self._upright_for = 0.0
        self._has_lain = not upright
        self._has_sunk = False
        then = f'tries again in {self._config.cool_down} s'
        if self.waits_for_a_person:
            how = 'tip it on a side first, then set' if upright else 'set'
            then = f'waits for a person: {how} it on its feet'
        return f'gave up {self.rounds} of {self._config.rounds} times: {then}'

    def rest(self, upright: bool, stands: bool, dt: float) -> str:
        """Returns why it may try again, or nothing.

        Args:
            upright: the body is.
            stands: it does, in its stance and on its feet.
            dt: time since the last call [s].
        """
        self._rested += dt
        self._has_lain = self._has_lain or not upright
        self._has_sunk = self._has_sunk or not stands
        helped = upright if self._has_lain else stands and self._has_sunk
        self._upright_for = self._upright_for + dt if helped else 0.0
        if self._upright_for >= self._config.upright_rest:
            self.stood()
            return 'was set upright'
        if self._rested >= self._config.cool_down and not self.waits_for_a_person:
            self.begin_round()
            return f'has rested for {self._config.cool_down} s'
        return ''
