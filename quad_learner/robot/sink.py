"""The robot's own watchdog: decides whether a joint command may still be trusted.

It stands in the robot node, behind everything else, and shares no code with the safety layer, so
that it holds with the safety process dead, frozen, doubled or wrong. Its limits are constants: no
parameter can widen them. Where it cannot trust, the answer is None: joint damping.

    knows no writer ──a command not ACTIVE──► trusts ──expired, wrong, two writers, dead──► damps
                                                ▲                                           │
                                                └────────a newer command not ACTIVE─────────┘

It is bound to one writer for as long as that one speaks: while its newest command has not expired,
followed or not, whoever else speaks is a second writer, and damping for CONFLICT_NS is all that
this does. When it is silent or known to be dead, another begins. A writer that was replaced is
heard again when the other is silent, with commands newer than all it said before: a stray command
that came while safety was held up does not shut safety out.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import JointCommand, SensorSample
from quad_learner.safety.modes import Mode

Array = NDArray[np.float64]

LIFETIME_MAX_NS = 200_000_000
"""[ns] no command may ask to be trusted for longer: a standing robot takes about 0.3 s to fall."""
CONFLICT_NS = 1_000_000_000
"""[ns] damping after a second writer was heard: far above the period of any writer."""
POSITION_TOLERANCE = 1e-6
"""[rad] above rounding, below what matters."""
KP_SCALE_MAX = 3.0
"""of the robot's kp; stiffer joints are unstable at the rate of the motor loop."""
KD_SCALE_MAX = 5.0
"""of the robot's kd or damping gain, whichever is larger; the same reason."""
TORQUE_SCALE_MAX = 2.0
"""of the motor's limit: predicted from an older sample, an impact puts torque off by as much."""
REPLACED_EPOCHS = 1024
"""so many replaced epochs are remembered: far more restarts than a robot sees in a day."""
SILENT_NS = -1
"""[ns] lifetime of what a writer said that was never heard, or has died"""


class Verdict(Enum):
    """What became of a command."""

    ACCEPTED = 'accepted'
    NOT_NEWER = 'a sequence number not above the last: ignored'
    EXPIRED = 'older than its lifetime, and nothing newer came'
    MALFORMED = 'not a command of this many joints'
    NOT_FINITE = 'a number that is not finite'
    WRONG_JOINTS = 'meant for other joints or another order'
    LIFETIME = 'a lifetime of nothing, or above the most that is allowed'
    OUTSIDE_BOX = 'a position beyond the limits of a joint'
    GAIN = 'a gain below nothing, without damping, or above the most that is allowed'
    EFFORT = 'a feed-forward torque beyond the motor'
    TORQUE = 'a torque above the most that is allowed, where the joints are now: damped meanwhile'
    ACTIVE_FIRST = (
        'to move right after an interruption: a command that is not ACTIVE must be first'
    )
    TWO_WRITERS = 'a second writer'
    WRITER_DIED = 'left behind by a writer whose process has died: ignored'


