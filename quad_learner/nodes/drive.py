"""The drive node: sits in the policy's seat and lets learned policies follow `joy` and `cmd_vel`.

It needs onnx and onnxruntime, but no torch. Nothing is learned and nothing is written.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from quad_learner.drive.config import DriveConfig
from quad_learner.drive.learned import learned
from quad_learner.drive.pilot import Phase, Pilot
from quad_learner.drive.selector import Selector
from quad_learner.drive.steering import Steering
from quad_learner.experience.rehearsed import kept
from quad_learner.experience.run_directory import RunDirectory, open_run
from quad_learner.policy.config import PolicyConfig
from quad_learner.reset.config import ResetConfig
from quad_learner.reset.fatigue import Fatigue
from quad_learner.reset.standing import Standing
from quad_learner.robot.signals import JointTarget, SensorSample
from quad_learner.ros import topics
from quad_learner.ros.clock import steady_ns
from quad_learner.ros.commands import CommandListener
from quad_learner.ros.diagnostics import OK, WARN, StateReport
from quad_learner.ros.estimates import EstimateListener
from quad_learner.ros.graph_node import GraphNode
from quad_learner.ros.health import HealthListener
from quad_learner.ros.packed import Records
from quad_learner.ros.process import run
from quad_learner.ros.samples import SampleAssembler
from quad_learner.task.config import TaskConfig
from quad_learner.task.walk import WalkTask


class DriveNode(GraphNode):
    """Decides once a policy period, on the newest command."""

    controls = True

    def __init__(self, **options: Any) -> None:
        super().__init__('policy', TaskConfig, PolicyConfig, ResetConfig, DriveConfig, **options)
        task_config, policy_config, reset_config, drive_config = self.configs
        task = WalkTask(self.robot, task_config)
        run_folder = open_run(Path(self.graph.run_directory))
        self.diagnostics.values['rehearsed'] = _rehearsed(run_folder, task_config)
        choosers = learned(
            run_folder,
            self.robot,
            (task_config, policy_config),
            self.graph.generator('drive'),
        )
        largest = np.array(task_config.command_max)
        self._steering = Steering(drive_config, largest)
        self._pilot = Pilot(
            self.robot,
            task,
            choosers,
            Selector(tuple(choosers), drive_config, largest),
            drive_config,
            Standing(self.robot, reset_config).has_stood,
        )
        self._fatigue = Fatigue(self.robot, reset_config)
        self._records = Records(self.robot)
        self._sample: SensorSample | None = None
        self._last: JointTarget | None = None
        self._wire()

    def _wire(self) -> None:
        self._target = topics.POLICY_TARGET.publisher(self)
        self._state = StateReport(self, topics.POLICY_STATE, self.graph.robot_id)
        decisions = self.ticks.is_decision
        self._samples = SampleAssembler(self, self.robot, self._on_sample, decisions)
        self._estimates = EstimateListener(self, self.robot, self._decide, decisions)
        self._commands = CommandListener(self, self._records, self._on_command)
        self._health = HealthListener(self, self.robot, self._records)
        topics.JOY.subscribe(self, self._on_joy)
        topics.CMD_VEL.subscribe(self, self._on_twist)
        self.every(1.0, self._tell)

    def _on_joy(self, message: Any) -> None:
        if not self._steering.joy(message.axes, message.buttons, steady_ns()):
            self.diagnostics.count('joy_not_followed')

    def _on_twist(self, message: Any) -> None:
        linear, turn = message.linear, message.angular.z
        if not self._steering.twist(linear.x, linear.y, turn, steady_ns()):
            self.diagnostics.count('cmd_vel_not_followed')

    def _on_sample(self, sample: SensorSample) -> None:
        if self._last is not None and sample.time_ns <= self._last.time_ns:
            self._target.publish(self._records.target_to(self._last))
            return
        self._sample = sample
        self._decide()

    def _on_command(self) -> None:
        if self.graph.lockstep:
            self._decide()

    def _decide(self) -> None:
        sample, estimate = self._sample, self._estimates.newest
        if sample is None or estimate is None or estimate.time_ns != sample.time_ns:
            return
        if self._last is not None and sample.time_ns <= self._last.time_ns:
            return
        command = self._commands.newest
        before = self.ticks.index(sample.time_ns) - 1
        answered = command is not None and self.ticks.index(command.time_ns) == before
        if self.graph.lockstep and before >= 0 and not answered:
            return
        phase, kind = self._pilot.phase, self._pilot.kind
        wanted, tired = self._steering.wanted(steady_ns()), self._is_tired(sample.time_ns)
        self._last = self._pilot.decide(sample, estimate, command, wanted, tired)
        self._target.publish(self._records.target_to(self._last))
        self.diagnostics.count('targets')
        if (phase, kind) != (self._pilot.phase, self._pilot.kind):
            self._tell()

    def _is_tired(self, time_ns: int) -> bool:
        before = self._fatigue.tired
        self._fatigue.feel(self._health.for_decision(time_ns, self.graph.lockstep))
        if self._fatigue.tired and not before:
            self.get_logger().warning(self._rests)
        return self._fatigue.tired

    @property
    def _rests(self) -> str:
        return f'follows no command, it rests: {self._fatigue.cause}'

    def _tell(self) -> None:
        level = WARN if self._fatigue.tired else OK
        self._state.publish(level, self._pilot.phase.value, {'task': self._does})

    @property
    def _does(self) -> str:
        kind = self._pilot.kind if self._pilot.phase is Phase.DRIVE else None
        return 'stand' if kind is None else kind.name

    def report(self) -> tuple[bytes, str]:
        """Returns level and summary for `/diagnostics`."""
        self.diagnostics.values['task'] = self._does
        self.diagnostics.values['in_trial'] = int(self._pilot.in_trial)
        problems = (self._commands.problem, self._estimates.problem, self._health.problem)
        self.diagnostics.values['problem'] = next(filter(None, problems), '')
        rests = [self._rests] if self._fatigue.tired else []
        if rests or self._pilot.given_up:
            return WARN, '; '.join([*rests, *self._pilot.given_up.values()])
        return OK, self._pilot.phase.value


def _rehearsed(run_folder: RunDirectory, task: TaskConfig) -> str:
    """Returns what the simulation said of each policy: by itself this node rehearses none."""
    found = {
        kind.name: kept(run_folder, kind, learner) for kind, learner in task.taught_by().items()
    }
    return ', '.join(
        f'{name}: {(verdict.objection or "walked") if verdict else "not rehearsed"}'
        for name, verdict in found.items()
    )


def main() -> None:
    """Runs the node."""
    sys.exit(run(DriveNode))


if __name__ == '__main__':
    main()
