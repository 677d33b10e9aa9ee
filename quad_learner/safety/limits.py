"""Turns a wanted joint target into one that is allowed: box, motion, torque, power and gains.

For each joint, with measured angle y and speed v, last sent target p, the time dt since it, the
way m that p was from the target before, and the command period T:

    lower + margin <= q <= upper - margin          box
    |q - p| <= v_max dt                            speed of the target
    |q - p - m| <= v_max T, |m| cut to v_max T     acceleration of the target, v_max / T
    |kp (q - y) - kd v| <= torque_max              predicted torque
    0 <= kp <= kp_max,  kd_min <= kd <= kd_max     gains
    sum |torque v| <= power_max, in the mean of a second <= power_continuous

The torque is met by moving the target as far as box and speed allow, and for the rest by lowering
kp, for which the power is met by lowering both gains: so all hold together. A target may always
stay where it is. Only joints so fast that even kd_min brakes harder than torque_max, or with more
than power_max, are beyond them; there damping goes first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import SensorSample
from quad_learner.safety.config import SafetyConfig
from quad_learner.safety.modes import Reason

Array = NDArray[np.float64]
MEAN_S = 1.0
"""[s] time constant of the means of power and shaking: exponential, a number remembers each"""
_LEAST = 1e-9
"""Stands for zero in a divisor: far below any gain, speed or angle that acts (SI units)."""


class Allowed(NamedTuple):
    """What may be sent: arrays of shape (joints,), and what was changed."""

    position: Array
    kp: Array
    kd: Array
    reasons: Reason


class Limits:
    """The limits of one authority on one robot. Pure after construction."""

    def __init__(
        self, robot: RobotModel, config: SafetyConfig, target_speed: float, torque_share: float
    ) -> None:
        """Stores the limits.

        Args:
            robot: whose joints, gains and motors are meant.
            config: margins and scales.
            target_speed: of the targets of this authority [rad/s], > 0.
            torque_share: of the motors' torque limits, 0 to 1.
        """
        self.lower = robot.position_min + config.position_margin_rad
        self.upper = robot.position_max - config.position_margin_rad
        self._target_speed = target_speed
        self._turn = target_speed / robot.command_hz
        self._power_max = robot.power_max
        self._power_continuous = robot.power_continuous
        self._torque_max = robot.torque_max * torque_share
        self._kp_max = robot.kp * config.kp_scale_max
        self._kd_min = robot.kd * config.kd_scale_min
        self._kd_max = np.maximum(robot.kd * config.kd_scale_max, robot.kd_damping)
        self.kd_damping = np.maximum(robot.kd_damping, self._kd_min)
        self._position_tolerance = config.clip_tolerance_rad
        self._kp_tolerance = float(np.linalg.norm(robot.kp)) * config.clip_tolerance_gain
        self._kd_tolerance = float(np.linalg.norm(robot.kd)) * config.clip_tolerance_gain
        self._no_stiffness = np.zeros_like(robot.kp)

    def boxed(self, position: Array) -> Array:
        """Returns `position` [rad] moved into the box."""
        return np.minimum(np.maximum(position, self.lower), self.upper)

    def allow(
        self,
        wanted: tuple[Array, Array, Array],
        sample: SensorSample,
        sent: tuple[Array, Array],
        dt: float,
        strength: Array | None,
    ) -> Allowed:
        """Returns what is allowed of `wanted`.

        Args:
            wanted: finite position [rad], kp [N·m/rad] and kd [N·m·s/rad], each (joints,).
            sample: the newest believed one.
            sent: where the target was last, within the box, and by how far it had moved then
                [rad], each (joints,).
            dt: time since then [s], >= 0.
            strength: share of the torque that heat leaves, (joints,); None: all.

        Source: docs/safety.md, I3, I4, I6, I8.
        """
        position, kp, kd = wanted
        reasons = Reason.NONE
        stiff = np.minimum(np.maximum(kp, self._no_stiffness), self._kp_max)
        damp = np.minimum(np.maximum(kd, self._kd_min), self._kd_max)
        if _differ(stiff, kp, self._kp_tolerance) or _differ(damp, kd, self._kd_tolerance):
            reasons |= Reason.CLIPPED_GAIN
        boxed = self.boxed(position)
        if _differ(boxed, position, self._position_tolerance):
            reasons |= Reason.CLIPPED_POSITION
        near, far = self._reach(*sent, self._target_speed * dt)
        reached = np.minimum(np.maximum(boxed, near), far)
        if _differ(reached, boxed, self._position_tolerance):
            reasons |= Reason.CLIPPED_RATE
        torque_max = self._torque_max if strength is None else self._torque_max * strength
        braked = self._braked(damp, sample.joint_velocity, torque_max)
        if _differ(braked, damp, self._kd_tolerance):
            reasons |= Reason.CLIPPED_TORQUE
        damp = braked
        torque = stiff * (reached - sample.joint_position) - damp * sample.joint_velocity
        if not np.count_nonzero(np.abs(torque) > torque_max):
            return Allowed(reached, stiff, damp, reasons)
        box = (np.maximum(near, self.lower), np.minimum(far, self.upper))
        return self._within_torque(Allowed(reached, stiff, damp, reasons), sample, torque_max, box)

    def within_power(
        self, allowed: Allowed, sample: SensorSample, mean: float, dt: float
    ) -> tuple[Allowed, float]:
        """Lowers the gains where the motors together would take too much power.

        Args:
            allowed: by the other limits.
            sample: the newest believed one.
            mean: power in the mean so far [W].
            dt: time since the last step [s], from 0 to below `MEAN_S`.

        Returns:
            What is allowed, and the mean with it [W].

        Source: docs/safety.md, I7.
        """
        share = dt / MEAN_S
        power = _power(allowed, sample)
        limit = self._power_max
        if share > 0.0:
            # What may be spent now for the mean to end at its limit, were it below; never less
            # than the limit itself.
            left = max(self._power_continuous - mean, 0.0)
            limit = min(limit, self._power_continuous + left * (1.0 / share - 1.0))
        if power > limit:
            allowed = self._weakened(allowed, sample, power, limit)
            power = _power(allowed, sample)
        return allowed, mean + (power - mean) * share

    def damping(self, sample: SensorSample, strength: Array | None) -> Array:
        """Returns the damping gain of a limp joint [N·m·s/rad], (joints,), within its torque."""
        torque_max = self._torque_max if strength is None else self._torque_max * strength
        return self._braked(self.kd_damping, sample.joint_velocity, torque_max)

    def _reach(self, sent: Array, moved: Array, reach: float) -> tuple[Array, Array]:
        """Returns how far back and ahead the target may go from `sent` [rad]; it may stay."""
        turn = self._turn
        moved = np.minimum(np.maximum(moved, -turn), turn)
        return sent + np.maximum(moved - turn, -reach), sent + np.minimum(moved + turn, reach)

    def _weakened(
        self, allowed: Allowed, sample: SensorSample, power: float, limit: float
    ) -> Allowed:
        """Returns `allowed` with gains so low that the power is `limit`, damping kept."""
        speed = sample.joint_velocity
        least = float(self._kd_min.dot(speed * speed))
        allowed = allowed._replace(reasons=allowed.reasons | Reason.CLIPPED_POWER)
        # In proportion. Where that ends in the least damping, that comes first, and the rest is
        # divided: |s (pull - drag) - least drag| <= s |pull - drag| + least drag.
        for part in (limit / power, max(limit - least, 0.0) / power):
            kd = np.maximum(allowed.kd * part, self._kd_min)
            weaker = allowed._replace(kp=allowed.kp * part, kd=kd)
            if _power(weaker, sample) <= limit:
                break
        return weaker

    def _braked(self, kd: Array, velocity: Array, torque_max: Array) -> Array:
        """Lowers `kd` where braking alone would need more than the torque limit."""
        speed = np.abs(velocity)
        if not np.count_nonzero(kd * speed > torque_max):
            return kd
        lowered = np.minimum(kd, torque_max / np.maximum(speed, _LEAST))
        return np.maximum(lowered, self._kd_min)

    def _within_torque(
        self,
        allowed: Allowed,
        sample: SensorSample,
        torque_max: Array,
        box: tuple[Array, Array],
    ) -> Allowed:
        """Moves the target towards the joint within `box`, then lowers kp for what is left."""
        drag = allowed.kd * sample.joint_velocity
        angle, stiff = sample.joint_position, np.maximum(allowed.kp, _LEAST)
        low, high = angle + (drag - torque_max) / stiff, angle + (drag + torque_max) / stiff
        moved = np.minimum(np.maximum(allowed.position, low), high)
        moved = np.minimum(np.maximum(moved, box[0]), box[1])
        error = moved - angle
        room = np.maximum(torque_max + np.sign(error) * drag, 0.0)
        kp = np.minimum(allowed.kp, room / np.maximum(np.abs(error), _LEAST))
        reasons = allowed.reasons
        if _differ(moved, allowed.position, self._position_tolerance) or _differ(
            kp, allowed.kp, self._kp_tolerance
        ):
            reasons |= Reason.CLIPPED_TORQUE
        return Allowed(moved, kp, allowed.kd, reasons)


def _power(allowed: Allowed, sample: SensorSample) -> float:
    """Returns what the motors take or give back together, as predicted [W]."""
    speed = sample.joint_velocity
    pull = allowed.kp * (allowed.position - sample.joint_position) - allowed.kd * speed
    return float(np.abs(pull).dot(np.abs(speed)))


def _differ(left: Array, right: Array, tolerance: float) -> bool:
    """Returns whether two arrays are further apart than `tolerance`, taken over all joints."""
    change = left - right
    return bool(change.dot(change) > tolerance * tolerance)
