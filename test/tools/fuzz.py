"""A broken world around the safety core and the sink: seeded, endless, judged at every step.

    python test/tools/fuzz.py --steps 1000000 --seed 0 --jobs 2
    python test/tools/fuzz.py --steps 100000000 --journal runs/fuzz.jsonl  # may be broken off

Prints what was unsafe, and the steps executed against those expected. Ends with 1 where a command
was unsafe, a step is missing, or a mode or driver that no step was in.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_journal import Journal, Tally, fingerprint, total
from fuzz_lies import Lies
from fuzz_parameters import drawn

from quad_learner.configuration import read
from quad_learner.resources import config_directory
from quad_learner.robot.command_judge import CommandJudge, Witness
from quad_learner.robot.model import RobotModel, load
from quad_learner.robot.signals import Estimate, Health, JointCommand, JointTarget, SensorSample
from quad_learner.robot.sink import CommandSink
from quad_learner.safety.config import SafetyConfig
from quad_learner.safety.core import SafetyCore
from quad_learner.safety.modes import Authority, Mode, Reason
from quad_learner.safety.state import SafetyInputs

WORLD_STEPS = 2_000
"""steps of one world: 25 s, after which another begins with another seed"""
BATCH = 25
"""worlds a batch, some 15 s: what is lost where somebody breaks it off"""
SEED_APART = 1_000_000
"""worlds between two seeds"""
TOLD_EVERY = 1_000_000
"""steps, some five minutes of one core"""
ROBOTS = ('a1', 'minitaur')
CALM = 0.97
"""of the steps without a fault begin none"""
SPELL = 0.15
"""of the steps with a fault end it: seven steps in the mean, a tenth of a second"""
HURRIED = {
    'clear_time_s': 0.05,
    'rearm_interval_s': 0.2,
    'latch_trips': 20,
    'latch_after_s': 0.5,
    'aloft_time_s': 0.1,
    'motor_lost_time_s': 0.03,
    'motor_load_share': 0.05,
    'motor_stall_share': 0.2,
    'motor_stall_speed_rad_s': 2.0,
    'motor_stall_time_s': 0.2,
}
"""parameters that let the robot drive more often between two faults, and notice a motor sooner"""
DRAWN = 0.5
"""of the worlds have parameters drawn over their ranges, on top of either"""
GAPS = np.array((1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.3, 0.0, 1.7, 5.0))
"""of a period, from one step to the next"""
UNSURE = np.eye(3)
"""covariances of every estimate: safety does not go by them"""
BLOCK = 256
"""random numbers are drawn for so many steps at once"""


@functools.cache
def known_robot(name: str) -> RobotModel:
    """Returns the robot; its file is read once a process."""
    return load(name)


@functools.cache
def known_config(hurried: bool) -> SafetyConfig:
    """Returns what is shipped, or `HURRIED`; the file is read once a process."""
    changed = HURRIED if hurried else {}
    return read(SafetyConfig, config_directory() / 'safety.yaml', changed)


class World(Lies):
    """One robot, its safety core, its sink, and everybody who may lie to them."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        robot = known_robot(str(self.rng.choice(list(ROBOTS))))
        if self.rng.random() < 0.5:
            weak = float(self.rng.uniform(0.02, 0.3))
            robot = dataclasses.replace(
                robot,
                power_max=weak * robot.power_max,
                power_continuous=weak * robot.power_continuous,
            )
        config = known_config(hurried=self.rng.random() < 0.8)
        self.is_drawn = self.rng.random() < DRAWN
        if self.is_drawn:
            config = drawn(self.rng, robot, config)
        self.robot: RobotModel = robot
        self.core = SafetyCore(robot, config)
        self.core._failed = self._failed  # type: ignore[method-assign]
        self.state = self.core.initial(int(self.rng.integers(2**32)))
        self.judge = CommandJudge(robot, dataclasses.asdict(config))
        self.sink = CommandSink(robot)
        self.period = 1e9 / robot.command_hz
        self.now_ns = 60_000_000_000
        self.count = 0
        self.fault = ''
        self.angle = robot.stance.copy()
        self.speed = np.zeros_like(self.angle)
        self.inputs = SafetyInputs()
        self.requests = {'policy': 0, 'reset': 0}
        self.goal = robot.stance
        self.found: list[str] = []
        self.seen: Counter[str] = Counter()
        self.chance = self._chances()
        self.faults = self.names()

    def _chances(self) -> Iterator[tuple[float, Any]]:
        joints = len(self.robot.joints)
        while True:
            yield from zip(
                self.rng.random((BLOCK, 6)).tolist(),
                self.rng.standard_normal((BLOCK, 2, joints)),
                strict=True,
            )

    def step(self) -> None:
        """Lets some time pass, everybody speak, safety answer and the sink and the judge look."""
        (dice, gap, ask, knock, resume, pick), noise = next(self.chance)
        if self.fault and dice < SPELL:
            self.fault = ''
        elif not self.fault and dice > CALM:
            self.fault = self.faults[int(pick * len(self.faults))]
        self.count += 1
        self.now_ns += int(GAPS[int(gap * len(GAPS))] * self.period)
        self._move(noise)
        told = self._told(ask, knock)
        told |= {'operator_resume': resume < 0.1, 'operator_stop': False, 'let_go': False}
        if self.fault:
            getattr(self, self.fault)(told, pick)
        self.inputs = dataclasses.replace(self.inputs, **told)
        inputs = self.broken() if self.fault == 'bad_nonsense' else self.inputs
        command, self.state = self.core.step(self.state, inputs, self.now_ns)
        self._judge(command)
        self._sink(command, knock)

    def _move(self, noise: Any) -> None:
        """The legs follow what was sent, roughly; some commands throw them about."""
        sent = self.state.command
        self.speed = 0.7 * self.speed + noise[0] * 1.5 * (4.0 if self.count % 97 < 5 else 1.0)
        pull = 0.2 * (sent.position - self.angle) * (sent.kp > 0.0)
        self.angle = self.angle + pull + 0.01 * noise[1]
        if self.count % 2:
            self.goal = self.robot.stance + 0.3 * noise[1]

    def _told(self, ask: float, knock: float) -> dict[str, Any]:
        now, requests = self.now_ns, self.requests
        if ask < 0.10:
            requests['policy' if ask < 0.07 else 'reset'] += 1
        robot, level = self.robot, np.array((0.0, 0.0, 0.0, 1.0))
        sent = self.state.command
        torque = sent.kp * (sent.position - self.angle) - sent.kd * self.speed
        told: dict[str, Any] = {
            'sample': SensorSample(
                now, self.angle, self.speed, torque, level, 0.1 * self.speed[:3],
                self.angle[:3], np.full(len(robot.feet), 2.0 * robot.foot_force_threshold),
            ),
            'estimate': Estimate(
                now, level[:3], level, level[:3], level[:3], UNSURE, UNSURE,
                np.ones(len(robot.feet), np.bool_), True,
            ),
        }  # fmt: skip
        for name, source in (('policy', Authority.POLICY), ('reset', Authority.RESET)):
            request = 0 if 0.10 < ask < 0.11 else requests[name]
            told[name] = JointTarget(now, source, request, self.goal, robot.kp, robot.kd)
        if self.count % 40 == 1:
            warm = np.full(len(robot.joints), 30.0 + 41.0 * knock)
            told['health'] = Health(now, robot.battery_full_voltage, 0.9, warm)
        heard = (*told, 'battery', 'warmth') if 'health' in told else tuple(told)
        return told | {f'{name}_received_ns': now for name in heard if name != 'health'}

    def _failed(self, *step: Any) -> Any:
        """A step may fail where it is handed no input at all, and nowhere else."""
        if self.fault != 'bad_nonsense':
            self.found.append(f'step {self.count}: failed with {sys.exc_info()[1]!r}')
        return SafetyCore._failed(self.core, *step)

    def _judge(self, command: JointCommand) -> None:
        mode, driver = command.mode.name, command.authority.name
        self.seen['with drawn parameters'] += self.is_drawn
        self.seen[f'{mode} {driver}'] += 1
        self.seen[f'reasons {int(command.reasons) & 31}'] += 1
        self.seen['motor lost'] += Reason.MOTOR_LOST in command.reasons
        self.seen['motor stalled'] += Reason.MOTOR_STALLED in command.reasons
        self.seen['lifted'] += Reason.LIFTED in command.reasons
        health = self.inputs.health
        witness = Witness(
            self.state.watch.sample,
            getattr(self.inputs, driver.lower(), None),
            None if health is None else health.motor_temperature,
            self.inputs.operator_resume,
        )
        for wrong in self.judge.check(command, self.now_ns, witness):
            self.found.append(f'step {self.count}: {wrong} ({mode} {driver})')

    def _sink(self, command: JointCommand, knock: float) -> None:
        """The sink hears some commands spoiled; what it trusts must still be safe."""
        spoiled = knock < 0.05
        if spoiled:
            told = {'command': command}
            field = ('position', 'kp', 'kd', 'effort')[int(knock * 1e4) % 4]
            self.spoil(told, 'command', field, knock * 20.0)
            command = told['command']
        self.sink.accept(command, self.now_ns, self.state.watch.sample)
        trusted = self.sink.current(self.now_ns)
        self.seen['trusted' if trusted is not None else 'damped'] += 1
        if spoiled and trusted is command and not self._is_harmless(command):
            self.found.append(f'step {self.count}: the sink trusts {command}')

    def _is_harmless(self, command: JointCommand) -> bool:
        """By rules of its own: whatever the sink lets pass must be this."""
        robot, slack = self.robot, 2e-6
        inside = (command.position >= robot.position_min - slack) & (
            command.position <= robot.position_max + slack
        )
        gains = (command.kp >= 0.0) & (command.kp <= 3.0 * robot.kp) & (command.kd > 0.0)
        effort = np.abs(command.effort) <= robot.torque_max
        return bool(
            inside.all() and gains.all() and effort.all() and np.isfinite(command.kd).all()
        )


