from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sensor_msgs.msg import JointState

from quad_learner.nodes.estimator import EstimatorNode
from quad_learner.ros import messages, topics


@pytest.fixture
def estimator(bench: Any) -> Any:
    """Returns the bench with the estimator on it."""
    bench.listen(topics.ODOM, topics.CONTACT)
    bench.start(EstimatorNode, 'estimator')
    return bench


def stamps(bench: Any) -> list[int]:
    return [messages.stamp_from(message) for message in bench.heard['odom']]


def test_it_answers_each_decision_with_an_estimate_of_its_instant(
    estimator: Any, sample_of: Any
) -> None:
    for tick in range(2 * estimator.per_decision + 1):
        estimator.sense(sample_of(time_ns=estimator.stamp(tick)))
    estimator.until(lambda: 50_000_000 in stamps(estimator), 'odom of 50 ms')
    assert stamps(estimator) == [0, 25_000_000, 50_000_000]
    back = messages.odometry_from(estimator.heard['odom'][-1], 4)
    # The robot stands still and level on four feet.
    np.testing.assert_allclose(back.velocity_body, 0.0, atol=0.1)
    np.testing.assert_allclose(back.orientation, [0.0, 0.0, 0.0, 1.0], atol=0.02)


def test_contact_and_health_are_told_once_a_decision(estimator: Any, sample_of: Any) -> None:
    for tick in range(2 * estimator.per_decision + 1):
        estimator.sense(sample_of(time_ns=estimator.stamp(tick)))
    estimator.until(lambda: len(estimator.heard['contact_state']) >= 3, 'contact')
    estimator.settle()
    assert len(estimator.heard['contact_state']) == 3


def test_half_a_sample_gives_no_estimate(estimator: Any, sample_of: Any) -> None:
    estimator.say(topics.IMU, estimator.samples.imu_to(sample_of()))
    estimator.settle()
    assert estimator.heard['odom'] == []
    assert estimator.node.report()[1].startswith('waiting for joint_states')


def test_joints_in_another_order_are_put_right(estimator: Any, sample_of: Any) -> None:
    # One second of standing, told hind leg first: the height of the body shows in the end.
    robot = estimator.robot
    for tick in range(robot.command_hz):
        sample = sample_of(time_ns=estimator.stamp(tick))
        backwards = JointState(
            name=robot.joints[::-1],
            position=sample.joint_position[::-1].tolist(),
            velocity=sample.joint_velocity[::-1].tolist(),
            effort=sample.joint_effort[::-1].tolist(),
        )
        backwards.header.stamp = messages.stamp_to(sample.time_ns)
        estimator.say(topics.JOINT_STATES, backwards)
        estimator.say(topics.FOOT_CONTACTS, estimator.samples.feet_to(sample))
        estimator.say(topics.IMU, estimator.samples.imu_to(sample))
        if tick % estimator.per_decision == 0:
            estimator.until(lambda s=sample.time_ns: s in stamps(estimator), 'odom')
    height = estimator.heard['odom'][-1].pose.pose.position.z
    assert height == pytest.approx(robot.height, abs=0.05)


def test_joints_of_another_robot_are_refused_and_told(estimator: Any, sample_of: Any) -> None:
    sample = sample_of()
    elbow = JointState(name=['elbow'], position=[1.0], velocity=[1.0], effort=[1.0])
    estimator.say(topics.JOINT_STATES, elbow)
    estimator.say(topics.FOOT_CONTACTS, estimator.samples.feet_to(sample))
    estimator.say(topics.IMU, estimator.samples.imu_to(sample))
    estimator.until(lambda: estimator.node._samples.dropped, 'the refusal')
    estimator.node.report()
    assert 'must be named exactly once' in estimator.node.diagnostics.values['problem']
    assert estimator.heard['odom'] == []
