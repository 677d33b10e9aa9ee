"""`quad_learner/Walk-v0`: the walking task of the graph as a Gymnasium environment, without ROS.

The same simulated robot, estimator, safety layer, reset controller and task code, in the order of
the graph in lockstep: observation, reward, latency and noise are those of the graph. `reset` does
what the graph does too: the robot gets up by itself, in simulated time, and nobody carries it.

    import gymnasium
    env = gymnasium.make('quad_learner.gymnasium_env:quad_learner/Walk-v0', robot='a1')
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from quad_learner.evaluation import Configs, configs_of, shipped_files
from quad_learner.policy.driver import Choice, Counters, Driver, Look
from quad_learner.reset.standing import Standing
from quad_learner.robot.model import load
from quad_learner.simulation.in_process import InProcessGraph
from quad_learner.task.course import Course
from quad_learner.task.kinds import Kind
from quad_learner.task.observation import BOUND
from quad_learner.task.walk import WalkTask

Vector = NDArray[np.float32]

ID = 'quad_learner/Walk-v0'
RESET_LIMIT_S = 120.0
"""[s] of simulated time for getting up; a reset that takes longer raises"""
REST_LIMIT_S = 1800.0
"""[s] of simulated time for lying still before it, until hot motors are cool; likewise"""


class WalkEnv(gymnasium.Env[Vector, Vector]):
    """Walk forward, or in turn whatever `tasks` names.

    Observations and actions are those of `quad_learner.task`.
    """

    metadata = {'render_modes': ['rgb_array'], 'render_fps': 20}  # noqa: RUF012 (Gymnasium's way)

    def __init__(
        self, robot: str = 'a1', render_mode: str | None = None, **parameters: Any
    ) -> None:
        """Reads the parameters; `reset` builds the world.

        Args:
            robot: name or path of a robot YAML.
            render_mode: 'rgb_array' or None.
            parameters: replace values of the package's parameter files by name.

        Raises:
            ConfigurationError: an unknown robot or a wrong value.
        """
        self._parameters = {'robot': robot, **parameters}
        self.render_mode = render_mode
        self._configs = self._configured(seed=0)
        self.robot = load(self._configs.graph.robot)
        self._task = WalkTask(self.robot, self._configs.task)
        self.course = self._planned()
        self.graph: InProcessGraph | None = None
        self._driver: Driver | None = None
        self._wants_action = False
        self.on_decision: Callable[[], object] = lambda: None
        """called at each decision, those of getting up included, for whoever watches"""
        self.observation_space = spaces.Box(
            -BOUND, BOUND, (self._task.observation_size,), np.float32
        )
        self.action_space = spaces.Box(-1.0, 1.0, (self._task.action_size,), np.float32)

    @property
    def episode_s(self) -> float:
        """Length of a full episode [s]."""
        return self._configs.task.episode_s

    @property
    def kind(self) -> Kind:
        """The task of the episode."""
        return self._parts()[0].kind

    def _planned(self) -> Course:
        return Course(self._configs.task, self._configs.graph.generator('commands'))

    def _configured(self, seed: int) -> Configs:
        return configs_of(shipped_files(), seed=seed, **self._parameters)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Vector, dict[str, Any]]:
        """Gets the robot up and returns the first observation of an episode.

        Args:
            seed: builds a new world with this seed; None goes on in the world that is there.
            options: none are known.

        Raises:
            RuntimeError: the robot did not get up in RESET_LIMIT_S, had to rest for longer than
                REST_LIMIT_S, or has left its workspace for good.
        """
        super().reset(seed=seed)
        if seed is not None or self.graph is None:
            self._build(0 if seed is None else seed)
        driver, graph = self._parts()
        if self._wants_action:
            # The episode is given up half way: policy lets go, and reset takes over.
            driver.look(graph.sample, graph.estimate, graph.command, True)
            driver.go_on()
            graph.move(driver.answer(graph.sample, None))
            self._wants_action = False
        limits_s = {False: RESET_LIMIT_S, True: REST_LIMIT_S}
        left = {resting: limit * self.robot.policy_hz for resting, limit in limits_s.items()}
        while min(left.values()) > 0:
            look = self._to_decision()
            if look.wants_action:
                self._wants_action = True
                return driver.observation.copy(), self._info()
            graph.move(driver.answer(graph.sample, None))
            left[graph.get_up.resting] -= 1
            if self.course.strayed_m:
                raise RuntimeError(
                    f'{self.robot.name} is {self.course.strayed_m:.1f} m out of bounds, beyond '
                    'workspace_stray_m: nobody carries it back'
                )
        raise RuntimeError(
            f'{self.robot.name} did not get up within {RESET_LIMIT_S} s of simulated time, and '
            f'{REST_LIMIT_S} s of rest: {graph.get_up.reason}'
        )

    def step(self, action: Vector) -> tuple[Vector, float, bool, bool, dict[str, Any]]:
        """Drives for one policy period.

        Args:
            action: −1 … 1, (actions,).
        """
        driver, graph = self._parts()
        choice = Choice(np.clip(np.asarray(action, np.float32), -1.0, 1.0), 0)
        graph.move(driver.answer(graph.sample, choice))
        look = self._to_decision()
        transition = look.transition
        if transition is None:
            raise RuntimeError('step was called before reset, or after the end of the episode')
        self._wants_action = look.wants_action
        if not look.wants_action:
            graph.move(driver.answer(graph.sample, None))
        info = self._info() | {
            'constraint': transition.constraint,
            'executed_action': transition.action,
            'reasons': int(transition.reasons),
        }
        return (
            transition.next_observation.copy(),
            transition.reward,
            transition.terminated,
            transition.truncated,
            info,
        )

    def render(self) -> Any:
        """Returns a picture of the robot, (240, 320, 3) uint8, in the mode 'rgb_array'."""
        if self.render_mode != 'rgb_array':
            return None
        from quad_learner.simulation import camera

        return camera.render(self._parts()[1].sim, 320, 240)

    def close(self) -> None:
        """Takes the world down."""
        if self.graph is not None:
            self.graph.close()
            self.graph = None

    def _build(self, seed: int) -> None:
        self.close()
        self._configs = self._configured(seed)
        self._task = WalkTask(self.robot, self._configs.task)
        self.course = self._planned()
        self._driver = Driver(
            self.robot,
            self._task,
            self.course,
            Standing(self.robot, self._configs.reset).has_stood,
            Counters(),
        )
        self.graph = InProcessGraph(self.robot, self._configs.parts, self._configs.graph)
        self.graph.connect()
        self._wants_action = False

    def _parts(self) -> tuple[Driver, InProcessGraph]:
        if self._driver is None or self.graph is None:
            raise RuntimeError('the environment has no world yet: call reset first')
        return self._driver, self.graph

    def _to_decision(self) -> Look:
        driver, graph = self._parts()
        while not graph.sense():
            graph.move(None)
        for time_ns, place in graph.sightings():
            self.course.correct(time_ns, place)
        look = driver.look(graph.sample, graph.estimate, graph.command, False, graph.tired)
        self.on_decision()
        return look

    def _info(self) -> dict[str, Any]:
        """Returns the truth, for scoring: it is not part of the observation."""
        truth = self._parts()[1].sim.truth()
        return {'true_position': truth.position, 'true_orientation': truth.orientation}


gymnasium.register(id=ID, entry_point='quad_learner.gymnasium_env:WalkEnv')
