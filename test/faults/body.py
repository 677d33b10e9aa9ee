"""Rows 63, 65 to 69 and 71: what happens to the body, in PyBullet."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pybullet
from numpy.typing import NDArray

from faults.finding import (
    Finding,
    is_safe,
    row,
    through,
    until_stop,
    with_wrong,
)
from faults.world import World
from quad_learner.reset.get_up import GetUp
from quad_learner.reset.state import State
from quad_learner.robot.signals import NANOSECONDS, Estimate, Health, JointTarget, SensorSample
from quad_learner.safety.modes import Authority, Reason

LOST = 5
"""the motor that fails: the lower leg of the front left, which bears weight in a stand"""
LOAD = 0.15
"""of the motor's limit, which a stance asks of it"""
COOL_C, WARM_C, HOT_C = 30.0, 65.0, 75.0
"""far below derating, between derating and limit; above the limit of 70"""
SAGGED = 0.05
"""of full, below the least at which the robot is driven"""
TIPPED_N = 120.0
"""sideways on a body of 12 kg: a firm push that does not end"""
LIFTED_M, LIFTED_N = 0.3, 300.0
"""a leg's length, by a hand that is strong enough for two of it"""
ON_BACK, ON_SIDE = 3.1, 1.57
TRAPPED_S = 20.0
"""[s] in which reset tries to get up with a leg that does not unfold"""
JAMMED_NM = 1000.0
"""thirty times what its motor can do"""
BURIED_N = 600.0
"""on a body of 12 kg: five times its weight, more than its legs lift"""
COOL_S = 1.0
"""[s] between two rounds: a minute would only take longer"""
ROUND_TOO_LONG_S = 40.0
"""[s] thirty, lying down, and what safety takes to let it begin"""
FENCE_M, BRAKING_M_S2, LEAP_M = 1.5, 1.0, 1.0
"""[m] half a side; [m/s²] what is counted on; [m] what no robot does in a decision"""
OUTWARD_M_S = np.array((0.0, 0.8, 0.0))
GAP_TICKS = 6
"""75 ms without a sample: the estimator coasts for 50, safety bears 100"""


def _health(world: World, **changes: Any) -> Health:
    return dataclasses.replace(world.sim.health(), time_ns=world.sim.time_ns + 1, **changes)


def _warm(world: World, temperature: float) -> Health:
    return _health(world, motor_temperature=np.full(12, temperature))


@row(66)
def hot_motors(world: World) -> Finding:
    """Warm takes torque, hot stops, and so does a sensor that is lost."""
    world.say('health', _warm(world, WARM_C))
    world.tick()
    strength, wrong = world.state.watch.strength, []
    if strength is None or not (strength < 1.0).all():
        wrong.append('warm motors keep all their torque')
    lost, _ = world.core.step(
        world.state,
        dataclasses.replace(world.inputs, health=_warm(world, np.nan)),
        world.now_ns + world.period_ns,
    )
    if Reason.OVER_TEMPERATURE not in lost.reasons:
        wrong.append('a lost sensor is not taken for heat')
    world.lies['health'] = through(lambda h: _warm(world, HOT_C))
    world.say('health', None)
    return with_wrong(until_stop(world, 0.5), wrong)


@row(68)
def empty_battery(world: World) -> Finding:
    """Empty stops and blocks; unknown is empty."""
    lost, _ = world.core.step(
        world.state,
        dataclasses.replace(world.inputs, health=_health(world, battery_charge=np.nan)),
        world.now_ns + world.period_ns,
    )
    wrong = [] if Reason.LOW_BATTERY in lost.reasons else ['an unknown battery drives']
    world.lies['health'] = through(lambda h: _health(world, battery_charge=SAGGED))
    world.say('health', None)
    found = until_stop(world, 0.5)
    driven = [tick for tick in world.run(2.0) if not is_safe(tick)]
    return with_wrong(found, [*wrong, *(['driven on an empty battery'] if driven else [])])


