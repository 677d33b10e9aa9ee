"""The policy node: runs episodes, chooses actions, publishes what it asks and what came of it."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from quad_learner.policy.chooser import Chooser
from quad_learner.policy.config import PolicyConfig
from quad_learner.policy.driver import Counters, Driver, Look, Phase
from quad_learner.policy.models import ModelQueue
from quad_learner.policy.onnx_policy import PolicyError
from quad_learner.reset.config import ResetConfig
from quad_learner.reset.fatigue import Fatigue
from quad_learner.reset.standing import Standing
from quad_learner.robot.signals import (
    NANOSECONDS,
    JointTarget,
    SensorSample,
)
from quad_learner.ros import topics
from quad_learner.ros.clock import steady_ns
from quad_learner.ros.commands import CommandListener
from quad_learner.ros.diagnostics import ERROR, OK, WARN, StateReport
from quad_learner.ros.estimates import EstimateListener
from quad_learner.ros.graph_node import GraphNode
from quad_learner.ros.health import HealthListener
from quad_learner.ros.messages import MessageError, place_from
from quad_learner.ros.packed import Records, progress_from
from quad_learner.ros.process import run
from quad_learner.ros.samples import SampleAssembler
from quad_learner.safety.modes import Authority
from quad_learner.task.config import TaskConfig
from quad_learner.task.course import Course
from quad_learner.task.kinds import Kind
from quad_learner.task.pose_inbox import PoseInbox
from quad_learner.task.walk import WalkTask

HEARTBEAT_S = 0.25
"""[s] while it waits for the learner it says so this often, so that safety does not give it up"""
BEFORE_ALL_NS = -NANOSECONDS
"""[ns] stamp of a target that answers no sample"""


class PolicyNode(GraphNode):
    """Decides once a policy period; in lockstep exactly once, on exactly the same inputs."""

    controls = True

    def __init__(self, **options: Any) -> None:
        super().__init__('policy', TaskConfig, PolicyConfig, ResetConfig, **options)
        task_config, self._config, reset_config = self.configs
        self._task = WalkTask(self.robot, task_config)
        self._records = Records(self.robot, self._task.observation_size)
        self._course = Course(task_config, self.graph.generator('commands'))
        generator = self.graph.generator('exploration')
        self._taught_by = task_config.taught_by()
        self._choosers = {
            kind: Chooser(
                self._config,
                self._task.observation_size,
                self._task.action_size,
                1.0 / self.robot.policy_hz,
                generator,
            )
            for kind in self._taught_by.values()
        }
        self._models = {kind: ModelQueue() for kind in self._choosers}
        self._unread: dict[Kind, bytes] = {}
        """the newest models that wait for a moment in which nobody waits for an answer"""
        self._refusals: dict[Kind, str] = {}
        """why the newest model of a task does not drive"""
        self.diagnostics.values['models_refused'] = 0
        self._stands = Standing(self.robot, reset_config).has_stood
        self._fatigue = Fatigue(self.robot, reset_config)
        self._driver: Driver | None = None
        self._sample: SensorSample | None = None
        self._poses = PoseInbox(self.graph.lockstep)
        self._pose_frame = task_config.pose_frame
        self._decided = -1
        self._last: JointTarget | None = None
        robot = self.robot
        self._sign_of_life = JointTarget(
            BEFORE_ALL_NS, Authority.POLICY, 0, robot.stance, robot.kp, robot.kd
        )
        self._waiting_since_ns: int | None = None
        self._wire()

    def _wire(self) -> None:
        self._target = topics.POLICY_TARGET.publisher(self)
        self._experience = topics.EXPERIENCE.publisher(self)
        self._episodes = topics.EPISODE.publisher(self)
        self._state = StateReport(self, topics.POLICY_STATE, self.graph.robot_id)
        decisions = self.ticks.is_decision
        self._samples = SampleAssembler(self, self.robot, self._on_sample, decisions)
        self._estimates = EstimateListener(self, self.robot, self._decide, decisions)
        self._commands = CommandListener(self, self._records, self._on_command)
        self._health = HealthListener(self, self.robot, self._records)
        for kind in self._models:
            topics.model(kind.suffix).subscribe(self, partial(self._on_model, kind))
        topics.EXTERNAL_POSE.subscribe(self, self._on_pose)
        topics.PROGRESS.subscribe(self, self._on_progress)
        self.every(HEARTBEAT_S, self._beat)
        self.every(1.0, self._tell)

    def _on_progress(self, message: Any) -> None:
        if self._driver is not None:
            return
        try:
            progress = progress_from(message, self.graph.robot_id)
        except MessageError as error:
            self.diagnostics.values['refused'] = f'progress: {error}'
            return
        counters = Counters(progress.sequence, progress.episode)
        self._driver = Driver(self.robot, self._task, self._course, self._stands, counters)
        self.get_logger().info(f'goes on after step {progress.sequence}')

    def _on_model(self, kind: Kind, message: Any) -> None:
        self._unread[kind] = bytes(message.data)
        # Reading one takes a fifth of a period: in real time that is done after an answer.
        if self.graph.lockstep or self._driver is None:
            self._read_models()
            self._decide()

    def _read_models(self) -> None:
        while self._unread:
            kind, data = self._unread.popitem()
            try:
                self._models[kind].add(data, steady_ns())
            except PolicyError as error:
                self._refuse(kind, error)

    def _on_pose(self, message: Any) -> None:
        try:
            stamp, place = place_from(message, self._pose_frame)
        except MessageError as error:
            self._poses.note(str(error), self._now_ns)
            self.diagnostics.count('external_poses_refused')
            return
        if not self._poses.take(stamp, place, self._now_ns):
            self.diagnostics.count('external_poses_refused')

    @property
    def _now_ns(self) -> int:
        return 0 if self._sample is None else self._sample.time_ns

    def _on_sample(self, sample: SensorSample) -> None:
        if self.ticks.decision(sample.time_ns) == self._decided:
            self._beat()
            return
        self._sample = sample
        self._decide()
        self._warm_up(sample)

    def _warm_up(self, sample: SensorSample) -> None:
        """Real time: while the estimator is at work, gets ready for the answer to this sample."""
        driver = self._driver
        if self.graph.lockstep or driver is None or driver.phase is not Phase.EPISODE:
            return
        if self.ticks.decision(sample.time_ns) != self._decided:
            self._choosers[self._learned].warm_up(driver.observation)
            self._task.on_the_spot(sample.time_ns)

    def _on_command(self) -> None:
        if self.graph.lockstep:
            self._decide()

    def _decide(self) -> None:
        sample, estimate, driver = self._sample, self._estimates.newest, self._driver
        if sample is None or estimate is None or driver is None:
            return
        number = self.ticks.decision(sample.time_ns)
        if estimate.time_ns != sample.time_ns or number <= self._decided:
            return
        if not self._ready(sample, driver):
            return
        self._waiting_since_ns = None
        self._decided = number
        robot_time = self.graph.elapsed_s + sample.time_ns / NANOSECONDS
        # Who walks must begin to halt sooner, for the run to end in its time.
        needed_s = (1 + driver.halt_steps(estimate)) / self.robot.policy_hz
        over = robot_time + needed_s >= self.graph.minutes * 60.0
        phase = driver.phase
        self._correct(sample.time_ns)
        self._fatigue.feel(self._health.for_decision(sample.time_ns, self.graph.lockstep))
        command, tired = self._commands.newest, self._fatigue.tired
        look = driver.look(sample, estimate, command, over, tired)
        choice = None
        if look.wants_action:
            choice = self._choosers[self._learned].choose(driver.observation, look.begins)
        self._publish(look, driver.answer(sample, choice))
        if driver.phase is not phase:
            self._tell()
        self._read_models()

    def _ready(self, sample: SensorSample, driver: Driver) -> bool:
        """Tells whether all that this decision depends on is here; in real time it never waits."""
        sequence = driver.counters.sequence
        if not self.graph.lockstep:
            for kind, models in self._models.items():
                self._swap(kind, models.newest())
            return True
        before_ns, command = self._samples.before_ns, self._commands.newest
        if before_ns >= 0 and (command is None or command.time_ns < before_ns):
            return False
        for kind, models in self._models.items():
            self._swap(kind, models.due(sequence))
        is_there = self._choosers[self._learned].version >= 0
        if is_there and self._model_is_meant(sequence, driver):
            return True
        now = steady_ns()
        self._waiting_since_ns = self._waiting_since_ns or now
        waited = (now - self._waiting_since_ns) / NANOSECONDS
        return is_there and waited > self._config.learner_patience_s

    def _model_is_meant(self, sequence: int, driver: Driver) -> bool:
        """Tells whether the model in use is the one that lockstep has for the next action."""
        models = self._models[self._learned]
        if driver.phase is Phase.EPISODE:
            return sequence < models.valid_until
        return driver.phase is not Phase.ASK or models.made_after >= sequence

    def _swap(self, kind: Kind, policy: Any) -> None:
        if policy is None:
            return
        try:
            self._choosers[kind].swap(policy)
        except PolicyError as error:
            self._refuse(kind, error)
            return
        self._refusals.pop(kind, None)

    def _refuse(self, kind: Kind, error: PolicyError) -> None:
        """Counts a model that must not drive; the one before drives on."""
        self.diagnostics.values['models_refused'] += 1
        why = f'{kind.name} keeps version {self._choosers[kind].version}: {error}'
        if why != self._refusals.get(kind):
            # Whoever floods with bad models gets one line.
            self.get_logger().error(why)
        self._refusals[kind] = why

    def _correct(self, now_ns: int) -> None:
        """Hands on the external poses whose time has come."""
        for stamp_ns, place in self._poses.due(now_ns):
            refused = self._course.correct(stamp_ns, place)
            self._poses.note(refused, now_ns)
            if refused:
                self.diagnostics.count('external_poses_refused')

    def _publish(self, look: Look, target: JointTarget) -> None:
        self._last = target
        # The world waits for the target; what is for the learner can follow it.
        self._target.publish(self._records.target_to(target))
        if look.transition is not None:
            self._experience.publish(self._records.transition_to(look.transition))
            self.diagnostics.count('steps')
        if look.end is not None:
            self._episodes.publish(self._records.episode_to(look.end))

    def _beat(self) -> None:
        """Says the last target again: to a safety layer that lost it, or as a sign of life."""
        if self._last is not None:
            self._target.publish(self._records.target_to(self._last))
        elif self.graph.lockstep:
            # A learner may take its time to start; safety must not go on without us meanwhile.
            self._target.publish(self._records.target_to(self._sign_of_life))
        self._decide()

    def _tell(self) -> None:
        driver = self._driver
        phase = 'waiting for the learner' if driver is None else driver.phase.value
        version, task = self._choosers[self._learned].version, self._kind.name
        values: dict[str, Any] = {'version': version, 'task': task}
        if driver is not None:
            values['sequence'] = driver.counters.sequence
            values['episode'] = driver.counters.episode
            values['tumbles'] = driver.tumbles
            values['strayed_m'] = f'{self._course.strayed_m:.2f}'
        if self._sample is not None:
            values['robot_time_s'] = self.graph.elapsed_s + self._sample.time_ns / NANOSECONDS
        level = WARN if driver is None else ERROR if self._strayed else OK
        if self._state.publish(level, phase, values):
            self.get_logger().debug(f'{phase}: {values}')

    @property
    def _strayed(self) -> str:
        """Why it begins no episode out there, for people; '' where it may."""
        strayed_m = self._course.strayed_m
        return f'{strayed_m:.1f} m out of bounds: carry it back' if strayed_m else ''

    @property
    def _kind(self) -> Kind:
        return self._course.kinds[0] if self._driver is None else self._driver.kind

    @property
    def _learned(self) -> Kind:
        """The task that the learner is named after whose model drives."""
        return self._taught_by[self._kind]

    def report(self) -> tuple[bytes, str]:
        """Returns level and summary for `/diagnostics`."""
        values = self.diagnostics.values
        chooser, place = self._choosers[self._learned], self._course.place
        values['task'] = self._kind.name
        values['model_version'] = chooser.version
        values['model_age_s'] = self._models[self._learned].age_s(steady_ns())
        values['place_m'] = f'{place.x:.2f}, {place.y:.2f}'
        values['pose_age_s'] = f'{self._poses.silent_s(self._now_ns):.1f}'
        values['pose_correction_m'] = f'{self._course.corrected_m:.2f}'
        values['pose_refused'] = self._poses.refused
        values['dropped'] = self._samples.dropped
        values['problem'] = self._commands.problem or self._estimates.problem
        if self._driver is None:
            return WARN, 'waiting for learner/progress'
        if self._waiting_since_ns is not None:
            return WARN, 'waiting for the learner (lockstep)'
        if chooser.version < 0:
            return ERROR, 'no model yet'
        if self._strayed:
            return ERROR, self._strayed
        trouble = self._poses.trouble(self._now_ns)
        if trouble or self._refusals:
            return WARN, '; '.join(filter(None, (trouble, *self._refusals.values())))
        return OK, self._driver.phase.value


def main() -> None:
    """Runs the node."""
    sys.exit(run(PolicyNode))


if __name__ == '__main__':
    main()
