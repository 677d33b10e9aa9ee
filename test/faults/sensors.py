"""Rows 1 to 12: sensors that say what cannot be, the same for ever, nothing, or what was."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np

from faults.finding import Finding, is_safe, row, through, until_stop, with_wrong
from faults.world import STOPS, World
from quad_learner.robot.signals import SensorSample
from quad_learner.safety.modes import Mode
from quad_learner.safety.state import SafetyInputs

JOINT_FIELDS = ('joint_position', 'joint_velocity', 'joint_effort')
DEGREES = 57.3
LATE_NS, LATE_S = 200_000_000, 3.0
"""[ns] by which every sample is late, twice what safety bears; [s] for which they are"""
KNEE = 2
"""a lower leg: its reading is never near zero, so that a change of sign is a jump"""


def _with(sample: SensorSample, field: str, index: int, value: float) -> SensorSample:
    values = np.array(getattr(sample, field))
    values[index] = value
    return dataclasses.replace(sample, **{field: values})


def _says(world: World, samples: list[SensorSample]) -> Iterator[Mode | None]:
    """Steps the pure core with samples one after the other; the world does not notice.

    Yields the mode of each command; None where a number in it is not finite.
    """
    state, now_ns = world.state, world.now_ns
    for sample in samples:
        given = {**vars(world.inputs), 'sample': sample, 'sample_received_ns': now_ns}
        command, state = world.core.step(state, SafetyInputs(**given), now_ns)
        numbers = np.concatenate((command.position, command.kp, command.kd))
        yield command.mode if np.isfinite(numbers).all() else None
        now_ns += world.period_ns


def _twice(world: World, field: str, index: int, value: float) -> list[Mode | None]:
    """Returns the modes after one and after two samples with one impossible number."""
    sample = world.sim.sense()
    later = dataclasses.replace(sample, time_ns=sample.time_ns + world.period_ns)
    return list(_says(world, [_with(s, field, index, value) for s in (sample, later)]))


def _every_number(world: World, values: tuple[float, ...]) -> tuple[str, ...]:
    """One bad sample is ridden out on the last command; the second stops the robot."""
    wrong = []
    for field, index, value in itertools.product(JOINT_FIELDS, range(12), values):
        modes = _twice(world, field, index, value)
        if modes != [Mode.ACTIVE, Mode.SOFT_STOP]:
            wrong.append(f'{field}[{index}] = {value}: {modes}')
    return tuple(wrong)


def _one_joint(world: World, value: float) -> Finding:
    world.lies['sample'] = through(lambda s: _with(s, 'joint_position', KNEE, value))
    return until_stop(world, 0.5)


@row(1)
def not_a_number(world: World) -> Finding:
    wrong = _every_number(world, (np.nan,))
    found = _one_joint(world, np.nan)
    return with_wrong(found, wrong)


@row(2)
def beyond_all_numbers(world: World) -> Finding:
    wrong = list(_every_number(world, (np.inf, -np.inf, 1e308, -1e308)))
    for field, value in itertools.product(JOINT_FIELDS[1:], (5e-324, -0.0)):
        modes = _twice(world, field, KNEE, value)
        wrong += [f'{field} = {value} is a number: {modes}'] if modes != [Mode.ACTIVE] * 2 else []
    found = _one_joint(world, 1e308)
    return with_wrong(found, wrong)


@row(4)
def wrong_lengths(world: World) -> Finding:
    wrong = []
    sample = world.sim.sense()
    for field, length in itertools.product(
        (*JOINT_FIELDS, 'orientation', 'foot_force'), (0, 3, 11, 13, 1_000_000)
    ):
        spoilt = [
            dataclasses.replace(
                sample, time_ns=sample.time_ns + k * world.period_ns, **{field: np.zeros(length)}
            )
            for k in range(2)
        ]
        modes = list(_says(world, spoilt))
        if modes != [Mode.ACTIVE, Mode.SOFT_STOP]:
            wrong.append(f'{field} of {length}: {modes}')
    world.lies['sample'] = through(
        lambda s: dataclasses.replace(s, joint_position=s.joint_position[:11])
    )
    found = until_stop(world, 0.5)
    return with_wrong(found, wrong)


@row(6)
def degrees(world: World) -> Finding:
    world.lies['sample'] = through(
        lambda s: dataclasses.replace(
            s,
            joint_position=s.joint_position * DEGREES,
            joint_velocity=s.joint_velocity * DEGREES,
        )
    )
    return until_stop(world, 0.5)


@row(7)
def encoder_jumps(world: World) -> Finding:
    """A full turn on top; the sign flipped is tried in the pure core, for each joint."""
    wrong = []
    sample = world.sim.sense()
    for joint in range(12):
        angle = float(sample.joint_position[joint])
        if abs(angle) < 0.4:
            continue  # a hip near zero: the other sign is where it might be in a moment
        modes = _twice(world, 'joint_position', joint, -angle)
        wrong += [f'sign of joint {joint}: {modes}'] if modes[-1] not in STOPS else []
    world.lies['sample'] = through(
        lambda s: _with(s, 'joint_position', KNEE, s.joint_position[KNEE] + 2.0 * np.pi)
    )
    found = until_stop(world, 0.5)
    later = world.run(world.configs.parts.safety.latch_after_s + 0.1)[-1].command
    if later is None or later.mode is not Mode.LATCHED_STOP:
        wrong.append('a turn that lasts does not latch the stop')
    return with_wrong(found, wrong)


@row(8)
def sensors_repeat(world: World) -> Finding:
    held = world.sim.sense()
    world.lies['sample'] = through(lambda s: dataclasses.replace(held, time_ns=s.time_ns))
    return until_stop(world, 1.0, since_ns=held.time_ns + world.period_ns)


@row(9)
def outliers(world: World) -> Finding:
    """One is ridden out; every third sample wild is not."""
    count = itertools.count()

    def wild(sample: SensorSample, when: bool) -> SensorSample:
        return _with(sample, 'joint_position', KNEE, 3.0) if when else sample

    world.lies['sample'] = through(lambda s: wild(s, next(count) == 0))
    stopped = [tick.now_ns for tick in world.run(0.4) if tick.command.mode in STOPS]
    wrong = ('one outlier stops the robot',) if stopped else ()
    world.lies['sample'] = through(lambda s: wild(s, next(count) % 3 == 0))
    found = until_stop(world, 1.0)
    return with_wrong(found, wrong)


@row(10)
def inertial_unit_gone(world: World) -> Finding:
    """Its numbers are zero."""
    nothing = {'orientation': np.zeros(4), 'angular_velocity': np.zeros(3)}
    world.lies['sample'] = through(
        lambda s: dataclasses.replace(s, specific_force=np.zeros(3), **nothing)
    )
    return until_stop(world, 0.5)


@row(11)
def impossible_inertial_unit(world: World) -> Finding:
    wrong = []
    sample = world.sim.sense()
    cases = {
        'orientation': (np.zeros(4), np.array((0.0, 0.0, 0.0, 1.1)), np.full(4, np.nan)),
        'angular_velocity': (np.full(3, 35.0), np.array((np.nan, 0.0, 0.0))),
        'specific_force': (np.full(3, 500.0), np.array((0.0, np.inf, 0.0))),
    }
    for field, values in cases.items():
        for value in values:
            later = dataclasses.replace(sample, time_ns=sample.time_ns + world.period_ns)
            spoilt = [dataclasses.replace(s, **{field: value}) for s in (sample, later)]
            modes = list(_says(world, spoilt))
            if modes != [Mode.ACTIVE, Mode.SOFT_STOP]:
                wrong.append(f'{field} = {value}: {modes}')
    world.lies['sample'] = through(lambda s: dataclasses.replace(s, orientation=np.zeros(4)))
    found = until_stop(world, 0.5)
    return with_wrong(found, wrong)


@row(12)
def stale_samples(world: World) -> Finding:
    """What arrives bears the stamp of the last true sample; then all is late, then all is well."""
    held = world.sim.sense()
    world.lies['sample'] = through(lambda s: held)
    found = until_stop(world, 0.5, since_ns=held.time_ns)
    world.lies['sample'] = lambda sample: [(LATE_NS, sample)]
    late = [tick for tick in world.run(LATE_S) if not is_safe(tick)]
    wrong = ['driven by samples that are late for good'] if late else []
    del world.lies['sample']
    wrong += ['never driven again'] if all(map(is_safe, world.run(LATE_S))) else []
    return with_wrong(found, wrong)
