"""A robot in PyBullet with everything between its sensors and its motors, and lies on the way.

The parts are those of the graph: simulated robot, estimator, get-up, safety core, sink and judge.
Every message goes by a channel on which a fault may drop, change, double or delay it. The clock is
the world's own, in virtual time: it is what safety and the sink go by.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faults.table import Doing
from quad_learner.estimation.estimator import Estimator
from quad_learner.evaluation import configs_of, shipped_files
from quad_learner.reset.get_up import GetUp
from quad_learner.reset.state import State
from quad_learner.robot.command_judge import CommandJudge, Witness
from quad_learner.robot.model import load
from quad_learner.robot.rotations import quaternion_from_rpy
from quad_learner.robot.signals import (
    NANOSECONDS,
    Estimate,
    Health,
    JointCommand,
    JointTarget,
    SensorSample,
)
from quad_learner.robot.sink import CommandSink
from quad_learner.robot.ticks import Ticks
from quad_learner.safety.core import SafetyCore
from quad_learner.safety.modes import Authority, Mode, Reason
from quad_learner.safety.state import SafetyInputs
from quad_learner.simulation.robot import SimulatedRobot

Array = NDArray[np.float64]
Lie = Callable[[Any], list[tuple[int, Any]]]
"""What becomes of a message: what arrives instead, each with its delay [ns]."""

STOPS = (Mode.SOFT_STOP, Mode.LATCHED_STOP)
EPOCH = 7
RHYTHM_HZ = 2.0
"""strides a second of the scripted trot"""
LIFT_RAD = 0.25
"""by which its upper legs swing; the lower ones twice as far"""
LEG_PHASE = (0.0, np.pi, np.pi, 0.0)
"""of FR, FL, RR, RL: a trot"""
SETTLED_S = 0.75
"""[s] that a state must have lasted before a fault: a stride and a half"""
PATIENCE_S = 20.0
"""[s] of robot time in which every state is reached"""


class Tick(NamedTuple):
    """What one tick came to."""

    now_ns: int
    command: JointCommand | None
    """what safety sent; None: nothing, for it is dead"""
    trusted: JointCommand | None
    """what the robot follows; None: it damps its joints"""


class Rhythm:
    """A driver that asks when the robot stands under reset, and then trots on the spot."""

    def __init__(self, world: World, swing: float) -> None:
        self._world, self._swing = world, swing
        self.request = 0
        self._count = 0

    def target(self, sample: SensorSample) -> JointTarget:
        """Returns the policy's target on a decision."""
        robot, command = self._world.robot, self._world.command
        driving = command.authority is Authority.POLICY and command.request == self.request
        if not driving:
            ready = command.authority is Authority.RESET and self._world.get_up.ready
            if not ready:
                self.request = 0
            elif self.request == 0:
                self._count += 1
                self.request = self._count
        swing = self.swing(sample.time_ns) if driving else 0.0
        return JointTarget(
            sample.time_ns,
            Authority.POLICY,
            self.request,
            robot.stance + swing,
            robot.kp,
            robot.kd,
        )

    def swing(self, time_ns: int) -> Array:
        """Returns by how far the trot leaves the stance [rad], (joints,)."""
        angle = 2.0 * np.pi * RHYTHM_HZ * time_ns / NANOSECONDS
        lift = np.maximum(np.sin(angle + np.array(LEG_PHASE)), 0.0) * self._swing
        return np.stack((np.zeros(4), lift, -2.0 * lift), axis=1).ravel()


