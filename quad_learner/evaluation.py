"""Drives a learned policy without exploring and scores it: simulated robot, onnxruntime alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from quad_learner.configuration import ConfigurationError, build, instead_of, read_values
from quad_learner.estimation.config import EstimatorConfig
from quad_learner.experience.run_directory import RunDirectory
from quad_learner.experience.walk_quality import Bout
from quad_learner.graph import GraphConfig
from quad_learner.policy.chooser import Chooser
from quad_learner.policy.config import PolicyConfig
from quad_learner.policy.driver import Choice, Counters, Driver, EpisodeEnd
from quad_learner.policy.onnx_policy import OnnxPolicy
from quad_learner.reset.config import ResetConfig
from quad_learner.reset.standing import Standing
from quad_learner.resources import config_directory
from quad_learner.robot.model import RobotModel, load
from quad_learner.robot.signals import JointTarget
from quad_learner.safety.config import SafetyConfig
from quad_learner.simulation.bout_recorder import BoutRecorder
from quad_learner.simulation.config import SimulationConfig
from quad_learner.simulation.in_process import InProcessConfigs, InProcessGraph
from quad_learner.task.config import TaskConfig
from quad_learner.task.course import Course
from quad_learner.task.kinds import FORWARD, Kind
from quad_learner.task.walk import WalkTask

Config = TypeVar('Config')

STANDS_WITHIN_S = 60.0
"""[s] of robot time in which the robot must be on its feet, or it is given up"""


_SHIPPED = ('graph', 'simulation', 'estimator', 'safety', 'reset', 'policy', 'task')
_NODES = ('robot', 'estimator', 'safety', 'reset', 'policy')
"""files that decide how the in-process graph behaves: of config/, and of a run's nodes"""


@dataclass(frozen=True)
class Configs:
    """Everything that decides how the in-process graph behaves."""

    graph: GraphConfig
    parts: InProcessConfigs
    task: TaskConfig
    policy: PolicyConfig
    reset: ResetConfig


def configs_of(files: Iterable[Path], **changed: Any) -> Configs:
    """Returns the parameters in `files`, ROS parameter files of which later ones win.

    Args:
        files: of a run (its folder `parameters`), or of the package.
        changed: values that replace those of the files.

    Raises:
        ConfigurationError: a value is missing or wrong, or a name in `changed` is unknown.
    """
    values: dict[str, Any] = {}
    for path in files:
        values |= read_values(path)
    _refuse_unknown(changed, values)
    values |= changed
    return Configs(
        _pick(GraphConfig, values),
        InProcessConfigs(
            _pick(SimulationConfig, values),
            _pick(EstimatorConfig, values),
            _pick(SafetyConfig, values),
            _pick(ResetConfig, values),
        ),
        _pick(TaskConfig, values),
        _pick(PolicyConfig, values),
        _pick(ResetConfig, values),
    )


def configs_of_run(run: RunDirectory, **changed: Any) -> Configs:
    """Returns the parameters of a run; what an older version did not name has the shipped value.

    Args:
        run: whose they are.
        changed: values that replace those of the run.

    Raises:
        ConfigurationError: a value is wrong, or a name in `changed` is unknown.
    """
    own = [run.parameters / f'{name}.yaml' for name in _NODES]
    return configs_of([*shipped_files(), *own], **changed)


def shipped_files() -> list[Path]:
    """Returns the parameter files of the package that `configs_of` needs."""
    return [config_directory() / f'{name}.yaml' for name in _SHIPPED]


