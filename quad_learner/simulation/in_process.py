"""The graph's robot side in one process: robot, estimator, safety and reset, tick by tick.

The order within a tick is that of the graph in lockstep, and the parts are the same objects, so
that what is measured here holds there. Used by the Gymnasium environment, benchmarks and studies.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np

from quad_learner.estimation.config import EstimatorConfig
from quad_learner.estimation.estimator import Estimator
from quad_learner.graph import GraphConfig
from quad_learner.reset.config import ResetConfig
from quad_learner.reset.fatigue import Fatigue
from quad_learner.reset.get_up import GetUp
from quad_learner.robot.command_judge import CommandJudge, Witness
from quad_learner.robot.model import RobotModel
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
from quad_learner.safety.config import SafetyConfig
from quad_learner.safety.core import SafetyCore
from quad_learner.safety.modes import Authority, Reason, is_trip
from quad_learner.safety.state import SafetyInputs
from quad_learner.simulation.config import SimulationConfig
from quad_learner.simulation.robot import SimulatedRobot
from quad_learner.simulation.tag import Tag
from quad_learner.task.workspace import Place

SIGHTING_DELAY_NS = NANOSECONDS // 2
"""[ns] as in the graph in lockstep"""
EPOCH = 1
"""of the one safety core in this process"""


@dataclass(frozen=True)
class InProcessConfigs:
    """The parameters of the parts."""

    simulation: SimulationConfig
    estimator: EstimatorConfig
    safety: SafetyConfig
    reset: ResetConfig


class InProcessGraph:
    """Robot, estimator, safety and reset without processes between them."""

    def __init__(self, robot: RobotModel, configs: InProcessConfigs, graph: GraphConfig) -> None:
        """Stores; `connect` builds the world.

        Args:
            robot: which robot.
            configs: parameters of the parts.
            graph: gives the seed: the same as the graph's, so the same chances fall.
        """
        self.robot = robot
        self.sim = SimulatedRobot(robot, configs.simulation, graph.generator('simulation'))
        self._tag = Tag(robot, configs.simulation, graph.generator('tag'))
        self._sightings: deque[tuple[int, Place]] = deque()
        self._ticks = Ticks(robot)
        self._estimator = Estimator(robot, configs.estimator)
        self._core = SafetyCore(robot, configs.safety)
        self._state = self._core.initial(epoch=EPOCH)
        self._sink = CommandSink(robot)
        self.judge = CommandJudge(robot, asdict(configs.safety))
        self._fatigue = Fatigue(robot, configs.reset)
        self.get_up = GetUp(robot, configs.reset)
        self.command: JointCommand | None = None
        self.sample: SensorSample
        self.estimate: Estimate
        self.trips: list[tuple[int, Reason]] = []
        """when safety stopped the robot [ns], and why"""
        self.unsafe: list[str] = []
        """what is wrong with commands, by a judge that is not safety: nothing, or a defect"""
        self._policy: JointTarget | None = None
        self._reset: JointTarget | None = None
        self._seen: Estimate | None = None
        self._health: Health | None = None
        self._next_health: Health | None = None

    def connect(self) -> None:
        """Builds the world."""
        self.sim.connect()

    def close(self) -> None:
        """Takes the world down."""
        self.sim.close()

    def sense(self) -> bool:
        """Takes in the newest sample; returns whether a decision is due on it.

        `sample`, `estimate` and `command` (of the tick before) are then what policy sees.
        """
        self.sample = self.sim.sense()
        self.judge.hear(self.sample)
        self._look_around()
        self.estimate = self._estimator.update(self.sample)
        return self._ticks.is_decision(self.sample.time_ns)

    @property
    def tired(self) -> bool:
        """Whether battery or motors ask for a rest."""
        return self._fatigue.tired

    def sightings(self) -> Iterator[tuple[int, Place]]:
        """Yields the external poses that have become due since the last time, with stamps [ns]."""
        while self._sightings and (
            self._sightings[0][0] + SIGHTING_DELAY_NS <= self.sample.time_ns
        ):
            yield self._sightings.popleft()

    def move(self, target: JointTarget | None) -> None:
        """Finishes the tick: reset decides where it is time, safety judges, the world moves.

        Args:
            target: policy's answer on the tick of a decision, None on the others.
        """
        sample = self.sample
        if target is not None:
            self._policy = target
            self._reset = self.get_up.step(sample, self.command, self._health)
            self._seen = self.estimate
        before = self._state.command
        command, self._state = self._core.step(self._state, self._inputs(sample), sample.time_ns)
        self.command = command
        changed = (before.mode, before.authority) != (command.mode, command.authority)
        if changed and is_trip(command.mode, command.reasons):
            self.trips.append((sample.time_ns, command.reasons))
        driver = self._policy if command.authority is Authority.POLICY else self._reset
        self.unsafe += self.judge.check(command, sample.time_ns, Witness(target=driver))
        self._sink.accept(command, sample.time_ns, sample)
        self.sim.step(self._sink.current(sample.time_ns))
        while self.sim.has_lost_sample:  # nobody answers it
            self._look_around()
            self.sim.step(self._sink.current(self.sim.time_ns))

    def idle(self) -> None:
        """Lets one tick pass with a policy that asks for nothing: reset has the floor."""
        due, zeros = self.sense(), np.zeros(len(self.robot.joints))
        stance = self.robot.stance
        silent = JointTarget(self.sample.time_ns, Authority.POLICY, 0, stance, zeros, zeros)
        self.move(silent if due else None)

    def _look_around(self) -> None:
        """Takes in what does not come with samples: the camera's poses, battery and heat.

        The last two are told once a second and handed on half a second later, as in the graph.
        """
        time_ns = self.sim.time_ns
        if self._tag.is_due(time_ns):
            self._sightings.append((time_ns, self._tag.see(self.sim.truth())))
        index, hz = self._ticks.index(time_ns), self.robot.command_hz
        if index % hz == 0:
            self._next_health = self.sim.health()
        if index % hz == hz // 2:
            self._health = self._next_health
            self._fatigue.feel(self._health)

    def _inputs(self, sample: SensorSample) -> SafetyInputs:
        def received(signal: JointTarget | Estimate | Health | None) -> int:
            return 0 if signal is None else signal.time_ns

        return SafetyInputs(
            sample=sample,
            sample_received_ns=sample.time_ns,
            estimate=self._seen,
            estimate_received_ns=received(self._seen),
            policy=self._policy,
            policy_received_ns=received(self._policy),
            reset=self._reset,
            reset_received_ns=received(self._reset),
            health=self._health,
            battery_received_ns=received(self._health),
            warmth_received_ns=received(self._health),
        )
