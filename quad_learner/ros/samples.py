"""Puts the robot's messages of one instant together again, by their stamp."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

import numpy as np
from rclpy.node import Node

from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import SensorSample
from quad_learner.ros import topics
from quad_learner.ros.messages import MessageError
from quad_learner.ros.wire import SampleWire

PENDING = 8
"""Instants kept while a part of them is missing: those that began to come longer ago are dropped
and counted. Not those with the lowest stamps: stamps of another clock may all be above our own."""


class SampleAssembler:
    """Listens to joints, IMU and feet and calls back with each whole SensorSample.

    `wanted` tells from a stamp whether the instant is of interest; others are dropped unread.
    `depth` is how many messages of each may wait, 0 as many as the topics keep.
    """

    def __init__(
        self,
        node: Node,
        robot: RobotModel,
        callback: Callable[[SensorSample], None],
        wanted: Callable[[int], bool] = lambda _: True,
        depth: int = 0,
    ) -> None:
        self._robot = robot
        self._callback = callback
        self._wire = SampleWire(robot)
        self._parts: dict[int, dict[str, bytes]] = {}
        self._needed = 3 if robot.has_foot_force else 2
        self._wanted = wanted
        self._noted: deque[int] = deque(maxlen=PENDING)
        """stamps [ns] of the instants that were heard of last, each once, in order of arrival"""
        self.before_ns = -1
        """stamp of the instant before the newest whole sample that was heard of [ns], or -1"""
        self.dropped = 0
        """incomplete instants and unreadable messages so far"""
        self.last_problem = ''
        parts = {'joints': topics.JOINT_STATES, 'imu': topics.IMU}
        if robot.has_foot_force:
            parts['feet'] = topics.FOOT_CONTACTS
        for part, topic in parts.items():
            add = partial(self._add, part)
            topic.subscribe_to_some(node, add, self._refuse, self._note, depth)

    def _note(self, stamp: int) -> bool:
        if stamp not in self._noted:
            self._noted.append(stamp)
        return self._wanted(stamp)

    def _add(self, part: str, stamp: int, data: bytes) -> None:
        parts = self._parts.setdefault(stamp, {})
        parts[part] = data
        if len(parts) < self._needed:
            self._forget_old()
            return
        del self._parts[stamp]
        try:
            sample = self._sample(stamp, parts)
        except MessageError as error:
            self._refuse(str(error))
            return
        self.before_ns = max((noted for noted in self._noted if noted < stamp), default=-1)
        self._callback(sample)

    def _forget_old(self) -> None:
        while len(self._parts) > PENDING:
            del self._parts[next(iter(self._parts))]
            self.dropped += 1

    def _refuse(self, why: str) -> None:
        self.dropped += 1
        self.last_problem = why

    def _sample(self, stamp: int, parts: dict[str, bytes]) -> SensorSample:
        orientation, angular_velocity, specific_force = self._wire.imu_from(parts['imu'])
        feet = (
            self._wire.feet_from(parts['feet'])
            if 'feet' in parts
            else np.zeros(len(self._robot.feet))
        )
        position, velocity, effort = self._wire.joints_from(parts['joints'])
        return SensorSample(
            time_ns=stamp,
            joint_position=position,
            joint_velocity=velocity,
            joint_effort=effort,
            orientation=orientation,
            angular_velocity=angular_velocity,
            specific_force=specific_force,
            foot_force=feet,
        )
