"""The reset node: gets the robot up whenever nobody drives, then holds it for the policy."""

from __future__ import annotations

import sys
from typing import Any

from quad_learner.reset.config import ResetConfig
from quad_learner.reset.get_up import GetUp
from quad_learner.reset.state import State
from quad_learner.reset.tally import Tally
from quad_learner.robot.signals import JointTarget, SensorSample
from quad_learner.ros import topics
from quad_learner.ros.commands import CommandListener
from quad_learner.ros.diagnostics import ERROR, OK, WARN, StateReport
from quad_learner.ros.graph_node import GraphNode
from quad_learner.ros.health import HealthListener
from quad_learner.ros.packed import Records
from quad_learner.ros.process import run
from quad_learner.ros.samples import SampleAssembler
from quad_learner.safety.modes import Authority

LEVELS = {State.GIVE_UP: ERROR, State.LIE_DOWN: WARN, State.REST: WARN}
"""how bad a state is, for `/diagnostics`; those that are not named are well"""


class ResetNode(GraphNode):
    """Decides once a policy period, like the policy."""

    controls = True
    behind = 2  # where processors are few, those come first whose answer makes the robot walk

    def __init__(self, **options: Any) -> None:
        super().__init__('reset', ResetConfig, **options)
        self._get_up: GetUp | None = None
        self._tally = Tally()
        self._records = Records(self.robot)
        self._sample: SensorSample | None = None
        self._last: JointTarget | None = None
        self._target = topics.RESET_TARGET.publisher(self)
        self._state = StateReport(self, topics.RESET_STATE, self.graph.robot_id)
        self._samples = SampleAssembler(self, self.robot, self._on_sample, self.ticks.is_decision)
        self._commands = CommandListener(self, self._records, self._on_command)
        self._health = HealthListener(self, self.robot, self._records)
        self.every(1.0, self._tell)

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
        sample = self._sample
        if sample is None or (self._last is not None and sample.time_ns <= self._last.time_ns):
            return
        before_ns, command = self._samples.before_ns, self._commands.newest
        answered = command is not None and command.time_ns >= before_ns
        if self.graph.lockstep and before_ns >= 0 and not answered:
            return
        if self._get_up is None:
            # Rising with robot time, so that a restarted process asks with a fresh number.
            first = 1 + self.ticks.decision(sample.time_ns)
            self._get_up = GetUp(self.robot, self.configs[0], first)
        state = self._get_up.state
        health = self._health.for_decision(sample.time_ns, self.graph.lockstep)
        self._last = self._get_up.step(sample, command, health)
        self._target.publish(self._records.target_to(self._last))
        handed_over = command is not None and command.authority is Authority.POLICY
        self._tally.update(self._get_up.state, sample.time_ns, handed_over)
        self.diagnostics.count('targets')
        if self._get_up.state is not state:
            self._tell()

    def _tell(self) -> None:
        if self._get_up is None:
            return
        level = LEVELS.get(self._get_up.state, OK)
        values: dict[str, Any] = {
            'reason': self._get_up.reason,
            'attempt': self._get_up.attempt,
            'waits_for_a_person': self._get_up.waits_for_a_person,
            'finished': self._tally.finished,
            'failed': self._tally.failed,
            'duration_s': self._tally.duration_s,
        }
        if self._state.publish(level, self._get_up.state.name, values) and level == ERROR:
            self.get_logger().error(f'gave up: {self._get_up.reason}')

    def report(self) -> tuple[bytes, str]:
        """Returns level and summary for `/diagnostics`."""
        self.diagnostics.values['dropped'] = self._samples.dropped
        self.diagnostics.values['problem'] = self._commands.problem or self._health.problem
        if self._get_up is None:
            return WARN, 'waiting for sensors'
        self.diagnostics.values['reason'] = self._get_up.reason
        return LEVELS.get(self._get_up.state, OK), self._get_up.state.value


def main() -> None:
    """Runs the node."""
    sys.exit(run(ResetNode))


if __name__ == '__main__':
    main()
