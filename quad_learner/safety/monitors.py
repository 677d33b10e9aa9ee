"""Watches the robot: whether its sensors can be believed, and whether anything speaks for a stop.

Everything is judged by value, never by identity, so that a recorded run replays to the bit. What
is missing, too old or not finite counts as bad.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from quad_learner.robot.model import RobotModel
from quad_learner.robot.rotations import roll_pitch_yaw
from quad_learner.robot.signals import NANOSECONDS, Estimate, Health, SensorSample
from quad_learner.safety.config import SafetyConfig
from quad_learner.safety.modes import Authority, Reason
from quad_learner.safety.motors import Motors
from quad_learner.safety.state import SafetyInputs, SafetyState, Sight, View, Watch

Array = NDArray[np.float64]

ODD = Reason.SENSORS_INVALID | Reason.SENSORS_FROZEN | Reason.OVER_SPEED
ODD |= Reason.TARGET_INVALID | Reason.MOTOR_LOST
"""Causes that no fall, dead process or empty battery explains: if they last, a person looks."""
DRIFT = 1000
"""A robot's clock may lose one part in so many against ours; quartz loses one in ten thousand."""
COLDEST_C = -40.0
"""[°C] no drive is rated for less; a sensor that is torn off reads below"""
CHARGE_MOST, VOLTAGE_MOST = 1.05, 1.5
"""of full: a gauge reads a little more, a charger brings more; per cent and mV are far beyond"""
ANEW_NS = NANOSECONDS
"""Stamps older by so much are of a robot that began anew, not of messages out of order."""


def nanoseconds(seconds: float) -> int:
    """Returns `seconds` as whole nanoseconds."""
    return round(seconds * NANOSECONDS)


def is_young(age_ns: int, age_max_s: float) -> bool:
    """Returns whether an age lies within 0 and `age_max_s`; a negative age is a broken clock."""
    return 0 <= age_ns <= nanoseconds(age_max_s)


def is_finite(values: Array) -> bool:
    """Returns whether every value is finite and of a size that can be squared."""
    return math.isfinite(values.dot(values))


