"""What the safety step is given and what it remembers: plain values, so that runs replay.

All `…_received_ns` and the step's `now_ns` are on one clock: steady in real time, the stamp of the
newest sensor sample in lockstep.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quad_learner.robot.signals import (
    Estimate,
    Health,
    JointCommand,
    JointTarget,
    SensorSample,
)
from quad_learner.safety.modes import Authority, Mode, Reason

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SafetyInputs:
    """The newest of everything at one step. None: never received."""

    sample: SensorSample | None = None
    sample_received_ns: int = 0
    estimate: Estimate | None = None
    estimate_received_ns: int = 0
    policy: JointTarget | None = None
    policy_received_ns: int = 0
    reset: JointTarget | None = None
    reset_received_ns: int = 0
    health: Health | None = None
    battery_received_ns: int = 0
    warmth_received_ns: int = 0
    let_go: bool = False
    """the robot says that it follows no command: what it was told last came too late, or twice"""
    operator_stop: bool = False
    """stops in every step in which it is set, in any mode"""
    operator_resume: bool = False
    """acts when it turns from False to True"""

    def target_of(self, source: Authority) -> tuple[JointTarget | None, int]:
        """Returns the newest target of `source`, None where there is none, and its receipt."""
        if source is Authority.NOBODY:
            return None, 0
        if source is Authority.POLICY:
            return self.policy, self.policy_received_ns
        return self.reset, self.reset_received_ns


class Watch(NamedTuple):
    """What the monitors remember of the robot."""

    sample: SensorSample | None = None
    """newest sample that could be believed"""
    received_ns: int = 0
    """when it came [ns]"""
    luck_ns: int = 0
    """from a sample's stamp to its receipt at best, whatever the two clocks count from [ns]"""
    judged_ns: int | None = None
    """stamp of the newest sample looked at, believed or not [ns]"""
    bad: int = 0
    """one bit a sample, the newest lowest: 1 where it could not be believed"""
    tilted: int = 0
    """believed samples in a row beyond the fall angles"""
    borne_ns: int = 0
    """stamp of the newest with a foot on the ground, where feet feel that [ns]"""
    fast: int = 0
    """believed samples in a row with a joint over its top speed"""
    slack: Array | None = None
    """for how long each motor has left its load, and has pushed in vain [s], (2, joints); None:
    none has"""
    alive_ns: int = 0
    """when joints and inertial unit last changed [ns]"""
    alive_sent: Array | None = None
    """position that was being sent then [rad], (joints,)"""
    estimate: Estimate | None = None
    """of the last step"""
    hot: bool = False
    empty: bool = False
    strength: Array | None = None
    """share of each motor's torque that its heat leaves, (joints,); None: all of it"""
    body_bad_ns: int | None = None
    """when the robot itself last gave cause to stop, whoever drives [ns]"""
    drive_bad_ns: int | None = None
    """when tilt or estimate last spoke against policy [ns]"""
    odd_since_ns: int | None = None
    """since when an unexplained cause has lasted without a break [ns]"""


class Sight(NamedTuple):
    """What the monitors found on this step."""

    body: Reason
    """causes to stop whoever drives"""
    drive: Reason
    """further causes to stop policy: tilt, estimate"""
    upright: bool
    """within the fall angles, by the newest believed sample"""


class View(NamedTuple):
    """What one step has to go by."""

    inputs: SafetyInputs
    watch: Watch
    sight: Sight
    now_ns: int


class Course(NamedTuple):
    """The mode, who drives, and what a later grant depends on."""

    mode: Mode = Mode.INIT
    authority: Authority = Authority.NOBODY
    request: int = 0
    cause: Reason = Reason.NOT_ARMED
    """why nobody drives; NONE while somebody does"""
    since_ns: int = 0
    """when the mode was entered [ns]"""
    refused: Reason = Reason.NONE
    """what a driver's fresh request, or the operator's resume, waits for on this step"""
    holding: bool = False
    """nobody drives, but the last pose is held"""
    spent: tuple[int | None, ...] = (None,) * len(Authority)
    """highest request of each driver granted or void; None: it has never been heard"""
    lower_ns: tuple[int | None, ...] = (None,) * len(Authority)
    """since when each driver asks with numbers below that [ns]; None: it does not"""
    rearmed_ns: int | None = None
    """when a stop last ended [ns]"""
    odd_trips: tuple[int, ...] = ()
    """times of the latest unexplained trips [ns]"""
    resume_held: bool = False
    """operator_resume was set on the last step"""

    def ended(self, mode: Mode, cause: Reason, since_ns: int, holding: bool = False) -> Course:
        """Returns the course on which nobody drives any more."""
        free = self._replace(authority=Authority.NOBODY, request=0, holding=holding)
        return free._replace(mode=mode, cause=cause, since_ns=since_ns)


class SafetyState(NamedTuple):
    """Everything that one step hands to the next."""

    epoch: int
    command: JointCommand
    """the last one sent; before the first, one that rests"""
    moved: Array
    """by how far it moved the target of each joint that it holds [rad], (joints,)"""
    shaken: Array
    """share of the widest swing at each decision that each joint was asked for, in the mean of a
    second, (joints,)"""
    target: JointTarget | None = None
    """what the driver asked for last; None: nobody drove"""
    power_mean: float = 0.0
    """of all motors together, as predicted [W]"""
    boxed_s: float = 0.0
    """for how long the driver asked for what is outside the box, less the time since it did [s]"""
    now_ns: int | None = None
    """of the last step [ns]; None before the first"""
    watch: Watch = Watch()
    course: Course = Course()