@row(67)
def motor_lost(world: World) -> Finding:
    """One motor makes no torque, and its sensor says so."""
    make = world.sim._actuators.torque

    def without(position: Sequence[float], velocity: Sequence[float]) -> list[float]:
        torques = make(position, velocity)
        torques[LOST] = 0.0
        return torques

    world.sim._actuators.torque = without  # type: ignore[method-assign]
    end_ns = world.now_ns + NANOSECONDS
    loaded = 0
    while loaded < 2 and world.now_ns < end_ns:
        loaded = loaded + 1 if _is_loaded(world) else 0
        world.tick()
    return until_stop(world, 2.0)


def _is_loaded(world: World) -> bool:
    """Tells whether the motor that is lost is asked for more than a little."""
    command, (angles, speeds) = world.command, world.sim.world.joints()
    spring = command.kp[LOST] * (command.position[LOST] - angles[LOST])
    asked = spring - command.kd[LOST] * speeds[LOST]
    return bool(asked * spring > 0.0 and abs(asked) > LOAD * world.robot.torque_max[LOST])


@row(69)
def estimate_starts_anew(world: World) -> Finding:
    """No sample for longer than the estimator coasts, and no longer than safety bears.

    In other worlds the estimate leaps, and leads out of a fence: both are healthy by its own word.
    """
    leapt, fenced = World(world.doing), World(world.doing, fence_m=FENCE_M)
    for other, speed in ((leapt, np.zeros(3)), (fenced, OUTWARD_M_S)):
        other.settle()
        other.lies['estimate'] = through(_led_away(other, speed))
    told = [until_stop(other, 5.0, lasts=False) for other in (leapt, fenced)]
    wrong = [*told[0].wrong, *told[1].wrong]
    wrong += ['a leap is no stop'] if 'ESTIMATE_UNHEALTHY' not in told[0].reaction else []
    place = fenced.inputs.estimate.position[:2]
    reach = float(OUTWARD_M_S @ OUTWARD_M_S) / (2.0 * BRAKING_M_S2)
    wrong += [f'stopped at {place}'] if np.abs(place).max() + reach > FENCE_M else []
    tick = world.ticks.index(world.sim.time_ns)
    late = tick + GAP_TICKS + (tick + GAP_TICKS) % world.robot.ticks_per_decision
    back_ns = late * NANOSECONDS // world.robot.command_hz
    world.lies['sample'] = lambda s: [(0, s)] if s.time_ns >= back_ns else []
    found = until_stop(world, 0.5, lasts=False)
    said = '; '.join((found.reaction, *(each.reaction for each in told)))
    return with_wrong(found._replace(reaction=said), wrong)


def _led_away(world: World, speed: NDArray[np.float64]) -> Callable[[Estimate], Estimate]:
    """Moves the place at a speed from the origin on; without one it leaps there from afar."""
    began_ns = world.now_ns

    def led(estimate: Estimate) -> Estimate:
        place = speed * (estimate.time_ns - began_ns) / NANOSECONDS
        leap = np.zeros(3) if speed.any() else np.full(3, LEAP_M)
        return dataclasses.replace(
            estimate, position=place + leap, velocity_body=speed, healthy=True
        )

    return led


@row(71)
def handled(world: World) -> Finding:
    """A hand pushes the body over; another one, in another world, lifts it level."""
    lifted = World(world.doing)
    lifted.settle()
    _lift(lifted)
    held = until_stop(lifted, 2.0, lasts=False)
    wrong = [] if held.reaction == 'SOFT_STOP LIFTED' else [f'lifted: {held.reaction}']
    _push(world, (0.0, TIPPED_N, 0.0))
    found = until_stop(world, 3.0, lasts=False)
    return with_wrong(found._replace(reaction=f'{found.reaction}; {held.reaction}'), wrong)