class Monitors:
    """The watching of one robot. Pure after construction: all memory is in `Watch`."""

    def __init__(self, robot: RobotModel, config: SafetyConfig) -> None:
        """Stores what is watched for."""
        self._robot = robot
        self._config = config
        self._motors = Motors(robot, config)
        self._joints = (len(robot.joints),)
        self._shapes = (*[self._joints] * 3, (3,), (3,), (4,), (len(robot.feet),))
        self._middle = (robot.position_max + robot.position_min) / 2.0
        overrun = max(robot.position_overrun, config.position_overrun_rad)
        self._reach = (robot.position_max - robot.position_min) / 2.0 + overrun
        self._top_speed = robot.speed_max * config.over_speed_scale
        self._window = (1 << config.bad_window) - 1
        self._row = (1 << config.bad_in_row) - 1

    def look(self, state: SafetyState, inputs: SafetyInputs, now_ns: int) -> tuple[Watch, Sight]:
        """Returns what is remembered from now on, and what was found.

        Args:
            state: of the last step: what was remembered, and the command in force until now.
            inputs: the newest of everything.
            now_ns: now [ns], on the clock of the receipts.
        """
        watch, sent = state.watch, state.command.position
        gap_ns = 0 if state.now_ns is None else now_ns - state.now_ns
        if gap_ns < 0:
            watch = watch._replace(drive_bad_ns=now_ns, odd_since_ns=None)
        watch = self._take_sample(watch, inputs, now_ns, sent)
        fell_back = (watch.judged_ns or 0) < (state.watch.judged_ns or 0)
        watch = watch._replace(slack=self._motors.slack(state.watch, watch, state.command))
        watch = self._take_health(watch, inputs.health)
        body = self._body(watch, inputs, now_ns, sent)
        if fell_back or gap_ns < 0:
            body |= Reason.SENSORS_STALE
        if gap_ns > nanoseconds(self._config.command_lifetime_s) or inputs.let_go:
            body |= Reason.STEP_LATE
        shaken = state.shaken.max() > self._config.shake_share
        if shaken or state.boxed_s > self._config.boxed_time_s:
            body |= Reason.TARGET_INVALID
        drive = self._drive(watch, inputs, now_ns)
        odd_ns = now_ns if watch.odd_since_ns is None else watch.odd_since_ns
        watch = watch._replace(
            estimate=inputs.estimate,
            odd_since_ns=odd_ns if body & ODD else None,
            body_bad_ns=now_ns if body else watch.body_bad_ns,
            drive_bad_ns=now_ns if drive else watch.drive_bad_ns,
        )
        return watch, Sight(body, drive, watch.sample is not None and watch.tilted == 0)

    def stands(self, sample: SensorSample) -> bool:
        """Returns whether policy may begin here: upright, and each joint near its stance."""
        roll, pitch, _ = roll_pitch_yaw(sample.orientation)
        error = float(np.abs(sample.joint_position - self._robot.stance).max())
        level = max(abs(roll), abs(pitch)) <= self._config.handover_tilt_rad
        return level and error <= self._config.handover_joint_error_rad

    def target(self, view: View, source: Authority) -> Reason:
        """Returns why the newest target of `source` cannot be driven by; NONE when it can."""
        target, received_ns = view.inputs.target_of(source)
        if target is None:
            return Reason.TARGET_STALE
        stamp_ns = view.now_ns if view.watch.sample is None else view.watch.sample.time_ns
        ages_ns = (view.now_ns - received_ns, abs(stamp_ns - target.time_ns))
        if not all(is_young(age_ns, self._config.target_age_max_s) for age_ns in ages_ns):
            return Reason.TARGET_STALE
        arrays = (target.position, target.kp, target.kd)
        if target.source is not source or any(
            values.shape != self._joints or not is_finite(values) for values in arrays
        ):
            return Reason.TARGET_INVALID
        return Reason.NONE

    def _take_sample(self, watch: Watch, inputs: SafetyInputs, now_ns: int, sent: Array) -> Watch:
        """Judges the newest sample once. Older stamps after silence: its sender has begun anew."""
        sample, last = inputs.sample, None if self._unbelievable(watch) else watch.sample
        if sample is None or sample.time_ns == watch.judged_ns:
            return watch
        if watch.judged_ns is not None and sample.time_ns < watch.judged_ns:
            if is_young(now_ns - watch.received_ns, self._config.sample_age_max_s):
                return watch
            last = None
        bad = not self._believable(sample, last)
        history = ((watch.bad << 1) | bad) & self._window
        if bad:
            return watch._replace(judged_ns=sample.time_ns, bad=history)
        return self._believe(watch, inputs, sample, history, sent)

    def _believe(
        self, watch: Watch, inputs: SafetyInputs, sample: SensorSample, history: int, sent: Array
    ) -> Watch:
        roll, pitch, _ = roll_pitch_yaw(sample.orientation)
        fallen = abs(roll) > self._robot.fall_roll or abs(pitch) > self._robot.fall_pitch
        fast = bool(np.count_nonzero(np.abs(sample.joint_velocity) > self._top_speed))
        loaded = sample.foot_force > self._robot.foot_force_threshold
        borne = not self._robot.has_foot_force or bool(np.count_nonzero(loaded))
        alive = watch.sample is None or self._moved_on(sample, watch.sample)
        return watch._replace(
            sample=sample,
            received_ns=inputs.sample_received_ns,
            luck_ns=self._luck(watch, sample, inputs.sample_received_ns),
            judged_ns=sample.time_ns,
            bad=history,
            tilted=watch.tilted + 1 if fallen else 0,
            borne_ns=sample.time_ns if borne else min(watch.borne_ns, sample.time_ns),
            fast=watch.fast + 1 if fast else 0,
            alive_ns=sample.time_ns if alive else watch.alive_ns,
            alive_sent=sent if alive else watch.alive_sent,
        )

    def _luck(self, watch: Watch, sample: SensorSample, received_ns: int) -> int:
        """Returns the least time from stamp to receipt so far [ns], by which lateness is told.

        It grows no faster than clocks drift, and not while samples are late.
        """
        last, taken_ns = watch.sample, received_ns - sample.time_ns
        if last is None or sample.time_ns < last.time_ns - ANEW_NS:
            return taken_ns
        late_ns = taken_ns - watch.luck_ns
        if late_ns > nanoseconds(self._config.sample_age_max_s):
            return watch.luck_ns
        return watch.luck_ns + min(late_ns, (sample.time_ns - last.time_ns) // DRIFT)

    def _believable(self, sample: SensorSample, last: SensorSample | None) -> bool:
        joints = (sample.joint_position, sample.joint_velocity, sample.joint_effort)
        body = (sample.angular_velocity, sample.specific_force, sample.orientation)
        parts = (*joints, *body, sample.foot_force)
        if tuple(values.shape for values in parts) != self._shapes:
            return False
        finite = all(map(is_finite, (*joints, sample.foot_force)))
        return finite and self._believable_imu(sample) and self._believable_angles(sample, last)

    def _believable_imu(self, sample: SensorSample) -> bool:
        """Each comparison is False for NaN, so that a broken number is not believed."""
        config = self._config
        norm = sample.orientation.dot(sample.orientation) ** 0.5
        rate = sample.angular_velocity.dot(sample.angular_velocity) ** 0.5
        force = sample.specific_force.dot(sample.specific_force) ** 0.5
        return bool(
            abs(norm - 1.0) <= config.quaternion_norm_error
            and rate <= config.angular_velocity_max_rad_s
            and force <= config.specific_force_max_m_s2
        )

    def _believable_angles(self, sample: SensorSample, last: SensorSample | None) -> bool:
        if np.count_nonzero(np.abs(sample.joint_position - self._middle) > self._reach):
            return False
        if last is None:
            return True
        dt = (sample.time_ns - last.time_ns) / NANOSECONDS
        allowed = self._top_speed * dt + self._config.position_jump_rad
        jumped = np.abs(sample.joint_position - last.joint_position) > allowed
        return not np.count_nonzero(jumped)

    def _moved_on(self, sample: SensorSample, last: SensorSample) -> bool:
        """Returns whether joints and inertial unit both say something new."""
        legs = _same(sample, last, 'joint_velocity', 'joint_position')
        return not legs and not _same(sample, last, 'angular_velocity', 'specific_force')

    def _unbelievable(self, watch: Watch) -> bool:
        often = watch.bad.bit_count() >= self._config.bad_in_window
        return often or watch.bad & self._row == self._row

    def _body(self, watch: Watch, inputs: SafetyInputs, now_ns: int, sent: Array) -> Reason:
        found = Reason.NONE
        sample = watch.sample
        age_ns = 0 if sample is None else now_ns - sample.time_ns - watch.luck_ns
        if sample is None or not is_young(age_ns, self._config.sample_age_max_s):
            found |= Reason.SENSORS_STALE
        if self._unbelievable(watch):
            found |= Reason.SENSORS_INVALID
        if watch.fast >= self._config.confirm_samples:
            found |= Reason.OVER_SPEED
        if sample is not None and self._frozen(watch, sample, sent):
            found |= Reason.SENSORS_FROZEN
        found |= self._motors.found(watch.slack)
        heard_ns = (inputs.battery_received_ns, inputs.warmth_received_ns)
        no_charge, no_heat = (
            inputs.health is None or not is_young(now_ns - ns, self._config.health_age_max_s)
            for ns in heard_ns
        )
        if watch.empty or (no_charge and self._config.battery_missing_stops):
            found |= Reason.LOW_BATTERY
        hot = watch.hot or (no_heat and self._config.temperature_missing_stops)
        if hot and self._robot.has_motor_temperature:
            found |= Reason.OVER_TEMPERATURE
        return found

    def _frozen(self, watch: Watch, sample: SensorSample, sent: Array) -> bool:
        dead_ns = sample.time_ns - watch.alive_ns
        if dead_ns <= nanoseconds(self._config.frozen_time_s) or watch.alive_sent is None:
            return False
        return bool(np.abs(sent - watch.alive_sent).max() > self._config.frozen_motion_rad)

    def _drive(self, watch: Watch, inputs: SafetyInputs, now_ns: int) -> Reason:
        found = self._estimate(watch, inputs, now_ns)
        if watch.tilted >= self._config.confirm_samples:
            found |= Reason.TILT
        aloft_ns = 0 if watch.sample is None else watch.sample.time_ns - watch.borne_ns
        if aloft_ns > nanoseconds(self._config.aloft_time_s):
            found |= Reason.LIFTED
        return found

    def _estimate(self, watch: Watch, inputs: SafetyInputs, now_ns: int) -> Reason:
        estimate = inputs.estimate
        if estimate is None or watch.sample is None:
            return Reason.ESTIMATE_STALE
        drift_ns = abs(watch.sample.time_ns - estimate.time_ns)
        ages_ns = (now_ns - inputs.estimate_received_ns, drift_ns)
        if not all(is_young(age_ns, self._config.estimate_age_max_s) for age_ns in ages_ns):
            return Reason.ESTIMATE_STALE
        place = (estimate.position, estimate.velocity_body)
        numbers = (*place, estimate.orientation, estimate.angular_velocity)
        if not estimate.healthy or not all(is_finite(values) for values in numbers):
            return Reason.ESTIMATE_UNHEALTHY
        return self._place(estimate, watch.estimate)

    def _place(self, estimate: Estimate, last: Estimate | None) -> Reason:
        """Tells a place that no motion leads to, and one from which it cannot stop in the fence.

        Source: docs/safety.md, I21.
        """
        config, speed = self._config, float(np.linalg.norm(estimate.velocity_body))
        if last is not None:
            dt = abs(estimate.time_ns - last.time_ns) / NANOSECONDS
            way = float(np.linalg.norm(estimate.position - last.position))
            if way > config.place_jump_m + config.place_speed_max_m_s * dt:
                return Reason.ESTIMATE_UNHEALTHY
        way = speed * (config.estimate_age_max_s + speed / (2.0 * config.fence_braking_m_s2))
        beyond = float(np.abs(estimate.position[:2]).max()) + way > config.fence_m > 0.0
        return Reason.FENCE if beyond else Reason.NONE

    def _take_health(self, watch: Watch, health: Health | None) -> Watch:
        """Judges by value at each step: what is told twice is found twice, and changes nothing."""
        if health is None:
            return watch
        watch = watch._replace(empty=self._is_empty(watch, health))
        heat, stops = health.motor_temperature, self._config.temperature_missing_stops
        if not self._robot.has_motor_temperature:
            return watch
        if heat.shape != self._joints:
            return watch._replace(hot=stops)
        known, limit = (heat >= COLDEST_C) & (heat < np.inf), self._robot.motor_temperature_max
        heat = np.where(known, heat, limit if stops else COLDEST_C)
        spare = self._config.temperature_hysteresis_c if watch.hot else 0.0
        hot = bool((heat > limit - spare).any()) or (stops and not known.all())
        return watch._replace(hot=hot, strength=self._strength(heat))

    def _is_empty(self, watch: Watch, health: Health) -> bool:
        """What is not measured, or cannot be (NaN is neither), counts only where missing stops."""
        config, charge, voltage = self._config, health.battery_charge, health.battery_voltage
        spare = config.battery_charge_hysteresis if watch.empty else 0.0
        unknown = not 0.0 <= charge <= CHARGE_MOST
        unknown |= not 0.0 <= voltage <= VOLTAGE_MOST * self._robot.battery_full_voltage
        spent = 0.0 <= voltage < self._robot.battery_empty_voltage
        low = 0.0 <= charge < config.battery_charge_min + spare
        return spent or low or (unknown and config.battery_missing_stops)

    def _strength(self, temperature: Array) -> Array | None:
        """Returns the share of torque that heat leaves: falls in a line from derating to limit."""
        config, limit = self._config, self._robot.motor_temperature_max
        begin = limit * config.temperature_derate_share
        if not (temperature > begin).any():
            return None
        lost = (temperature - begin) / (limit - begin) * (1.0 - config.temperature_torque_floor)
        return np.asarray(np.clip(1.0 - lost, 0.0, 1.0))


def _same(one: SensorSample, other: SensorSample, *fields: str) -> bool:
    pairs = ((getattr(one, field), getattr(other, field)) for field in fields)
    # The first number tells a living sensor apart at a tenth of the price of comparing them all.
    return all(bool(left[0] == right[0]) and bool((left == right).all()) for left, right in pairs)
