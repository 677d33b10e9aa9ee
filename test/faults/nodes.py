"""Rows 13, 17, 24, 66b and 68b: the safety node by itself in real time, on a clock of ours."""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from typing import Any

import numpy as np
import rclpy
from rclpy.clock_type import ClockType
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter

from faults.finding import NS_PER_MS, Finding, row
from faults.world import World, words
from quad_learner import bringup
from quad_learner.nodes.safety import SafetyNode
from quad_learner.robot.signals import Health, JointCommand, JointTarget, SensorSample
from quad_learner.ros import topics
from quad_learner.ros.messages import battery_to
from quad_learner.ros.packed import Records
from quad_learner.ros.wire import SampleWire
from quad_learner.safety.modes import Authority, Mode

START_NS = 10**12
"""what the steady clock says at the beginning"""
HOUR_NS = 3600 * 10**9
DRIVEN_S = 1.2
"""[s] after which a second request is granted: sensors, health, clear time"""
HEARD_S = 10.0
"""[s] in which nodes find and hear each other, however busy the machine is"""
SPIN_S = 0.1
BURST = 200
"""messages that arrive at once"""
FLOOD_HZ = 5000
FLOOD_S = 0.25
SILENT_S = 8.0
"""[s] of silence that cannot be overlooked: health may be five seconds old"""
A_SAMPLE = 3
"""commands for each sample at most: one that answers it, and one for each driver's word on it"""