def _refuse_unknown(changed: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    for name in changed:
        if name not in values:
            raise ConfigurationError(f'unknown parameter {name!r}; {instead_of(name, values)}')


def _pick(config: type[Config], values: Mapping[str, Any]) -> Config:
    names = {field.name for field in dataclasses.fields(config)}  # type: ignore[arg-type]
    return build(config, {k: v for k, v in values.items() if k in names}, config.__name__)


@dataclass(frozen=True)
class Score:
    """One episode."""

    speed: float
    """true way made good over a full episode [m/s], along the first heading; of a task that walks
    backward, against it"""
    total_reward: float
    steps: int
    fell: bool
    bout: Bout
    """what the robot really did"""
    tumbled: bool = False
    """it fell over before this episode, after one that had not ended so"""


class Performance:
    """A robot in its own world, driven episode by episode. `connect` first, `close` last."""

    def __init__(
        self, configs: Configs, robot: RobotModel | None = None, kind: Kind = FORWARD
    ) -> None:
        """Stores.

        Args:
            configs: the parameters.
            robot: the robot; None loads the one that the parameters name.
            kind: the task.
        """
        self._kind = kind
        self.configs = configs
        self.robot = robot or load(configs.graph.robot)
        self.graph = InProcessGraph(self.robot, configs.parts, configs.graph)
        self.task = WalkTask(self.robot, configs.task)
        self._driver = Driver(
            self.robot,
            self.task,
            Course(configs.task, configs.graph.generator('commands'), kind),
            Standing(self.robot, configs.reset).has_stood,
            Counters(),
        )
        self._chooser = Chooser(
            replace(configs.policy, noise_scale=0.0),
            self.task.observation_size,
            self.task.action_size,
            1.0 / self.robot.policy_hz,
            configs.graph.generator('evaluation'),
        )
        self._recorder = BoutRecorder(self.graph.sim)
        self.four_legs = self._recorder.four_legs
        self._walking = False
        self._tumbles = 0

    def connect(self, policy: OnnxPolicy) -> None:
        """Builds the world and puts `policy` in the driver's seat.

        Raises:
            PolicyError: the policy is for another robot or task.
        """
        self._chooser.swap(policy)
        self.graph.connect()

    def close(self) -> None:
        """Takes the world down."""
        self.graph.close()

    def episode(
        self, on_step: Callable[[int], None] = lambda _: None, seconds: float | None = None
    ) -> Score | None:
        """Runs one episode, getting up first where that is needed.

        Args:
            on_step: called with the number of each step before it is taken.
            seconds: cuts the episode short [s].

        Returns:
            What came of it; None when the robot could not be brought to its feet.
        """
        limit = None if seconds is None else round(seconds * self.robot.policy_hz)
        patience = round(STANDS_WITHIN_S * self.robot.policy_hz)
        self._walking = False
        steps = waited = 0
        while waited < patience:
            self._to_decision()
            waited += not self._walking
            cut = limit is not None and self._walking and steps >= limit
            graph = self.graph
            look = self._driver.look(graph.sample, graph.estimate, graph.command, cut, graph.tired)
            choice: Choice | None = None
            if look.wants_action:
                if look.begins:
                    self._walking, steps = True, 0
                    self._recorder.begin()
                on_step(steps)
                steps += 1
                choice = self._chooser.choose(self._driver.observation, look.begins)
                self._recorder.act(choice.action)
            if look.end is not None:
                score = self._score(look.end)
                self._driver.go_on()
                self._walking = False
                graph.move(self._driver.answer(graph.sample, None))
                return score
            self._move(self._driver.answer(graph.sample, choice))
        return None

    def _to_decision(self) -> None:
        while not self.graph.sense():
            self._move(None)

    def _move(self, target: JointTarget | None) -> None:
        self.graph.move(target)
        if self._walking:
            self._recorder.tick()

    def _score(self, end: EpisodeEnd) -> Score:
        bout = self._recorder.bout()
        speed = (self._kind.along or 1.0) * bout.way / self.configs.task.episode_s
        tumbled = self._driver.tumbles > self._tumbles
        self._tumbles = self._driver.tumbles
        return Score(speed, end.total_reward, end.steps, end.fell, bout, tumbled)


def spread(values: Iterable[float]) -> tuple[float, float]:
    """Returns mean and standard deviation, the latter over the population."""
    numbers = np.array(list(values), dtype=np.float64)
    return float(numbers.mean()), float(numbers.std())
