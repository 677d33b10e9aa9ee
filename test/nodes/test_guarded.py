"""An error that nobody foresaw in a callback: who goes on, and who is told."""

from __future__ import annotations

from typing import Any

import pytest
from nav_msgs.msg import Odometry

from quad_learner.nodes.estimator import EstimatorNode
from quad_learner.nodes.safety import SafetyNode
from quad_learner.ros import topics


def breaks(message: Any) -> None:
    """A callback that nobody thought through."""
    raise AttributeError(f'{type(message).__name__} has no such thing')


def test_a_node_that_controls_goes_on_in_real_time_and_says_so(bench: Any, sample_of: Any) -> None:
    bench.listen(topics.DIAGNOSTICS, topics.JOINT_COMMAND)
    node = bench.start(SafetyNode, 'safety', gear='real_time')
    topics.GROUND_TRUTH.subscribe(node, breaks)
    bench.say(topics.GROUND_TRUTH, Odometry())
    bench.until(lambda: node.guard.caught, 'the error')
    bench.sense(sample_of())
    bench.until(lambda: bench.heard['joint_command'], 'a command')

    def told() -> Any:
        found = [s for m in bench.heard['/diagnostics'] for s in m.status]
        return [s for s in found if 'passed over 1 messages' in s.message]

    status = bench.until(told, 'the report')[0]
    assert status.level >= b'\x01'
    assert 'ground_truth/odom: AttributeError: Odometry has no such thing' in status.message
    assert {v.key: v.value for v in status.values}['passed_over'] == '1'
    node.guard.caught.clear()


def test_where_no_robot_falls_a_mistake_of_ours_ends_the_node(bench: Any) -> None:
    node = bench.start(EstimatorNode, 'estimator', gear='lockstep')
    topics.GROUND_TRUTH.subscribe(node, breaks)
    with pytest.raises(AttributeError, match='no such thing'):
        bench.say(topics.GROUND_TRUTH, Odometry())
        bench.until(lambda: node.guard.caught, 'the error')


def test_each_subscription_is_guarded_even_that_of_simulated_time(bench: Any) -> None:
    """The middleware makes its own listener to /clock while the node is still being made."""
    node = bench.start(EstimatorNode, 'estimator', gear='real_time', use_sim_time=True)
    assert '/clock' in {heard.topic_name for heard in node.subscriptions}
    for heard in node.subscriptions:
        heard.callback(None)
    caught = {topic.lstrip('/') for topic in node.guard.caught}
    assert caught == {heard.topic_name.lstrip('/') for heard in node.subscriptions}
    node.guard.caught.clear()
