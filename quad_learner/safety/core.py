"""The safety step: from what is sensed, estimated and wanted to the one command that is sent.

Pure: no clock, no randomness, no input or output, no memory but the state handed in and out. The
same inputs give the same command to the bit. It never raises: whatever cannot be evaluated becomes
a latched stop.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import NANOSECONDS, JointCommand, JointTarget
from quad_learner.safety.arbiter import Arbiter
from quad_learner.safety.config import SafetyConfig, check_box
from quad_learner.safety.limits import MEAN_S, Allowed, Limits
from quad_learner.safety.modes import Authority, Mode, Reason
from quad_learner.safety.monitors import Monitors, nanoseconds
from quad_learner.safety.state import Course, SafetyInputs, SafetyState, View

Array = NDArray[np.float64]

BOXED = Reason.CLIPPED_POSITION
"""What is counted against a driver: it asked for what lies outside the joint limits."""
DT_CAP_PERIODS = 2
"""A late step moves the target no further than this many command periods would."""


class SafetyCore:
    """The safety layer of one robot. Holds limits, no memory: `step` is a pure function."""

    def __init__(self, robot: RobotModel, config: SafetyConfig) -> None:
        """Stores robot and parameters.

        Args:
            robot: whose joints are guarded.
            config: what is tolerated.

        Raises:
            ConfigurationError: the margin leaves a joint no room to stand in.
        """
        check_box(robot, config)
        policy = Limits(
            robot, config, config.policy_target_speed_rad_s, config.policy_torque_share
        )
        reset = Limits(robot, config, config.reset_target_speed_rad_s, config.reset_torque_share)
        self._robot = robot
        self._limits = {Authority.POLICY: policy, Authority.RESET: reset, Authority.NOBODY: policy}
        self._idle = reset
        self._monitors = Monitors(robot, config)
        self._arbiter = Arbiter(config, self._monitors)
        self._nothing, rest = np.zeros(len(robot.joints)), policy.boxed(robot.stance)
        self._limp = Allowed(rest, self._nothing, reset.kd_damping, Reason.NONE)
        self._hash = robot.joints_hash
        self._config = config
        self._swing = 2.0 * robot.action_box * robot.policy_hz
        self._dt_cap = DT_CAP_PERIODS / robot.command_hz

    def initial(self, epoch: int) -> SafetyState:
        """Returns the state before the first step.

        Args:
            epoch: drawn anew each time the process starts, so that a robot can tell.
        """
        still = (self._nothing, self._nothing)
        return SafetyState(epoch, self._command(epoch, 0, Course(), 0, self._limp), *still)

    def step(
        self, state: SafetyState, inputs: SafetyInputs, now_ns: int
    ) -> tuple[JointCommand, SafetyState]:
        """Returns the command to send now, and the state for the next step. Never raises.

        Args:
            state: of the last step, or `initial`.
            inputs: the newest of everything.
            now_ns: now [ns], on the clock of the receipt times.

        Source: docs/safety.md, I1 to I18.
        """
        # The one place that catches everything: what cannot be evaluated must not move the robot.
        # Overflow needs no warning, for what overflows is found not to be finite.
        try:
            with np.errstate(all='ignore'):
                return self._step(state, inputs, now_ns)
        except Exception:
            return self._failed(state, inputs, now_ns)

    def _step(
        self, state: SafetyState, inputs: SafetyInputs, now_ns: int
    ) -> tuple[JointCommand, SafetyState]:
        last = state.command
        course = state.course
        if state.now_ns is not None and now_ns < state.now_ns:
            course = course._replace(since_ns=now_ns, rearmed_ns=now_ns, odd_trips=())
        watch, sight = self._monitors.look(state, inputs, now_ns)
        view = View(inputs, watch, sight, now_ns)
        course = self._arbiter.next(course, view, stiff=bool(last.kp.any()))
        elapsed_ns = 0 if state.now_ns is None else now_ns - state.now_ns
        dt = min(max(elapsed_ns / NANOSECONDS, 0.0), self._dt_cap)
        start = last.position
        if watch.sample is not None:  # a limp joint has moved since it was sent
            start = np.where(last.kp > 0.0, start, self._idle.boxed(watch.sample.joint_position))
        allowed = self._allowed(state, course, view, start, dt)
        mean = state.power_mean
        if watch.sample is not None:
            limits = self._limits[course.authority]
            allowed, mean = limits.within_power(allowed, watch.sample, mean, dt)
        stamp_ns = 0 if inputs.sample is None else inputs.sample.time_ns
        command = self._command(state.epoch, last.sequence + 1, course, stamp_ns, allowed)
        pushes = allowed.reasons & BOXED and allowed.kp.any()
        boxed_s = max(state.boxed_s + (dt if pushes else -dt), 0.0)
        target, _ = inputs.target_of(course.authority)
        rest = (self._shaken(state, target, dt), target, mean, boxed_s, now_ns, watch, course)
        return command, SafetyState(state.epoch, command, command.position - start, *rest)

    def _shaken(self, state: SafetyState, target: JointTarget | None, dt: float) -> Array:
        """Returns how much of its widest swing each joint is asked for at a decision, (joints,).

        In the mean of a second, an exponential one; no decision counts for more than one swing.
        """
        shaken = state.shaken * (1.0 - dt / MEAN_S)
        if target is None or state.target is None:
            return shaken
        swings = np.abs(target.position - state.target.position) / self._swing
        return shaken + np.minimum(swings, 1.0 / self._robot.policy_hz)

    def _allowed(
        self, state: SafetyState, course: Course, view: View, start: Array, dt: float
    ) -> Allowed:
        """Returns what the joints are told under `course`, each by itself."""
        sample, strength = view.watch.sample, view.watch.strength
        limits = self._limits[course.authority]
        if sample is None:
            return self._limp
        target, _ = view.inputs.target_of(course.authority)
        if target is None and not course.holding:
            kd = self._idle.damping(sample, strength)
            position = limits.boxed(sample.joint_position)
            return Allowed(position, self._nothing, kd, Reason.NONE)
        if target is not None:
            wanted = (target.position, target.kp, target.kd)
        else:
            wanted = (start, self._robot.kp * self._grip(course, view.now_ns), self._robot.kd)
        moved = np.where(state.command.kp > 0.0, state.moved, 0.0)
        return limits.allow(wanted, sample, (start, moved), dt, strength)

    def _grip(self, course: Course, now_ns: int) -> float:
        """Returns the share of stiffness that holds a pose: fades away in a stop."""
        if course.mode is Mode.STANDBY:
            return 1.0
        return 1.0 - (now_ns - course.since_ns) / nanoseconds(self._config.hold_time_s)

    def _command(
        self, epoch: int, sequence: int, course: Course, stamp_ns: int, allowed: Allowed
    ) -> JointCommand:
        return JointCommand(
            time_ns=stamp_ns,
            epoch=epoch,
            sequence=sequence,
            lifetime_ns=nanoseconds(self._config.command_lifetime_s),
            joints_hash=self._hash,
            mode=course.mode,
            authority=course.authority,
            request=course.request,
            reasons=course.cause | course.refused | allowed.reasons,
            position=allowed.position,
            kp=allowed.kp,
            kd=allowed.kd,
            effort=self._nothing,
        )

    def _failed(
        self, state: SafetyState, inputs: SafetyInputs, now_ns: int
    ) -> tuple[JointCommand, SafetyState]:
        """Returns damping and a latched stop, made of constants and of what was last sent."""
        last = state.command
        course = state.course._replace(refused=Reason.NONE)
        cause = course.cause | Reason.INTERNAL
        course = course.ended(Mode.LATCHED_STOP, cause, course.since_ns)
        limp = self._limp._replace(position=last.position)
        # In lockstep the world waits for a command that bears its stamp: give it even now.
        stamp = getattr(getattr(inputs, 'sample', None), 'time_ns', 0)
        stamp_ns = stamp if isinstance(stamp, int) else 0
        command = self._command(state.epoch, last.sequence + 1, course, stamp_ns, limp)
        return command, state._replace(now_ns=now_ns, course=course, command=command)