def live(seed: int, steps: int = WORLD_STEPS) -> Tally:
    """Returns what one world of `steps` steps has come to."""
    world = World(seed)
    for _ in range(steps):
        world.step()
    return Tally(world.judge.judged, world.seen, [f'seed {seed}: {line}' for line in world.found])


def live_all(first: int, worlds: int) -> Tally:
    """Returns what so many worlds have come to, whose seeds follow each other."""
    return total(live(seed) for seed in range(first, first + worlds))


def fuzz(steps: int, seed: int, jobs: int, journal: Journal) -> Iterator[Tally]:
    """Yields what as many worlds as `steps` need have come to, by batches, the known ones first.

    Args:
        steps: to make.
        seed: of the first world, a million apart; each has one of its own.
        jobs: processes.
        journal: of what is done already; what is done now is noted there.
    """
    worlds, first = -(-steps // WORLD_STEPS), seed * SEED_APART
    batches = [(first + begin, min(BATCH, worlds - begin)) for begin in range(0, worlds, BATCH)]
    done_before = {batch: journal.known(*batch) for batch in batches}
    yield from filter(None, done_before.values())
    ignore = (signal.SIGINT, signal.SIG_IGN)  # breaking off is the parent's matter
    with ProcessPoolExecutor(jobs, initializer=signal.signal, initargs=ignore) as pool:
        left = [batch for batch, tally in done_before.items() if tally is None]
        running = {pool.submit(live_all, *batch): batch for batch in left}
        try:
            for done in as_completed(running):
                journal.note(*running[done], done.result())
                yield done.result()
        finally:
            pool.shutdown(cancel_futures=True)


def missing(tally: Tally) -> set[str]:
    """Returns the modes and drivers that no step was in."""
    ways = {f'{mode.name} NOBODY' for mode in Mode if mode is not Mode.ACTIVE}
    ways |= {'ACTIVE POLICY', 'ACTIVE RESET', 'trusted', 'damped'}
    return ways - set(tally.seen)


def main() -> int:
    """Fuzzes, prints, returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--steps', type=int, required=True)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--jobs', type=int, default=os.cpu_count() or 1)
    parser.add_argument('--journal', type=Path, help='of what is done: another call goes on there')
    options = parser.parse_args()
    names = ('safety', *(f'robots/{name}' for name in ROBOTS))
    facts = [config_directory() / f'{name}.yaml' for name in names]
    parts = sorted(Path(__file__).parent.glob('fuzz*.py'))
    journal = Journal(options.journal, fingerprint([*facts, *parts]))
    tally = Tally(0, Counter(), [])
    try:
        for batch in fuzz(options.steps, options.seed, options.jobs, journal):
            before, tally = tally, total((tally, batch))
            if before.steps // TOLD_EVERY != tally.steps // TOLD_EVERY:
                told = f'{tally.steps:,} of {options.steps:,} steps; unsafe {len(tally.found)}'
                print(told, file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print('broken off' + (': the same call goes on' if options.journal else ''))
    for line in sorted(tally.found)[:20]:
        print(line)
    print(dict(sorted(tally.seen.items())))
    unsafe = len(tally.found)
    print(f'fuzz steps: executed {tally.steps}, expected {options.steps}; unsafe {unsafe}')
    done = tally.steps >= options.steps and not tally.found and not missing(tally)
    return 0 if done else 1


if __name__ == '__main__':
    sys.exit(main())
