"""The estimator node: sensors in, `odom` out."""

from __future__ import annotations

import sys
from typing import Any

from quad_learner.estimation.config import EstimatorConfig
from quad_learner.estimation.estimator import Estimator
from quad_learner.robot.signals import Estimate, SensorSample
from quad_learner.ros import topics
from quad_learner.ros.diagnostics import ERROR, OK, WARN
from quad_learner.ros.graph_node import GraphNode
from quad_learner.ros.packed import Records
from quad_learner.ros.process import run
from quad_learner.ros.samples import SampleAssembler
from quad_learner.ros.transform import TransformPublisher
from quad_learner.ros.wire import EstimateWire


class EstimatorNode(GraphNode):
    """Takes in each sensor sample; publishes where the robot believes it is for each decision."""

    controls = True
    behind = 0  # policy waits for it

    def __init__(self, **options: Any) -> None:
        super().__init__('estimator', EstimatorConfig, **options)
        self._estimator = Estimator(self.robot, self.configs[0])
        self._records = Records(self.robot)
        self._wire = EstimateWire(self.robot)
        self._odom = topics.ODOM.publisher(self)
        self._contact = topics.CONTACT.publisher(self)
        self._transform = TransformPublisher(self, self.graph.robot_id)
        self._last: Estimate | None = None
        self._samples = SampleAssembler(self, self.robot, self._on_sample)

    def _on_sample(self, sample: SensorSample) -> None:
        repeated = self._last is not None and sample.time_ns == self._last.time_ns
        estimate = self._last if repeated else self._estimator.update(sample)
        if estimate is None:
            return
        self._last = estimate
        if self.ticks.is_decision(sample.time_ns):
            self._odom.publish(self._wire.odometry_to(estimate))
            self._contact.publish(self._records.contact_to(estimate))
            self._transform.publish(estimate)
            self.diagnostics.count('odom')

    def report(self) -> tuple[bytes, str]:
        """Returns level and summary for `/diagnostics`."""
        self.diagnostics.values['dropped'] = self._samples.dropped
        self.diagnostics.values['problem'] = self._samples.last_problem
        if self._last is None:
            return WARN, 'waiting for joint_states, imu/data and foot_contacts'
        return (OK, 'healthy') if self._last.healthy else (ERROR, 'unhealthy: do not rely on odom')


def main() -> None:
    """Runs the node."""
    sys.exit(run(EstimatorNode))


if __name__ == '__main__':
    main()
