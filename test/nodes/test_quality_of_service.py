"""Who offers or asks for another quality of service is told of by event, before data are missed.

The middleware may still tell of an endpoint that a test before has destroyed, so each test looks
for its own topic.
"""

from __future__ import annotations

from typing import Any

import pytest
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from quad_learner.nodes.estimator import EstimatorNode
from quad_learner.ros import topics

UNRELIABLE = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


@pytest.fixture
def estimator(bench: Any) -> Any:
    bench.start(EstimatorNode, 'estimator')
    return bench


def until_named(bench: Any, topic: topics.Topic) -> None:
    values = bench.node.diagnostics.values
    bench.until(lambda: values.get('incompatible_qos') == topic.name, f'{topic.name} is named')


def test_who_offers_less_than_a_node_asks_for_is_named(estimator: Any) -> None:
    topic = topics.JOINT_STATES
    estimator.peer.create_publisher(topic.type, topic.name, UNRELIABLE)
    until_named(estimator, topic)


def test_who_asks_for_more_than_a_node_offers_is_named(estimator: Any) -> None:
    topic = topics.ODOM
    wants_history = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    estimator.peer.create_subscription(topic.type, topic.name, lambda _: None, wants_history)
    until_named(estimator, topic)


def test_who_fits_is_not(estimator: Any) -> None:
    topic = topics.IMU
    topic.publisher(estimator.peer)
    estimator.until(lambda: estimator.node.count_publishers(topic.name), 'the publisher')
    estimator.settle()
    assert estimator.node.diagnostics.values.get('incompatible_qos') != topic.name