class CommandSink:
    """Holds the newest trusted command of the one writer it is bound to."""

    def __init__(self, robot: RobotModel) -> None:
        """Stores; trusts nobody yet.

        Args:
            robot: whose joints are commanded.
        """
        self._robot = robot
        self._shape = (len(robot.joints),)
        self._hash = robot.joints_hash
        joints = len(robot.joints)
        # The bounds of position, kp, kd and effort in one row: all are judged at once.
        self._lower = np.concatenate(
            (
                robot.position_min - POSITION_TOLERANCE,
                np.zeros(joints),
                np.full(joints, np.nextafter(0.0, 1.0)),
                -robot.torque_max,
            )
        )
        self._upper = np.concatenate(
            (
                robot.position_max + POSITION_TOLERANCE,
                robot.kp * KP_SCALE_MAX,
                np.maximum(robot.kd, robot.kd_damping) * KD_SCALE_MAX,
                robot.torque_max,
            )
        )
        self._throwing = robot.torque_max * TORQUE_SCALE_MAX
        self._epoch: int | None = None
        self._replaced: dict[int, float] = {}
        """last sequence number of each writer that another took the place of"""
        self._abandoned: int | None = None
        self._sequence = 0
        self._command: JointCommand | None = None
        self._received_ns = 0
        self._lifetime_ns = SILENT_NS
        """of the newest command of the writer, received at `_received_ns`, followed or not"""
        self._conflict_until_ns: int | None = None
        self.refusals: Counter[str] = Counter()
        """how often each verdict but ACCEPTED was given, by its name"""

    def accept(
        self, command: JointCommand, now_ns: int, measured: SensorSample | None = None
    ) -> Verdict:
        """Takes a command in, or refuses it and, unless it is merely old, damps. Never raises.

        After a refusal only a command that is not ACTIVE is trusted again, but for TORQUE.

        Args:
            command: as it came.
            now_ns: time of receipt [ns]: steady, or simulated in lockstep; the clock of `current`.
            measured: where the joints are, to predict the torque from; None: not predicted.
        """
        self.current(now_ns)
        # Whatever cannot be judged is refused: nothing that arrives may stop the robot node.
        try:
            verdict = self._judge(command, now_ns, measured)
        except Exception:
            verdict = Verdict.MALFORMED
        if verdict is Verdict.ACCEPTED:
            self._take(command, now_ns)
            return verdict
        self.refusals[verdict.name] += 1
        if verdict is Verdict.TORQUE:
            # The joints were thrown about, the writer did nothing wrong: the next may be right.
            self._take(self._limp(command), now_ns)
        elif verdict not in (Verdict.NOT_NEWER, Verdict.WRITER_DIED):
            self._command = None
        if verdict is Verdict.TWO_WRITERS:
            self._conflict_until_ns = now_ns + CONFLICT_NS
        if verdict is Verdict.ACTIVE_FIRST and command.epoch == self._epoch:
            self._note(command, now_ns)
        return verdict

    def malformed(self) -> None:
        """Damps: bytes came that are no command. A command that is not ACTIVE is trusted again."""
        self._command = None
        self.refusals[Verdict.MALFORMED.name] += 1

    def current(self, now_ns: int) -> JointCommand | None:
        """Returns the command to follow now; None: damp the joints.

        Args:
            now_ns: now [ns], on the clock of `accept`.
        """
        if self._command is None or self._in_conflict(now_ns):
            return None
        if not self._is_heard(now_ns):
            self._command = None
            self.refusals[Verdict.EXPIRED.name] += 1
        return self._command

    def count_writers(self, count: int, now_ns: int) -> None:
        """Damps when more than one publisher of commands is known to the middleware.

        Args:
            count: of publishers.
            now_ns: now [ns], on the clock of `accept`.
        """
        if count > 1:
            self.refusals[Verdict.TWO_WRITERS.name] += 1
            self._command = None
            self._conflict_until_ns = now_ns + CONFLICT_NS

    def abandon(self) -> None:
        """Damps at once: the process of the writer is known to have died.

        What it left on its way is ignored; a new writer begins with a command that is not ACTIVE.
        """
        self._abandoned = self._epoch
        self._command = None
        self._lifetime_ns = SILENT_NS
        self.refusals[Verdict.WRITER_DIED.name] += 1

    def _in_conflict(self, now_ns: int) -> bool:
        until_ns = self._conflict_until_ns
        return until_ns is not None and until_ns - CONFLICT_NS <= now_ns < until_ns

    def _is_heard(self, now_ns: int) -> bool:
        """Tells whether the writer still speaks: its newest command has not expired."""
        return 0 <= now_ns - self._received_ns <= self._lifetime_ns

    def _note(self, command: JointCommand, now_ns: int) -> None:
        self._sequence = command.sequence
        self._received_ns = now_ns
        self._lifetime_ns = command.lifetime_ns

    def _take(self, command: JointCommand, now_ns: int) -> None:
        if self._epoch is not None and self._epoch != command.epoch:
            self._replace(self._epoch, command.epoch)
        self._epoch = command.epoch
        self._command = command
        self._note(command, now_ns)

    def _replace(self, old: int, new: int) -> None:
        self._replaced.pop(new, None)
        if len(self._replaced) >= REPLACED_EPOCHS:
            del self._replaced[next(iter(self._replaced))]
        # The dead do not speak again, whatever they left on its way.
        self._replaced[old] = math.inf if old == self._abandoned else self._sequence

    def _judge(self, command: JointCommand, now_ns: int, measured: SensorSample | None) -> Verdict:
        fault = self._content(command)
        if fault is not None:
            return fault
        if command.epoch == self._abandoned:
            return Verdict.WRITER_DIED
        if command.epoch != self._epoch:
            if self._is_heard(now_ns):
                return Verdict.TWO_WRITERS
            said = self._replaced.get(command.epoch, -math.inf)
        else:
            said = self._sequence
        if command.sequence <= said:
            return Verdict.NOT_NEWER
        trusted = command.epoch == self._epoch and self.current(now_ns) is not None
        if command.mode is Mode.ACTIVE and not trusted:
            return Verdict.ACTIVE_FIRST
        throws = measured is not None and self._throws(command, measured)
        return Verdict.TORQUE if throws else Verdict.ACCEPTED

    def _content(self, command: JointCommand) -> Verdict | None:
        """Returns what is wrong with the numbers themselves."""
        if command.joints_hash != self._hash:
            return Verdict.WRONG_JOINTS
        arrays = (command.position, command.kp, command.kd, command.effort)
        if any(values.shape != self._shape for values in arrays) or not isinstance(
            command.mode, Mode
        ):
            return Verdict.MALFORMED
        numbers = np.concatenate(arrays)
        # NaN is on neither side of any bound, and so within none.
        within = (self._lower <= numbers) & (numbers <= self._upper)
        wrong = np.count_nonzero(within) < within.size
        if wrong and not np.isfinite(numbers).all():
            return Verdict.NOT_FINITE
        if not 0 < command.lifetime_ns <= LIFETIME_MAX_NS:
            return Verdict.LIFETIME
        return self._beyond(within) if wrong else None

    def _beyond(self, within: NDArray[np.bool_]) -> Verdict:
        """Returns what to call numbers that are not all `within` their bounds."""
        position, kp, kd, _ = (bool(part.all()) for part in within.reshape(4, -1))
        if not position:
            return Verdict.OUTSIDE_BOX
        return Verdict.EFFORT if kp and kd else Verdict.GAIN

    def _throws(self, command: JointCommand, measured: SensorSample) -> bool:
        """Returns whether a stiff joint would get far more torque than its motor has."""
        spring = command.kp * (command.position - measured.joint_position)
        torque = spring - command.kd * measured.joint_velocity + command.effort
        within = np.abs(torque) <= self._throwing
        return bool(np.count_nonzero((command.kp > 0.0) & ~within))

    def _limp(self, command: JointCommand) -> JointCommand:
        nothing = np.zeros(self._shape)
        return replace(command, kp=nothing, kd=self._robot.kd_damping, effort=nothing)
