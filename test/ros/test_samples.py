"""Whole samples out of parts that come in any order, beside parts that never become whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import SensorSample
from quad_learner.ros import topics
from quad_learner.ros.samples import PENDING, SampleAssembler
from quad_learner.ros.wire import SampleWire

PERIOD_NS = 12_500_000
WALL_NS = 1_700_000_000_000_000_000
"""[ns] a stamp of this century: the robot counts from its start"""


class Parts:
    """An assembler, and its three topics played by the test."""

    def __init__(
        self,
        robot: RobotModel,
        sample_of: Callable[..., SensorSample],
        wanted: Callable[[int], bool] = lambda _: True,
    ) -> None:
        self._wire, self._sample_of = SampleWire(robot), sample_of
        self._heard: dict[str, Callable[[bytes], None]] = {}
        self.whole: list[SensorSample] = []
        self.assembler = SampleAssembler(self, robot, self.whole.append, wanted)  # type: ignore[arg-type]

    def create_subscription(
        self, _: Any, name: str, callback: Callable[[bytes], None], *__: Any, **___: Any
    ) -> None:
        """Keeps a callback, in a node's place."""
        self._heard[name] = callback

    def say(self, topic: topics.Topic, time_ns: int) -> None:
        """Says one part of the sample of `time_ns`."""
        wire, sample = self._wire, self._sample_of(time_ns=time_ns)
        to = {
            topics.JOINT_STATES: wire.joints_to,
            topics.IMU: wire.imu_to,
            topics.FOOT_CONTACTS: wire.feet_to,
        }
        self.hand(topic, to[topic](sample))

    def hand(self, topic: topics.Topic, data: bytes) -> None:
        """Hands bytes on as the middleware does."""
        self._heard[topic.name](data)

    def sense(self, time_ns: int) -> None:
        """Says all parts of a sample."""
        for topic in (topics.JOINT_STATES, topics.FOOT_CONTACTS, topics.IMU):
            self.say(topic, time_ns)

    @property
    def stamps(self) -> list[int]:
        """Of the whole samples."""
        return [sample.time_ns for sample in self.whole]


@pytest.fixture
def parts(robot: RobotModel, sample_of: Any) -> Parts:
    return Parts(robot, sample_of)


@pytest.mark.parametrize('topic', [topics.JOINT_STATES, topics.IMU, topics.FOOT_CONTACTS])
def test_stamps_of_another_clock_do_not_keep_out_those_of_the_robot(
    parts: Parts, topic: topics.Topic
) -> None:
    """Twenty of a stock publisher, which stamps with wall time, then beside each of our own."""
    for number in range(20):
        parts.say(topic, WALL_NS + number)
    ours = [number * PERIOD_NS for number in range(1, 41)]
    for stamp in ours:
        parts.say(topic, WALL_NS + 1000 + stamp)
        parts.sense(stamp)
    assert parts.stamps == ours
    assert len(parts.assembler._parts) <= PENDING
    # The rest are pending still; the place of one was our own.
    assert parts.assembler.dropped == 20 + 40 - (PENDING - 1)


def test_the_instant_before_is_told_whatever_else_was_stamped(parts: Parts) -> None:
    """In lockstep a driver waits for the command of the instant before its sample."""
    parts.sense(PERIOD_NS)
    assert parts.assembler.before_ns == -1
    for number in range(2, 6):
        parts.say(topics.JOINT_STATES, WALL_NS + number)
        parts.sense(number * PERIOD_NS)
        assert parts.assembler.before_ns == (number - 1) * PERIOD_NS
    parts.sense(5 * PERIOD_NS)  # once more, as lockstep says it
    assert parts.assembler.before_ns == 4 * PERIOD_NS


def test_instants_that_are_not_wanted_still_tell_what_was_before(
    robot: RobotModel, sample_of: Any
) -> None:
    parts = Parts(robot, sample_of, lambda stamp: stamp % (2 * PERIOD_NS) == 0)
    for number in range(1, 5):
        parts.sense(number * PERIOD_NS)
    assert parts.stamps == [2 * PERIOD_NS, 4 * PERIOD_NS]
    assert parts.assembler.before_ns == 3 * PERIOD_NS


@pytest.mark.parametrize('data', [b'', b'\0', b'\0\1\0\0', b'\0\1\0\0' + bytes(7)])
def test_bytes_too_few_for_a_stamp_are_counted_and_told(parts: Parts, data: bytes) -> None:
    parts.hand(topics.IMU, data)
    assert parts.assembler.dropped == 1
    assert parts.assembler.last_problem == f'imu/data: {len(data)} bytes, too few for a stamp'
    parts.sense(PERIOD_NS)
    assert parts.stamps == [PERIOD_NS]


def test_a_part_that_cannot_be_read_costs_its_instant_alone(parts: Parts) -> None:
    parts.say(topics.JOINT_STATES, 0)
    parts.say(topics.FOOT_CONTACTS, 0)
    parts.hand(topics.IMU, b'\0\1\0\0' + bytes(8))  # a stamp of 0, and no more
    assert parts.assembler.dropped == 1
    assert 'Imu' in parts.assembler.last_problem
    parts.sense(PERIOD_NS)
    assert parts.stamps == [PERIOD_NS]
    np.testing.assert_array_equal(parts.whole[0].orientation, (0.0, 0.0, 0.0, 1.0))
