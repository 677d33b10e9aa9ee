"""Rows 19 to 23, 31, 58, 64 and 70: drivers that talk nonsense, too much or nothing."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faults.finding import Finding, driver_of, row, silence, through, until_stop, with_wrong
from faults.world import Tick, World, words
from quad_learner.robot.signals import JointTarget
from quad_learner.safety.modes import CLIPS, Mode, Reason
from quad_learner.safety.state import SafetyInputs

Array = NDArray[np.float64]
FAR_RAD = 10.0
"""beyond any joint's limit"""
ASIDE = 'FR_hip_joint'
STEP_RAD = 0.6
"""from one decision to the next: 24 rad/s at 40 Hz, more than any target may do"""
SWING_RAD = 0.32
"""the reach of the policy's action"""
TRIED_S = 0.6
"""[s] for which a driver misbehaves within the limits"""
STILL_RAD_S = 0.5
"""of a joint, in the mean: a robot that stands does not shake"""
HALF = 1e-6
"""[rad] rounding"""


def _alter(world: World, change: Any) -> None:
    world.lies[driver_of(world)] = through(change)


def _clips(ticks: list[Tick]) -> str:
    said = Reason.NONE
    for tick in ticks:
        said |= (tick.command.reasons if tick.command else Reason.NONE) & CLIPS
    modes = dict.fromkeys(tick.command.mode.name for tick in ticks if tick.command)
    return f'{", ".join(modes)} {words(said)}'


def _moves(ticks: list[Tick]) -> Array:
    """Returns the way of each stiff target from one command to the next [rad]."""
    sent = [tick.command for tick in ticks if tick.command is not None]
    ways = [
        np.abs(b.position - a.position) * ((a.kp > 0.0) & (b.kp > 0.0))
        for a, b in itertools.pairwise(sent)
    ]
    return np.array(ways)


@row(19)
def not_finite(world: World) -> Finding:
    _alter(world, lambda t: dataclasses.replace(t, position=np.full(12, np.nan)))
    return until_stop(world, 0.5, since_ns=_next_decision(world), lasts=False)


@row(20)
def outside_bounds(world: World) -> Finding:
    """One foot is put far aside, by which the robot does not fall.

    That no command leaves the limits meanwhile is the judge's to say.
    """
    aside = np.zeros(len(world.robot.joints))
    aside[world.robot.joints.index(ASIDE)] = -FAR_RAD
    _alter(world, lambda t: dataclasses.replace(t, position=t.position + aside))
    return until_stop(world, 2.0, since_ns=_next_decision(world), lasts=False)


@row(21)
def steps_too_large(world: World) -> Finding:
    way = itertools.cycle((STEP_RAD, -STEP_RAD))
    _alter(world, lambda t: dataclasses.replace(t, position=t.position + next(way)))
    settings = world.configs.parts.safety
    fastest = max(settings.policy_target_speed_rad_s, settings.reset_target_speed_rad_s)
    ticks = world.run(TRIED_S)
    furthest = float(_moves(ticks).max())
    wrong = [f'moved by {furthest} rad'] if furthest > fastest / 80.0 + HALF else []
    return Finding(None, _clips(ticks), tuple(wrong))


@row(22)
def bang_bang(world: World) -> Finding:
    """Each joint from end to end of the action's reach at the rate of decisions."""
    way = itertools.cycle((SWING_RAD, -SWING_RAD))
    robot = world.robot
    _alter(world, lambda t: dataclasses.replace(t, position=robot.stance + next(way)))
    return until_stop(world, 2.0, since_ns=_next_decision(world), lasts=False)


@row(23)
@row(64)
def silent_driver(world: World) -> Finding:
    """The time counts from the last target that was heard."""
    world.lies[driver_of(world)] = silence
    last = getattr(world.inputs, driver_of(world)).time_ns
    return until_stop(world, 0.5, since_ns=last, lasts=False)


@row(31)
def step_raises(world: World) -> Finding:
    """Something in the step cannot be evaluated: an input that is no input."""
    world.inputs = SafetyInputs(**{**vars(world.inputs), 'policy': 7, 'reset': 7})
    world.lies |= {'policy': silence, 'reset': silence}
    try:
        return until_stop(world, 0.1)
    except AttributeError as error:
        return Finding(None, f'raises {error!r}', ('the process would end',))


@row(58)
def undamped(world: World) -> Finding:
    """All gains are within their bounds or none are: as stiff as can be, and no damping."""
    robot = world.robot
    _alter(world, lambda t: dataclasses.replace(t, kp=robot.kp * 3.0, kd=np.zeros_like(robot.kd)))
    ticks = world.run(1.0)
    speeds = []
    for _ in range(robot.command_hz // 2):
        ticks.append(world.tick())
        speeds.append(np.abs(world.sim.sense().joint_velocity).mean())
    least = min(float(t.command.kd.min()) for t in ticks if t.command)
    wrong = [f'damping of {least}'] if least <= 0.0 else []
    shakes = float(np.mean(speeds))
    wrong += [f'shakes at {shakes:.1f} rad/s'] if shakes > STILL_RAD_S else []
    return Finding(None, f'{_clips(ticks)}, {shakes:.2f} rad/s', tuple(wrong))


@row(70)
def operator_in_every_fault(world: World) -> Finding:
    """In one step from now, whatever else is wrong with the inputs; and it lasts."""
    given, now_ns, wrong = vars(world.inputs), world.now_ns, []
    for name, spoilt in _other_faults(world).items():
        inputs = SafetyInputs(**{**given, **spoilt, 'operator_stop': True})
        command, state = world.core.step(world.state, inputs, now_ns)
        released = SafetyInputs(**{**given, **spoilt})
        later, _ = world.core.step(state, released, now_ns + world.period_ns)
        modes = (command.mode, later.mode)
        told = command.reasons & (Reason.OPERATOR | Reason.INTERNAL)
        if modes != (Mode.LATCHED_STOP,) * 2 or not told:
            wrong.append(f'{name}: {modes}')
    world.operator_stop = True
    return with_wrong(until_stop(world, 0.5), wrong)


def _other_faults(world: World) -> dict[str, dict[str, Any]]:
    sample, nothing = world.sim.sense(), np.full(12, np.nan)
    policy: JointTarget | None = world.inputs.policy
    assert policy is not None
    old = world.now_ns - 10**9
    return {
        'none': {},
        'bad joint': {'sample': dataclasses.replace(sample, joint_position=nothing)},
        'no sample': {'sample': None},
        'old sample': {'sample_received_ns': old},
        'no estimate': {'estimate': None},
        'no health': {'health': None},
        'bad policy': {'policy': dataclasses.replace(policy, position=nothing)},
        'silent policy': {'policy': None},
        'silent reset': {'reset': None},
        'no message': {'sample': 'noon'},
    }


def _next_decision(world: World) -> int:
    """Returns when the next decision is due [ns]."""
    tick = world.ticks.index(world.sim.time_ns)
    per = world.robot.ticks_per_decision
    return world.now_ns + (-tick % per) * world.period_ns
