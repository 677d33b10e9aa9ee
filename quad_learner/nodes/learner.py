"""The learner node: experience in, models and metrics out; everything kept so that it can die."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from std_msgs.msg import Float32MultiArray, Float64, MultiArrayDimension, UInt8MultiArray

from quad_learner.experience.run_directory import open_run
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.learning.training import ForeignTaskError, Models, Training
from quad_learner.policy.driver import Phase
from quad_learner.precedence import run_only_when_idle
from quad_learner.robot.signals import NANOSECONDS
from quad_learner.ros import topics
from quad_learner.ros.clock import steady_ns
from quad_learner.ros.diagnostics import ERROR, OK, WARN
from quad_learner.ros.graph_node import GraphNode
from quad_learner.ros.messages import MessageError
from quad_learner.ros.neighbours import named
from quad_learner.ros.packed import Progress, Records, progress_to
from quad_learner.ros.process import run
from quad_learner.task.config import TaskConfig
from quad_learner.task.symmetry import symmetry
from quad_learner.task.walk import WalkTask

UPDATE_S = 0.001
"""[s] between updates in real time, so that new steps are taken in between"""
METRICS_S = 0.5
"""[s] between metric messages"""
EXPERIENCE_TYPE = Float32MultiArray
IN_REPORT = ('in_trial', 'rolled_back', 'models_refused')
"""metrics that `/diagnostics` tells as well"""


class LearnerNode(GraphNode):
    """Feeds `Training` and publishes what comes of it."""

    def __init__(self, **options: Any) -> None:
        super().__init__('learner', LearnerConfig, TaskConfig, **options)
        torch.set_num_threads(1)
        learner_config, task_config = self.configs
        task = WalkTask(self.robot, task_config)
        taught_by = task_config.taught_by()
        self._kinds = tuple(dict.fromkeys(taught_by.values()))
        self._records = Records(self.robot, task.observation_size)
        self._training = Training(
            open_run(Path(self.graph.run_directory)),
            self.robot,
            (task.observation_size, task.action_size),
            learner_config,
            self.graph.seed,
            taught_by,
            {kind: symmetry(self.robot, task_config, kind) for kind in self._kinds},
            steady_ns,
            self._records.transition_from,
            self._records.transitions_from,
        )
        self._training.open()
        if self.graph.elapsed_s > 0.0:
            self._training.try_anew()
        self._finish_at: int | None = None
        self._updates_before = self._training.updates
        self._rate_since_ns = steady_ns()
        self._rate = 0.0
        self._wire()

    def _wire(self) -> None:
        self._models = {kind: topics.model(kind.suffix).publisher(self) for kind in self._kinds}
        self._progress = topics.PROGRESS.publisher(self)
        self._metrics = {name: topics.metric(name).publisher(self) for name in topics.METRICS}
        self._experience = topics.EXPERIENCE.subscribe(self, self._on_experience, raw=True)
        topics.POLICY_STATE.subscribe(self, self._on_policy_state)
        topics.CHECKPOINT.serve(self, self._save)
        if not self.graph.lockstep:
            self.every(UPDATE_S, self._update)
        self.every(METRICS_S, self._publish_metrics)
        self._publish_models(self._training.models())
        self._publish_progress()

    def _on_experience(self, data: bytes) -> None:
        try:
            models = self._training.take_in(bytes(data), self._may_update)
        except (MessageError, ForeignTaskError) as error:
            self.diagnostics.values['problem'] = str(error)
            return
        self.diagnostics.count('steps')
        self._publish_models(models)
        # After each step: a policy that is started again must not number any step twice.
        self._publish_progress()
        self._finish_if_done()

    def _may_update(self) -> bool:
        # Lockstep waits for what is owed; whoever wants the end does not wait for it.
        return self.graph.lockstep and not self.stopping()

    def _update(self) -> None:
        if self._training.due_updates > 0:
            self._training.update()

    def _on_policy_state(self, message: Any) -> None:
        if message.message != Phase.FINISHED.value:
            return
        values = {pair.key: pair.value for pair in message.values}
        try:
            self._finish_at = int(values.get('sequence', '0'))
        except ValueError as error:
            self.diagnostics.values['problem'] = f'policy/state: {error}'
            return
        self._finish_if_done()

    def _finish_if_done(self) -> None:
        if self._finish_at is not None and self._training.sequence >= self._finish_at:
            self.finished = True

    def _publish_models(self, models: Models) -> None:
        for kind, model in models.items():
            message = UInt8MultiArray()
            label = named(self.graph.robot_id, 'model')
            message.layout.dim = [MultiArrayDimension(label=label, size=len(model))]
            message.data = model
            self._models[kind].publish(message)
            self.diagnostics.count('models')

    def _publish_progress(self) -> None:
        training = self._training
        self._progress.publish(
            progress_to(
                Progress(training.sequence, training.episode, training.updates, training.version),
                self.graph.robot_id,
            )
        )

    def _publish_metrics(self) -> None:
        now = steady_ns()
        seconds = (now - self._rate_since_ns) / NANOSECONDS
        updates = self._training.updates
        if seconds > 0.0:
            self._rate = (updates - self._updates_before) / seconds
        self._updates_before, self._rate_since_ns = updates, now
        values = {**self._training.metrics(), 'updates_per_second': self._rate}
        for name, value in values.items():
            self._metrics[name].publish(Float64(data=float(value)))

    def _save(self) -> tuple[bool, str]:
        problem = self._training.save()
        return not problem, problem or 'saved'

    def report(self) -> tuple[bytes, str]:
        """Returns level and summary for `/diagnostics`."""
        values, training = self.diagnostics.values, self._training
        values['updates_per_second'] = self._rate
        values['model_version'] = training.version
        values['lost_steps'] = training.lost
        values['unlogged_steps'] = training.unlogged
        metrics = training.metrics()
        values |= {name: int(metrics[name]) for name in IN_REPORT}
        if training.problem or training.unsaved:
            return ERROR, training.problem or training.unsaved
        if training.passed_over:
            return WARN, f'an older checkpoint was taken up: {"; ".join(training.passed_over)}'
        if training.refusal:
            return WARN, f'the newest model does not drive: {training.refusal}'
        if training.lost:
            return WARN, f'{training.lost} steps never arrived, or the disk refused for too long'
        return OK, f'{training.sequence} steps, {training.updates} updates'

    def close(self) -> None:
        """Saves everything."""
        self._take_the_rest()
        problem = self._training.close()
        if problem:
            self.get_logger().error(problem)

    def _take_the_rest(self) -> None:
        """Takes in the steps that have arrived but not been looked at: no time to learn from."""
        while (taken := self._experience.handle.take_message(EXPERIENCE_TYPE, True)) is not None:
            try:
                self._training.take_in(bytes(taken[0]), lambda: False)
            except (MessageError, ForeignTaskError) as error:
                self.get_logger().warning(f'a step was refused: {error}')


def in_the_background(**options: Any) -> LearnerNode:
    """Returns the node; beside a robot in real time its updates take what processors are free."""
    node = LearnerNode(**options)
    if not node.graph.lockstep:
        run_only_when_idle()
    return node


def main() -> None:
    """Runs the node."""
    sys.exit(run(in_the_background))


if __name__ == '__main__':
    main()