def _lift(world: World) -> None:
    """Holds the trunk level, as far above where it is as no foot reaches the ground."""
    physics = world.sim.world
    number, client = physics._number, physics.client
    (x, y, z), _ = pybullet.getBasePositionAndOrientation(number, physicsClientId=client)
    hand = pybullet.createConstraint(
        number, -1, -1, -1, pybullet.JOINT_FIXED, (0, 0, 0), (0, 0, 0), (x, y, z + LIFTED_M),
        physicsClientId=client,
    )  # fmt: skip
    pybullet.changeConstraint(hand, maxForce=LIFTED_N, physicsClientId=client)


def _push(world: World, newton: tuple[float, float, float]) -> None:
    impulse = np.array(newton) / world.robot.command_hz
    world.before.append(lambda: world.sim.push(impulse))


class _Bold:
    """A driver that asks whatever the posture."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._asked = 1000

    def target(self, sample: SensorSample) -> JointTarget:
        self._asked += 1
        robot = self._world.robot
        return JointTarget(
            sample.time_ns, Authority.POLICY, self._asked, robot.stance, robot.kp, robot.kd
        )


@row(65)
def impossible_postures(world: World) -> Finding:
    """On its back and side, policy asks at every decision. Then a folded leg is trapped."""
    world.policy = _Bold(world)  # type: ignore[assignment]
    wrong, refused = [], Reason.NONE
    for roll in (ON_BACK, ON_SIDE):
        world.lay(roll)
        for _ in range(world.robot.command_hz):
            tick = world.tick()
            refused |= tick.command.reasons if tick.command else Reason.NONE
            command = tick.trusted
            driven = command is not None and command.authority is Authority.POLICY
            if driven and world.get_up.state is not State.READY:
                wrong.append(f'policy drives at a roll of {roll} rad')
                break
    said = 'refused TILT' if Reason.TILT in refused else 'not refused'
    trapped = World(world.doing)
    trapped.settle()
    trapped.lay(0.0)
    _jam(trapped)
    stalled = until_stop(trapped, TRAPPED_S, lasts=False)
    return Finding(None, f'{said}; {stalled.reaction}', (*wrong, *stalled.wrong))


def _jam(world: World) -> None:
    """Lets one lower leg turn no more, whatever its motor does."""
    physics = world.sim.world
    pybullet.setJointMotorControl2(
        physics._number, physics._body.joints[LOST], pybullet.VELOCITY_CONTROL, targetVelocity=0.0,
        force=JAMMED_NM, physicsClientId=physics.client,
    )  # fmt: skip


@row(63)
def cannot_get_up(world: World) -> Finding:
    """Something heavy lies on it: three rounds of thirty seconds at most, then rest for good."""
    world.get_up = GetUp(
        world.robot, dataclasses.replace(world.configs.parts.reset, cool_down=COOL_S)
    )
    world.lay(ON_BACK)
    _push(world, (0.0, 0.0, -BURIED_N))
    # Told that motors are cool: else it rests in the middle of a round until they are.
    world.lies['health'] = through(lambda h: _warm(world, COOL_C))
    spent: list[float] = []
    began_ns, was_given_up = world.now_ns, False
    while not world.get_up.waits_for_a_person:
        world.tick()
        given_up = world.get_up.state is State.GIVE_UP
        if given_up and not was_given_up:
            spent.append((world.now_ns - began_ns) / NANOSECONDS)
        if was_given_up and not given_up:
            began_ns = world.now_ns
        was_given_up = given_up
        if world.now_ns - began_ns > ROUND_TOO_LONG_S * NANOSECONDS:
            return Finding(None, 'goes on and on', ('does not give up',))
    after = world.run(3.0 * COOL_S)
    wrong = [] if len(spent) == 3 else [f'{len(spent)} rounds']
    if not all(map(is_safe, after)):
        wrong.append('went on after it had given up for good')
    return Finding(
        None, f'gives up, after {" + ".join(f"{s:.0f}" for s in spent)} s', tuple(wrong)
    )
