"""Rows 16, 18, 25, 35, 52, 53, 59: messages and steps that come late, again, in heaps or never."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np

from faults.finding import (
    Finding,
    driver_of,
    is_safe,
    row,
    silence,
    through,
    until_stop,
    with_wrong,
)
from faults.world import EPOCH, STOPS, Tick, World
from quad_learner.robot.signals import NANOSECONDS
from quad_learner.safety.modes import Authority, Mode, Reason

SLOW_S = 0.5
"""[s] that one inference takes"""
STARVED_S = 0.15
"""[s] for which safety does not run: longer than a command lives"""
LOSS, DELAY_NS, SPREAD_NS = 0.2, 20_000_000, 5_000_000
"""of messages lost; how late the others are, and how unevenly"""
STORM_S, CALM_S = 6.0, 8.0
"""[s] that the bad connection lasts, and in which the robot must be driven again"""
BACK_S = 5.0
"""[s] in which health is known again and the robot back on its feet, if it is driven"""
CUT_S = 0.5
"""[s] of no connection at all"""


def _requests(ticks: list[Tick]) -> set[tuple[str, int]]:
    """Returns who drove, by which request."""
    commands = [tick.trusted for tick in ticks if tick.trusted is not None]
    return {(c.authority.name, c.request) for c in commands if c.mode is Mode.ACTIVE}


def _rearmed_by_itself(world: World, before: tuple[str, int], seconds: float) -> list[str]:
    """Lets time pass; says so where the session of before the fault drives on."""
    return [f'{before} drives on'] if before in _requests(world.run(seconds)) else []


@row(16)
@row(35)
def safety_starts_anew(world: World) -> Finding:
    """The process died, as the robot sees; another epoch, and the driver says what it said."""
    before = (world.command.authority.name, world.command.request)
    asked = world.command.request
    world.lies[driver_of(world)] = through(lambda t: dataclasses.replace(t, request=asked))
    world.sink.abandon()
    world.state = world.core.initial(EPOCH + 1)
    world.inputs = type(world.inputs)()
    found = until_stop(world, 0.1, lasts=False)
    return with_wrong(found, _rearmed_by_itself(world, before, BACK_S))


@row(18)
def clock_stands_then_runs_back(world: World) -> Finding:
    """No time passes: the target stays. Then time runs back: a stop."""
    period, wrong = world.period_ns, []
    world.before.append(lambda: setattr(world, 'clock_offset_ns', world.clock_offset_ns - period))
    world.tick()
    held = world.command.position
    for tick in world.run(0.1):
        moved = np.abs(tick.command.position - held).max() if tick.command else 0.0
        stiff = tick.command is not None and tick.command.kp.any()
        wrong += [f'the target moved by {moved}'] if stiff and moved > 0.0 else []
    world.before.clear()
    world.clock_offset_ns -= NANOSECONDS
    return with_wrong(until_stop(world, 0.1), wrong)


@row(25)
def slow_inference(world: World) -> Finding:
    """A target each half second; between them the robot is stopped, and none is made up for."""
    channel, last = driver_of(world), [0]

    def slowly(target: Any) -> list[tuple[int, Any]]:
        due = target.time_ns - last[0] >= SLOW_S * NANOSECONDS
        last[0] = target.time_ns if due else last[0]
        return [(0, target)] if due else []

    last[0] = world.sim.time_ns
    world.lies[channel] = slowly
    heard_ns = getattr(world.inputs, channel).time_ns
    found = until_stop(world, 0.5, since_ns=heard_ns, lasts=False)
    moved = np.abs(np.diff([t.command.position for t in world.run(0.8)], axis=0)).max()
    fastest = world.configs.parts.safety.policy_target_speed_rad_s / world.robot.command_hz
    return with_wrong(found, [f'caught up by {moved} rad'] if moved > fastest + 1e-9 else [])


@row(32)
def estimator_dies(world: World) -> Finding:
    """Its last word grows old; the session that it stopped does not go on."""
    before = (world.command.authority.name, world.command.request)
    world.lies['estimate'] = silence
    last_ns = world.inputs.estimate.time_ns if world.inputs.estimate else world.now_ns
    found = until_stop(world, 0.5, since_ns=last_ns, lasts=False)
    world.lies.clear()
    return with_wrong(found, _rearmed_by_itself(world, before, 1.0))


@row(52)
def bad_connection(world: World) -> Finding:
    """Messages lost, late and in disorder, on every channel; then all is well again."""
    rng = np.random.default_rng(5)

    def badly(message: Any) -> list[tuple[int, Any]]:
        late = DELAY_NS + round(SPREAD_NS * rng.uniform(-1.0, 1.0))
        return [] if rng.random() < LOSS else [(late, message)]

    for channel in ('sample', 'estimate', 'policy', 'reset', 'command'):
        world.lies[channel] = badly
    ticks = world.run(STORM_S)
    stops = sum(is_safe(tick) and not is_safe(last) for last, tick in itertools.pairwise(ticks))
    world.lies.clear()
    driven = [tick for tick in world.run(CALM_S) if not is_safe(tick)]
    back = any(t.trusted.authority is Authority.POLICY for t in driven if t.trusted)
    wrong = [] if back else ['policy never drives again']
    return Finding(None, f'{stops} stops in {STORM_S:g} s, recovers', tuple(wrong))


@row(53)
def partition(world: World) -> Finding:
    """Robot and safety hear nothing of each other, then do: the old session does not go on."""
    before = (world.command.authority.name, world.command.request)
    for channel in ('sample', 'health', 'command'):
        world.lies[channel] = silence
    last_heard_ns = world.now_ns - world.period_ns
    found = until_stop(world, CUT_S, since_ns=last_heard_ns)
    last = world.run(0.1)[-1]
    sides = (last.trusted is None, last.command is not None and last.command.mode in STOPS)
    wrong = [] if all(sides) else [f'robot and safety stopped: {sides}']
    world.lies.clear()
    wrong += _rearmed_by_itself(world, before, 1.0)
    return with_wrong(found, wrong)


@row(59)
def starvation(world: World) -> Finding:
    """Safety is not run for a while: the robot damps itself, and safety stops when it is back."""
    last_ns = world.now_ns - world.period_ns
    world.safety_runs = False
    found = until_stop(world, STARVED_S, since_ns=last_ns, lasts=False)
    world.safety_runs = True
    tick = world.tick()
    told = tick.command is not None and Reason.STEP_LATE in tick.command.reasons
    return with_wrong(found, [] if told else ['safety does not say that it was late'])
