"""Judges each joint command from the outside, by rules of its own: the second opinion on safety.

It shares no code with what it judges, neither the safety layer's nor the sink's, and decides
nothing: what it finds is counted, and is a defect. It stands in each simulated robot and in each
test that steps the safety core. The rules are those of docs/safety.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import IntFlag
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import JointCommand, JointTarget, SensorSample

Array = NDArray[np.float64]

EPSILON = 1e-6
"""above rounding, below what matters (rad, N·m, gains, s; of power, its share)"""
NANOSECOND = 1e-9
"""[s] safety may count its times in whole ones"""
LIFETIME_MAX_NS = 200_000_000
"""[ns] a standing robot takes about 0.3 s to fall"""
CAP_PERIODS = 2
"""a late command may move the target as far as so many periods would"""
POWER_MEAN_S = 1.0
"""[s] time constant of the mean power"""
SAMPLES_KEPT = 64
"""samples that a command may answer: more than half a second of them"""
CALM_SAMPLES = 2
"""so many samples in a row must be credible before torque is judged by one"""
FORGOTTEN_NS = 900_000_000
"""[ns] a driver that asks with lower numbers for a second may begin anew with them"""
UNSEEN_CHANGES = 3
"""box, speed and acceleration may each change a target by the tolerance without a word"""
SEVERITY = {'ACTIVE': 0, 'INIT': 1, 'STANDBY': 1, 'SOFT_STOP': 2, 'LATCHED_STOP': 3}
"""how far each mode, by its name, is from driving"""
BODY = ('SENSORS_', 'OVER_', 'LOW_', 'STEP_', 'MOTOR_')
"""beginnings of reasons that must have been gone for a while before anybody drives again"""


class Witness(NamedTuple):
    """What is known besides the command; what is None is not judged."""

    sample: SensorSample | None = None
    """the one the command was made from; None: the one heard that bears its stamp"""
    target: JointTarget | None = None
    """what the driver asked for"""
    temperature: Array | None = None
    """of the motors [°C], (joints,)"""
    resumed: bool | None = None
    """an operator asked to go on"""


@dataclass(frozen=True)
class _Past:
    """What is remembered of the writer of the commands."""

    command: JointCommand
    now_ns: int
    moved: Array
    """by how far the target went at last [rad], (joints,); nan where the joint was limp"""
    power_mean: float = 0.0
    stop_ns: int = 0
    """when the stop began that lasts [ns]"""
    rearmed_ns: int | None = None
    """when a stop last ended [ns]"""
    spent: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """request that each driver drove by at last, and until when [ns]"""


class CommandJudge:
    """Follows the commands to one robot."""

    def __init__(self, robot: RobotModel, settings: Mapping[str, Any], exact: bool = True) -> None:
        """Stores.

        Args:
            robot: whose joints are commanded.
            settings: the parameters of safety.yaml, by name.
            exact: every command is seen, at times that its writer goes by, as in lockstep. If not,
                what needs them is judged by the most that any clock would allow, or not at all.
        """
        self._robot, self._set, self._exact, self.whole = robot, settings, exact, exact
        """Last: not even a command that comes at no new time may be missing. A world that waits
        has no tick for the one by which safety answers an operator, and says False."""
        self._low = robot.position_min + settings['position_margin_rad']
        self._high = robot.position_max - settings['position_margin_rad']
        self._kd_least = robot.kd * settings['kd_scale_min']
        most = np.maximum(robot.kd * settings['kd_scale_max'], robot.kd_damping)
        self._kd_most = np.maximum(most, self._kd_least)
        self._heard: deque[tuple[SensorSample, bool]] = deque(maxlen=SAMPLES_KEPT)
        self._calm = 0
        self._past: _Past | None = None
        self._epochs: frozenset[int] = frozenset()
        self.judged = self.unsafe = 0
        """Last: commands that broke at least one rule."""

    def hear(self, sample: SensorSample) -> None:
        """Takes in a sample when its writer is told it. Never raises."""
        try:
            self._calm = self._calm + 1 if self._is_credible(sample) else 0
        except Exception:
            self._calm = 0
        self._heard.append((sample, self._calm >= CALM_SAMPLES))

    def check(self, command: JointCommand, now_ns: int, witness: Witness) -> list[str]:
        """Returns what is wrong with a command, by the names of the rules. Never raises.

        Args:
            command: as it came.
            now_ns: time of the command [ns].
            witness: what else is known.
        """
        self.judged += 1
        try:
            with np.errstate(all='ignore'):
                found = list(self._content(command)) or list(self._rules(command, now_ns, witness))
        except Exception as error:
            found = [f'I12 cannot be judged: {error!r}']
        self.unsafe += bool(found)
        return found

    def _content(self, command: JointCommand) -> Iterator[str]:
        arrays = (command.position, command.kp, command.kd, command.effort)
        if any(len(values) != len(self._robot.joints) for values in arrays):
            yield 'I2 not as many numbers as joints'
        elif not np.isfinite(np.concatenate(arrays)).all():
            yield 'I1 not finite'
        elif command.joints_hash != self._robot.joints_hash:
            yield 'I2 meant for other joints'
        elif not 0 < command.lifetime_ns <= LIFETIME_MAX_NS:
            yield 'I11 lifetime'

    def _rules(self, command: JointCommand, now_ns: int, witness: Witness) -> Iterator[str]:
        past, sample = self._past, witness.sample or self._answered(command)
        if past is None or past.command.epoch != command.epoch:
            if command.mode.name == 'ACTIVE' or command.epoch in self._epochs:
                yield 'I10 a writer begins by driving, or comes back'
            past = _Past(command, now_ns, np.full_like(command.kp, np.nan), stop_ns=now_ns)
        else:
            if now_ns < past.now_ns:  # a clock that was put back tells no durations
                since = None if past.rearmed_ns is None else now_ns
                past = replace(past, stop_ns=now_ns, rearmed_ns=since)
            yield from self._motion(command, past, now_ns, sample)
            past, wrong = self._course(command, past, now_ns, witness.resumed)
            yield from wrong
        self._epochs |= {command.epoch}
        yield from self._gains(command)
        if sample is not None:
            mean = past.power_mean
            past, wrong = self._power(command, past, now_ns, sample)
            if 'INTERNAL' in _words(command.reasons):  # a step that failed predicts nothing
                past = replace(past, power_mean=min(mean, past.power_mean))
            else:
                yield from self._torque(command, sample, witness.temperature)
                yield from wrong
        yield from self._told(command, witness.target)
        moved = command.position - past.command.position
        moved[(command.kp == 0.0) | (past.command.kp == 0.0)] = np.nan
        self._past = replace(past, command=command, now_ns=now_ns, moved=moved)

    def _gains(self, command: JointCommand) -> Iterator[str]:
        position, kp, kd = command.position, command.kp, command.kd
        if ((position < self._low - EPSILON) | (position > self._high + EPSILON)).any():
            yield 'I3 outside the box'
        stiffest = self._robot.kp * self._set['kp_scale_max'] + EPSILON
        if ((kp < 0.0) | (kp > stiffest)).any() or command.effort.any():
            yield 'I8 stiffness'
        if ((kd < self._kd_least - EPSILON) | (kd > self._kd_most + EPSILON)).any():
            yield 'I8 damping'
        if command.mode.name in ('INIT', 'LATCHED_STOP') and kp.any():
            yield 'I8 stiff where nobody may be'

    def _elapsed(self, command: JointCommand, past: _Past, now_ns: int) -> float:
        cap = CAP_PERIODS / self._robot.command_hz
        lost = command.sequence - past.command.sequence
        return min(max((now_ns - past.now_ns) * NANOSECOND, 0), cap) if self._exact else cap * lost

    def _motion(
        self, command: JointCommand, past: _Past, now_ns: int, sample: SensorSample | None
    ) -> Iterator[str]:
        """Speed and acceleration from what was sent; a joint that was limp from where it is."""
        speed = self._set[
            ('reset' if command.authority.name == 'RESET' else 'policy') + '_target_speed_rad_s'
        ]
        reach = speed * self._elapsed(command, past, now_ns) + EPSILON
        stiff, was_stiff = command.kp > 0.0, past.command.kp > 0.0
        moved = command.position - past.command.position
        if (np.abs(moved)[stiff & was_stiff] > reach).any():
            yield 'I4 target speed'
        turn = speed / self._robot.command_hz
        turned = np.abs(moved - np.minimum(np.maximum(past.moved, -turn), turn)) > turn + EPSILON
        if self._exact and (turned & stiff & was_stiff).any():
            yield 'I4 target acceleration'
        if sample is not None:
            start = np.minimum(np.maximum(sample.joint_position, self._low), self._high)
            if (np.abs(command.position - start)[stiff & ~was_stiff] > reach).any():
                yield 'I5 begins with a jump'
            # Against the command before alone: one that was lost may have let the target go.
            if command.mode.name == 'SOFT_STOP' and command.sequence == past.command.sequence + 1:
                stays = self._pull(replace(command, position=past.command.position), sample)
                harder = np.abs(self._pull(command, sample)) > np.abs(stays) + EPSILON
                # The torque limit moves a target towards its joint; power may then weaken it.
                here, powered = sample.joint_position, 'CLIPPED_POWER' in _words(command.reasons)
                away = abs(command.position - here) > abs(past.command.position - here) + EPSILON
                if (harder & (away | (not powered)) & stiff & was_stiff).any():
                    yield 'I15 a stop moves the legs'

    def _course(
        self, command: JointCommand, past: _Past, now_ns: int, resumed: bool | None
    ) -> tuple[_Past, list[str]]:
        """Who begins, with what right and when; a stop lasts until then, and lets go."""
        fell = min(0, now_ns - past.now_ns)  # a clock that falls back makes nothing more recent
        past = replace(past, spent={who: (n, ns + fell) for who, (n, ns) in past.spent.items()})
        last, mode, driver = past.command, command.mode.name, command.authority.name
        before, gap, found = last.mode.name, command.sequence - last.sequence, []
        found += ['I10 sequence'] if gap < 1 or (self.whole and gap != 1) else []
        found += ['I13 driver'] if (mode == 'ACTIVE') != (driver != 'NOBODY') else []
        if SEVERITY[mode] < SEVERITY[before]:
            latched = before == 'LATCHED_STOP'
            stands = latched and (gap == 1 or mode == 'STANDBY')  # if not, that one was lost
            if mode != ('STANDBY' if stands else 'ACTIVE') or (latched and resumed is False):
                found.append(f'I14 from {before} to {mode}')
        if SEVERITY[mode] > max(SEVERITY[before], SEVERITY['STANDBY']):
            past = replace(past, stop_ns=now_ns)
        stopped_s = (now_ns - past.stop_ns) * NANOSECOND
        if mode == 'SOFT_STOP' and self._exact and stopped_s >= 0.0:
            left = 1.0 - (stopped_s - NANOSECOND) / max(self._set['hold_time_s'], EPSILON)
            firm = (command.kp > self._robot.kp * max(left, 0.0) + EPSILON).any()
            found += ['I15 a stop does not let go'] if firm else []
        if mode != 'ACTIVE':
            return past, found
        if (driver, command.request) != (last.authority.name, last.request):
            spent, until_ns = past.spent.get(driver, (0, now_ns))
            bar = spent if now_ns - until_ns < FORGOTTEN_NS else 0
            found += ['I13 a request that was spent'] if command.request <= bar else []
            if before == 'SOFT_STOP':
                found += self._rearms(past, now_ns, stopped_s)
                past = replace(past, rearmed_ns=now_ns)
        return replace(past, spent={**past.spent, driver: (command.request, now_ns)}), found

    def _rearms(self, past: _Past, now_ns: int, stopped_s: float) -> list[str]:
        of_body = any(word.startswith(BODY) for word in _words(past.command.reasons))
        early = 0.0 <= stopped_s < self._set['clear_time_s'] - NANOSECOND and of_body
        driven_s = np.inf if past.rearmed_ns is None else (now_ns - past.rearmed_ns) * NANOSECOND
        often = 0.0 <= driven_s < self._set['rearm_interval_s'] - NANOSECOND
        return ['I13 drives again too soon'] if self._exact and (early or often) else []

    def _pull(self, command: JointCommand, sample: SensorSample) -> Array:
        error = command.position - sample.joint_position
        return np.asarray(command.kp * error - command.kd * sample.joint_velocity)

    def _torque(
        self, command: JointCommand, sample: SensorSample, temperature: Array | None
    ) -> Iterator[str]:
        """The least damping goes before torque."""
        held = command.authority.name == 'NOBODY' and command.kp.any()
        policy = command.authority.name == 'POLICY' or held
        share = self._set['policy_torque_share' if policy else 'reset_torque_share']
        limit = self._robot.torque_max * share
        told = temperature if self._robot.has_motor_temperature else None
        if told is not None and told.shape == limit.shape and np.isfinite(told).all():
            top, floor = self._robot.motor_temperature_max, self._set['temperature_torque_floor']
            warm = top * self._set['temperature_derate_share']
            limit = limit * np.interp(told, (warm, top), (1.0, floor))
        least = self._kd_least * np.abs(sample.joint_velocity)
        over = np.abs(self._pull(command, sample)) > np.maximum(limit, least) + EPSILON
        if over.any():
            yield f'I6 torque of {self._robot.joints[int(over.argmax())]}'

    def _power(
        self, command: JointCommand, past: _Past, now_ns: int, sample: SensorSample
    ) -> tuple[_Past, list[str]]:
        """The least damping goes before power too."""
        power = float(np.abs(self._pull(command, sample) * sample.joint_velocity).sum())
        least = float((self._kd_least * sample.joint_velocity**2).sum())
        free = power > least * (1.0 + EPSILON) + EPSILON
        found = ['I7 power'] if free and power > self._robot.power_max * (1.0 + EPSILON) else []
        if not self._exact:
            return past, found
        share = self._elapsed(command, past, now_ns) / POWER_MEAN_S
        mean = past.power_mean + (power - past.power_mean) * share
        rises = mean > max(past.power_mean, self._robot.power_continuous) * (1.0 + EPSILON)
        return replace(past, power_mean=mean), [*found, *['I7 mean power'] * (free and rises)]

    def _told(self, command: JointCommand, target: JointTarget | None) -> Iterator[str]:
        """Whoever is not heard, or not heard in full, finds out why."""
        words = _words(command.reasons)
        if command.mode.name != 'ACTIVE' and not words:
            yield 'I17 no reason for not driving'
        if command.mode.name != 'ACTIVE' or target is None or words:
            return
        kp, kd = (float(np.linalg.norm(gain)) for gain in (self._robot.kp, self._robot.kd))
        gain = self._set['clip_tolerance_gain']
        changes = (
            (command.position - target.position, self._set['clip_tolerance_rad']),
            (command.kp - target.kp, gain * kp),
            (command.kd - target.kd, gain * kd),
        )
        if any(np.linalg.norm(by) > UNSEEN_CHANGES * most + EPSILON for by, most in changes):
            yield 'I17 changed without a word'

    def _answered(self, command: JointCommand) -> SensorSample | None:
        stamp = command.time_ns
        found = (s if calm else None for s, calm in reversed(self._heard) if s.time_ns == stamp)
        return next(found, None)

    def _is_credible(self, sample: SensorSample) -> bool:
        """Whether a robot can have sensed this after the last: others prove nothing of torque."""
        if not self._heard or not np.isfinite(sample.joint_velocity).all():
            return False
        before, most = self._heard[-1][0], self._set
        dt = (sample.time_ns - before.time_ns) * NANOSECOND
        reach = self._robot.speed_max * most['over_speed_scale'] * dt + most['position_jump_rad']
        beyond = np.maximum(self._low - sample.joint_position, sample.joint_position - self._high)
        most_beyond = max(self._robot.position_overrun, most['position_overrun_rad'])
        return bool(
            (np.abs(sample.joint_position - before.joint_position) <= reach).all()
            and (beyond <= most_beyond + most['position_margin_rad']).all()
            and abs(np.linalg.norm(sample.orientation) - 1.0) <= most['quaternion_norm_error']
            and np.linalg.norm(sample.angular_velocity) <= most['angular_velocity_max_rad_s']
            and np.linalg.norm(sample.specific_force) <= most['specific_force_max_m_s2']
        )


@lru_cache(maxsize=4096)  # far more than the combinations that occur
def _words(reasons: IntFlag) -> frozenset[str]:
    return frozenset(reason.name or '' for reason in type(reasons) if reason & reasons)