class SafetyAlone:
    """The safety node, its callbacks called by hand; commands are caught before the middleware."""

    def __init__(self) -> None:
        domain = 40 + os.getpid() % 30
        os.environ |= {
            'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
            'ROS_DOMAIN_ID': str(domain),
        }
        self.now_ns = START_NS
        time.monotonic_ns = lambda: self.now_ns
        self._context = rclpy.Context()
        rclpy.init(context=self._context, domain_id=domain)
        specs = [spec for spec in bringup.nodes('sim') if spec.name == 'safety']
        values = bringup.parameters(specs, {'gear': 'real_time'}, None)['safety']
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        self.node = SafetyNode(context=self._context, parameter_overrides=overrides)
        self.robot = self.node.robot
        self.records = Records(self.robot)
        self.sent: list[JointCommand] = []
        self.node._commands = self
        self.clocks = [timer.clock.clock_type for timer in self.node.timers]
        self.period_ns = 10**9 // self.robot.command_hz
        self.request = 0

    def publish(self, data: bytes) -> None:
        """Takes a command in the middleware's place."""
        self.sent.append(self.records.command_from(data))

    def close(self) -> None:
        """Takes the node down."""
        self.node.destroy_node()
        self._context.try_shutdown()

    def sense(self, quantities: Collection[str] = ('battery', 'warmth')) -> None:
        """Lets a period pass and a robot at rest in its stance say so."""
        self.now_ns += self.period_ns
        self.tell(Health(self.now_ns, 24.0, 0.9, np.full(12, 30.0)), quantities)
        self.node._on_sample(self.sample(self.now_ns))

    def tell(self, health: Health, quantities: Collection[str]) -> None:
        """Lets the robot say how its battery and its motors are, on those topics alone."""
        if 'battery' in quantities:
            self.node._health._on_battery(battery_to(health))
        if 'warmth' in quantities:
            self.node._health._on_temperature(self.records.temperature_to(health))

    def sample(self, time_ns: int) -> SensorSample:
        """Returns what a robot at rest in its stance senses; no two are the same to the bit."""
        noise = 1e-6 * (time_ns // self.period_ns % 2)
        nothing, upright = np.zeros(12), np.array((0.0, 0.0, 0.0, 1.0))
        force = np.array((0.0, 0.0, 9.81 + noise))
        return SensorSample(
            time_ns, self.robot.stance, nothing + noise, nothing, upright, np.zeros(3), force,
            np.full(4, 30.0),
        )  # fmt: skip

    def want(self, stamp_ns: int, away: float = 0.0) -> None:
        """Lets reset say what it wants: the stance, and `away` from it [rad]."""
        self.node._on_target('reset', self._target(stamp_ns, away))

    def _target(self, stamp_ns: int, away: float) -> bytes:
        robot = self.robot
        target = JointTarget(
            stamp_ns, Authority.RESET, self.request, robot.stance + away, robot.kp, robot.kd
        )
        return self.records.target_to(target)

    def hear_at_once(self, stamps: list[int], away: float) -> list[str]:
        """Sends samples and targets of reset while the node does not listen, then lets it listen.

        Returns what prevented that: nobody heard them in time.
        """
        wire, other = SampleWire(self.robot), Node('burst', context=self._context)
        told = (topics.JOINT_STATES, topics.IMU, topics.FOOT_CONTACTS, topics.RESET_TARGET)
        publishers = [topic.publisher(other) for topic in told]
        until = time.monotonic() + HEARD_S
        while not all(publisher.get_subscription_count() for publisher in publishers):
            if time.monotonic() > until:
                return ['the node was not found']
        for stamp in stamps:
            sample = self.sample(stamp)
            parts = (wire.joints_to(sample), wire.imu_to(sample), wire.feet_to(sample))
            for publisher, message in zip(
                publishers, (*parts, self._target(stamp, away)), strict=True
            ):
                publisher.publish(message)
        if not all(p.wait_for_all_acked(Duration(seconds=HEARD_S)) for p in publishers):
            return ['what was sent did not arrive']
        executor = SingleThreadedExecutor(context=self._context)
        executor.add_node(self.node)
        newest = self.node._newest
        while self.node._sample.time_ns < stamps[-1] or newest['reset'].time_ns < stamps[-1]:
            executor.spin_once(timeout_sec=SPIN_S)
            if time.monotonic() > until + HEARD_S:
                return ['the newest was never heard']
        executor.shutdown()
        other.destroy_node()
        return []

    def drive(self) -> None:
        """Lets reset ask until it drives.

        Raises:
            RuntimeError: it never does.
        """
        for count in range(round(DRIVEN_S * self.robot.command_hz)):
            self.request = int(count > 0)
            self.sense()
            self.want(self.now_ns)
        if self.sent[-1].mode is not Mode.ACTIVE:
            raise RuntimeError(f'reset does not drive: {self.sent[-1].reasons!r}')


def _story(jumps: bool) -> tuple[list[tuple[Any, ...]], list[str]]:
    """Returns what safety sends in a second and more, and timers that go by another clock."""
    alone, wall = SafetyAlone(), [0]

    def wall_ns() -> int:
        wall[0] += 1
        return (wall[0] % 3 - 1) * HOUR_NS + START_NS

    if jumps:
        time.time_ns = wall_ns
        time.time = lambda: wall_ns() / 1e9  # noqa: TID251  # to see that nobody asks
    try:
        alone.drive()
    except RuntimeError as error:
        return [(str(error),)], []
    finally:
        alone.close()
    timers = [t for t in alone.clocks if t is not ClockType.STEADY_TIME]
    said = [(c.sequence, c.mode, c.authority, tuple(c.position), tuple(c.kp)) for c in alone.sent]
    return said, [f'{len(timers)} timers go by another clock'] if timers else []


@row(17)
def wall_clock_jumps(_: World | None) -> Finding:
    quiet, wrong = _story(jumps=False)
    jumping, _wrong = _story(jumps=True)
    if quiet != jumping:
        wrong.append('other commands when the wall clock jumps')
    return Finding(None, f'{len(jumping)} commands, the same', tuple(wrong))


@row(13)
def backlog(_: World | None) -> Finding:
    """Two hundred of each at once, by the middleware: the last one alone is answered."""
    alone = SafetyAlone()
    alone.drive()
    before, first = alone.sent[-1].position, len(alone.sent)
    stamps = [alone.now_ns + k for k in range(1, BURST + 1)]
    wrong = alone.hear_at_once(stamps, away=0.3)
    sent = alone.sent[first:]
    way = max((float(np.abs(command.position - before).max()) for command in sent), default=0.0)
    wrong += [] if sent and sent[-1].time_ns == stamps[-1] else ['the newest does not count']
    wrong += [f'moved by {way} rad in no time'] if way > 0.0 else []
    wrong += [f'{len(sent)} commands for {BURST} samples at once'] if len(sent) > A_SAMPLE else []
    alone.close()
    return Finding(None, f'{len(sent)} commands, no motion', tuple(wrong))


@row(24)
def flood(_: World | None) -> Finding:
    """Five thousand targets a second, each with a newer stamp than the last."""
    alone = SafetyAlone()
    alone.drive()
    first, samples = len(alone.sent), 0
    each_ns = 10**9 // FLOOD_HZ
    next_sample = alone.now_ns + alone.period_ns
    for count in range(round(FLOOD_S * FLOOD_HZ)):
        if alone.now_ns + each_ns >= next_sample:
            alone.now_ns = next_sample - alone.period_ns
            alone.sense()
            next_sample += alone.period_ns
            samples += 1
        else:
            alone.now_ns += each_ns
        alone.want(alone.now_ns + count)
    sent = len(alone.sent) - first
    wrong = [] if sent <= A_SAMPLE * samples else ['the rate out is that of the flood']
    alone.close()
    return Finding(None, f'{sent} commands for {samples} samples', tuple(wrong))


def _without(quantity: str) -> Finding:
    """Lets one of both topics fall silent while reset drives and the other goes on."""
    alone = SafetyAlone()
    alone.drive()
    began_ns, end_ns = alone.now_ns, alone.now_ns + round(SILENT_S * 10**9)
    while alone.sent[-1].mode is Mode.ACTIVE and alone.now_ns < end_ns:
        alone.sense({'battery', 'warmth'} - {quantity})
        alone.want(alone.now_ns)
    last, after_ms = alone.sent[-1], (alone.now_ns - began_ns) / NS_PER_MS
    alone.close()
    if last.mode is Mode.ACTIVE:
        return Finding(None, 'ACTIVE', (f'driven for {SILENT_S} s without {quantity}',))
    return Finding(after_ms, f'{last.mode.name} {words(last.reasons)}')


@row('66b')
def warmth_falls_silent(_: World | None) -> Finding:
    return _without('warmth')


@row('68b')
def battery_falls_silent(_: World | None) -> Finding:
    return _without('battery')