class World:
    """One robot and all its parts."""

    def __init__(self, doing: Doing, seed: int = 0, **changed: Any) -> None:
        """Builds the parts; `settle` brings the robot into what it is to be doing.

        Args:
            doing: what that is.
            seed: of all chance.
            changed: parameters that differ from those of the package.
        """
        configs = configs_of(shipped_files(), seed=seed, **changed)
        self.doing = doing
        self.configs = configs
        self.robot = load('a1')
        self.sim = SimulatedRobot(
            self.robot, configs.parts.simulation, configs.graph.generator('simulation')
        )
        self.period_ns = NANOSECONDS // self.robot.command_hz
        self.clock_offset_ns = 0
        """by which the clock of safety and sink was put forward or back"""
        self.ticks = Ticks(self.robot)
        self.estimator = Estimator(self.robot, configs.parts.estimator)
        self.get_up = GetUp(self.robot, configs.parts.reset)
        self.policy = Rhythm(self, LIFT_RAD if doing is Doing.WALKING else 0.0)
        self.core = SafetyCore(self.robot, configs.parts.safety)
        self.state = self.core.initial(EPOCH)
        self.judge = CommandJudge(self.robot, asdict(configs.parts.safety))
        self.sink = CommandSink(self.robot)
        self.lies: dict[str, Lie] = {}
        """by channel: sample, estimate, health, policy, reset, command"""
        self.safety_runs = True
        self.operator_stop = self.operator_resume = False
        self.unsafe: list[str] = []
        self.inputs = SafetyInputs()
        self.sensed: SensorSample | None = None
        """the newest that the others have heard"""
        self.before: list[Callable[[], None]] = []
        """done at the start of each tick"""
        self._on_its_way: list[tuple[int, int, str, Any]] = []
        self._count = itertools.count()

    @property
    def now_ns(self) -> int:
        """The time that safety and sink go by."""
        return self.sim.time_ns + self.clock_offset_ns

    @property
    def command(self) -> JointCommand:
        """The last that safety sent."""
        return self.state.command

    def settle(self) -> None:
        """Builds the world and lets the robot come into what it is to be doing.

        Raises:
            RuntimeError: it does not.
        """
        self.sim.connect()
        if self.doing is Doing.RESETTING:
            self.lay(1.57)
        lasted = 0
        for _ in range(round(PATIENCE_S * self.robot.command_hz)):
            self.tick()
            lasted = lasted + 1 if self._is_there() else 0
            long = 2 if self.doing is Doing.RESETTING else SETTLED_S * self.robot.command_hz
            if lasted >= long:
                return
        raise RuntimeError(f'never {self.doing.value}: {self.get_up.reason}')

    def _is_there(self) -> bool:
        if self.doing is Doing.RESETTING:
            return self.command.authority is Authority.RESET and self.get_up.state is State.ROLL
        return self.command.authority is Authority.POLICY

    def lay(self, roll: float, height: float = 0.2) -> None:
        """Puts the robot down, rolled over by `roll` [rad], legs folded."""
        fold = np.tile((0.0, 1.4, -2.6), 4)
        orientation = np.array(quaternion_from_rpy(roll, 0.0, 0.0))
        self.sim.place(np.array((0.0, 0.0, height)), orientation, fold)

    def tick(self) -> Tick:
        """Lets one command period pass."""
        for action in self.before:
            action()
        sample = self.sim.sense()
        if self.ticks.index(sample.time_ns) % self.robot.command_hz == 0:
            self.say('health', self.sim.health())
        self.say('sample', sample)
        self.deliver()
        command = self._step() if self.safety_runs else None
        if command is not None:
            self.say('command', command)
            self.deliver()
        trusted = self.sink.current(self.now_ns)
        tick = Tick(self.now_ns, command, trusted)
        self.sim.step(trusted)
        return tick

    def run(self, seconds: float) -> list[Tick]:
        """Lets time pass; returns what each tick came to."""
        return [self.tick() for _ in range(round(seconds * self.robot.command_hz))]

    def say(self, channel: str, message: Any) -> None:
        """Sends a message on its way, by the lie on its channel if there is one."""
        lie = self.lies.get(channel)
        for delay_ns, told in [(0, message)] if lie is None else lie(message):
            due = self.sim.time_ns + delay_ns
            heapq.heappush(self._on_its_way, (due, next(self._count), channel, told))

    def deliver(self) -> None:
        """Lets all that is due arrive."""
        while self._on_its_way and self._on_its_way[0][0] <= self.sim.time_ns:
            _, _, channel, message = heapq.heappop(self._on_its_way)
            if channel == 'command':
                self.sink.accept(message, self.now_ns, self.sim.sense())
                continue
            self._hear(channel, message)
            if channel == 'sample':
                self._decide(message)

    def _hear(self, channel: str, message: Any) -> None:
        quantities = ('battery', 'warmth') if channel == 'health' else (channel,)
        told = {channel: message} | {f'{name}_received_ns': self.now_ns for name in quantities}
        self.inputs = SafetyInputs(**{**_fields(self.inputs), **told})

    def _decide(self, sample: SensorSample) -> None:
        """Lets estimator, policy and reset answer a sample that they have heard."""
        if self.sensed is not None and sample.time_ns <= self.sensed.time_ns:
            return
        self.sensed = sample
        self.judge.hear(sample)
        estimate: Estimate = self.estimator.update(sample)
        if not self.ticks.is_decision(sample.time_ns):
            return
        health: Health | None = self.inputs.health
        self.say('estimate', estimate)
        self.say('policy', self.policy.target(sample))
        self.say('reset', self.get_up.step(sample, self.command, health))

    def _step(self) -> JointCommand:
        flags = {
            'operator_stop': self.operator_stop,
            'operator_resume': self.operator_resume,
        }
        self.operator_stop = self.operator_resume = False
        inputs = SafetyInputs(**{**_fields(self.inputs), **flags})
        command, self.state = self.core.step(self.state, inputs, self.now_ns)
        watch, driver = self.state.watch, command.authority.name.lower()
        witness = Witness(
            None if watch is None else watch.sample,
            getattr(inputs, driver, None),
            None if inputs.health is None else inputs.health.motor_temperature,
            inputs.operator_resume,
        )
        self.unsafe += self.judge.check(command, self.now_ns, witness)
        return command


def _fields(inputs: SafetyInputs) -> dict[str, Any]:
    return dict(vars(inputs))


def words(reasons: Reason) -> str:
    """Returns the names of `reasons`."""
    return '|'.join(reason.name or '' for reason in Reason if reason & reasons)
