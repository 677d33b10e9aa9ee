"""Rows 14, 15, 26 to 30: commands to the robot that are not safety's, or no longer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from faults.finding import Finding, is_safe, row, silence, until_stop, with_wrong
from faults.world import EPOCH, World
from quad_learner.robot.signals import JointCommand
from quad_learner.safety.modes import Authority, Mode

ROGUE = 4711
"""the epoch of somebody else"""
RECORDED_S = 0.4
"""[s] of commands that are played again"""

Forgery = Callable[[JointCommand, World], JointCommand]


def _drives(command: JointCommand, **changes: object) -> JointCommand:
    active = {'mode': Mode.ACTIVE, 'authority': Authority.POLICY}
    return dataclasses.replace(command, **{**active, **changes})


FORGERIES: dict[str, Forgery] = {
    'another writer': lambda c, w: _drives(c, epoch=ROGUE, sequence=10**6),
    'other joints': lambda c, w: _drives(c, joints_hash=1, sequence=c.sequence + 1),
    'no lifetime': lambda c, w: _drives(c, lifetime_ns=0, sequence=c.sequence + 1),
    'for ever': lambda c, w: _drives(c, lifetime_ns=10**12, sequence=c.sequence + 1),
    'out of the box': lambda c, w: _drives(
        c, position=w.robot.position_max + 1.0, sequence=c.sequence + 1
    ),
    'undamped': lambda c, w: _drives(c, kd=np.zeros(12), sequence=c.sequence + 1),
    'too stiff': lambda c, w: _drives(c, kp=w.robot.kp * 10.0, sequence=c.sequence + 1),
    'not finite': lambda c, w: _drives(c, effort=np.full(12, np.nan), sequence=c.sequence + 1),
    'eleven joints': lambda c, w: _drives(c, kp=c.kp[:11], sequence=c.sequence + 1),
}


@row(14)
def doubled(world: World) -> Finding:
    """Each message twice: nothing moves faster. Then the last command for ever: it expires."""
    world.lies = {
        name: lambda message: [(0, message), (0, message)]
        for name in ('sample', 'estimate', 'policy', 'reset', 'command')
    }
    settings = world.configs.parts.safety
    fastest = max(settings.policy_target_speed_rad_s, settings.reset_target_speed_rad_s)
    last, wrong = world.command, []
    for tick in world.run(0.5):
        if tick.command is None or tick.command.mode is not Mode.ACTIVE:
            wrong.append('stopped for messages that came twice')
            break
        way = np.abs(tick.command.position - last.position).max()
        wrong += [f'a step of {way} rad'] if way > fastest / world.robot.command_hz + 1e-6 else []
        last = tick.command
    world.lies.clear()
    world.safety_runs = False
    world.before.append(lambda: world.say('command', last))
    last_ns = world.now_ns - world.period_ns
    return with_wrong(until_stop(world, 0.3, since_ns=last_ns), wrong[:3])


@row(15)
def out_of_order(world: World) -> Finding:
    """Older samples and commands after newer ones: as if they had not come."""
    wrong, sample, first = [], world.sim.sense(), world.command
    for _ in range(round(0.2 * world.robot.command_hz)):
        tick = world.tick()
        world.say('sample', dataclasses.replace(sample, joint_position=np.zeros(12)))
        world.say('command', first)
        world.deliver()
        trusted = world.sink.current(world.now_ns)
        sent = world.command
        if is_safe(tick) or trusted is None or trusted.sequence != sent.sequence:
            wrong.append(f'an older message is taken: {sent.mode.name}')
            break
    seen = world.sink.refusals['NOT_NEWER']
    wrong += [] if seen else ['no command was refused for its age']
    return Finding(None, f'ignored: NOT_NEWER {seen}', tuple(wrong))


@row(26)
def two_writers(world: World) -> Finding:
    """Somebody else sends beside safety, each period."""
    count = iter(range(10**6))

    def beside(command: JointCommand) -> list[tuple[int, JointCommand]]:
        return [(0, command), (0, _drives(command, epoch=ROGUE, sequence=next(count)))]

    world.lies['command'] = beside
    found = until_stop(world, 0.5)
    refused = ', '.join(sorted(world.sink.refusals))
    return found._replace(reaction=f'{found.reaction}: {refused}')


@row(27)
def past_safety(world: World) -> Finding:
    """Forged commands of each kind, once safety's own no longer come; none is followed."""
    genuine = world.command
    world.safety_runs = False
    forged = [forge(genuine, world) for forge in FORGERIES.values()]
    followed = set()

    def forge() -> None:
        for command in forged:
            world.say('command', command)

    world.before.append(forge)
    start = world.now_ns
    found = until_stop(world, 0.5, since_ns=start)
    trusted = world.sink.current(world.now_ns)
    followed |= {'a forgery is followed'} if trusted is not None else set()
    refused = ', '.join(sorted(world.sink.refusals))
    return with_wrong(found._replace(reaction=f'{found.reaction}: {refused}'), followed)


@row(28)
def replayed(world: World) -> Finding:
    """What was recorded is played again: beside safety, and after it has been started anew."""
    recorded = [tick.command for tick in world.run(RECORDED_S)]
    wrong = []

    def play() -> None:
        for command in recorded:
            world.say('command', command)

    world.before.append(play)
    beside = world.run(0.2)
    if any(tick.trusted is None for tick in beside):
        wrong.append('old commands of the same writer stop the robot')
    if {t.trusted.sequence for t in beside if t.trusted} & {c.sequence for c in recorded}:
        wrong.append('an old command is followed')
    world.state = world.core.initial(EPOCH + 1)
    world.before.clear()
    world.run(0.1)
    world.before.append(play)
    start = world.now_ns
    found = until_stop(world, 0.2, since_ns=start)
    driven = [t for t in world.run(0.5) if t.trusted is not None and t.trusted.epoch == EPOCH]
    return with_wrong(found, [*wrong, *(['the old epoch drives'] if driven else [])])


@row(29)
@row(30)
def safety_is_gone(world: World) -> Finding:
    """Killed or frozen: from the last command on; when it goes on it is late, and says so."""
    world.safety_runs = False
    last_ns = world.now_ns - world.period_ns
    found = until_stop(world, 0.5, since_ns=last_ns)
    world.safety_runs = True
    world.lies['command'] = silence
    stale = world.command
    world.sink.accept(stale, world.now_ns)
    wrong = [] if world.sink.current(world.now_ns) is None else ['its old command is followed']
    return with_wrong(found, wrong)
