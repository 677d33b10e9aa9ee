"""What the wire says is not believed without bound: silence of one topic, stamps, numbers.

The safety node in real time, on a clock of ours; its callbacks are called by hand.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rclpy.serialization import serialize_message

from quad_learner.nodes import safety as module
from quad_learner.nodes.safety import SafetyNode
from quad_learner.robot.signals import Health
from quad_learner.ros import health as health_module
from quad_learner.ros.messages import battery_to, odometry_to
from quad_learner.safety.modes import Authority, Mode, Reason

SECOND = 1_000_000_000
FOR_EVER_NS, FOR_EVER = 1 << 60, 10**15
"""a stamp and a number that no honest sender comes to in its life"""


class Alone:
    """The node, a robot that stands, and reset who asks when told to."""

    def __init__(
        self, bench: Any, builders: tuple[Any, Any], patch: pytest.MonkeyPatch, **changed: Any
    ) -> None:
        self._sample_of, self._target_of = builders
        self.now_ns = 1000 * SECOND
        self.robot_ns = 50 * SECOND
        """the robot's clock, which began when it did"""
        for each in (module, health_module):
            patch.setattr(each, 'steady_ns', lambda: self.now_ns)
        self.node = bench.start(SafetyNode, 'safety', gear='real_time', **changed)
        self.records = bench.records
        self.period_ns = SECOND // bench.robot.command_hz
        self.battery: float | None = 0.9
        """charge; None: its topic is silent"""
        self.celsius: float | None = 30.0
        self.request = 0
        self.speaks = True
        """the robot says what it senses"""
        self._count = 0

    @property
    def command(self) -> Any:
        """What was sent last."""
        return self.node._state.command

    def run(self, seconds: float) -> Any:
        """Lets time pass; returns the last command."""
        for _ in range(round(seconds * SECOND / self.period_ns)):
            self.now_ns += self.period_ns
            self.robot_ns += self.period_ns
            self._count += 1
            if self._count % 80 == 1:
                self._tell()
            if self.speaks:
                self.sense(self.robot_ns)
                self.want(self.robot_ns, self.request)
            else:
                self.node._watch()
        return self.command

    def _tell(self) -> None:
        health = Health(self.robot_ns, 24.0, self.battery or 0.0, np.full(12, self.celsius or 0.0))
        if self.battery is not None:
            self.node._health._on_battery(battery_to(health))
        if self.celsius is not None:
            self.node._health._on_temperature(self.records.temperature_to(health))

    def sense(self, stamp_ns: int) -> None:
        """Says what a robot at rest senses; no two samples are the same to the bit."""
        noise = 1e-6 * (self._count % 2)
        force = np.array((0.0, 0.0, 9.81 + noise))
        sample = self._sample_of(
            time_ns=stamp_ns, joint_velocity=np.full(12, noise), specific_force=force
        )
        self.node._on_sample(sample)

    def want(self, stamp_ns: int, request: int) -> None:
        """Lets reset ask."""
        target = self._target_of(time_ns=stamp_ns, source=Authority.RESET, request=request)
        self.node._on_target('reset', self.records.target_to(target))

    def drives(self) -> bool:
        """Asks with the number of the newest decision until reset drives, for five seconds."""
        for _ in range(25):
            self.request = 1 + 40 * self.robot_ns // SECOND
            if self.run(0.2).mode is Mode.ACTIVE:
                return bool(self.command.request == self.request)
        return False


@pytest.fixture
def alone(bench: Any, sample_of: Any, target_of: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Returns a function that makes the node, with some parameters changed, and lets it settle."""

    def make(**changed: Any) -> Alone:
        made = Alone(bench, (sample_of, target_of), monkeypatch, **changed)
        made.run(1.0)
        return made

    return make


# Health may be five seconds old, and comes once a second.
@pytest.mark.parametrize(
    ('silent', 'reason'),
    [('celsius', Reason.OVER_TEMPERATURE), ('battery', Reason.LOW_BATTERY)],
)
def test_a_topic_that_falls_silent_is_noticed_whatever_the_other_says(
    alone: Any, silent: str, reason: Reason
) -> None:
    robot = alone()
    assert robot.drives()
    setattr(robot, silent, None)
    robot.run(3.9)
    assert robot.command.mode is Mode.ACTIVE
    robot.run(1.3)
    assert robot.command.mode is Mode.SOFT_STOP
    assert robot.command.reasons & (Reason.OVER_TEMPERATURE | Reason.LOW_BATTERY) == reason
    words = {'celsius': 'unknown °C', 'battery': 'battery unknown'}
    assert words[silent] in robot.node._evidence


def test_heat_is_noticed_while_the_battery_is_silent(alone: Any) -> None:
    robot = alone(battery_missing_stops=False)
    assert robot.drives()
    robot.battery = None
    robot.run(10.0)
    assert robot.command.mode is Mode.ACTIVE
    robot.celsius = 300.0
    robot.run(1.1)
    assert robot.command.mode is Mode.SOFT_STOP
    assert Reason.OVER_TEMPERATURE in robot.command.reasons


@pytest.mark.parametrize('missing_stops', [True, False])
def test_a_robot_without_a_battery_topic_drives_and_its_motors_are_watched(
    bench: Any, sample_of: Any, target_of: Any, monkeypatch: pytest.MonkeyPatch,
    missing_stops: bool,
) -> None:  # fmt: skip
    changed = {'battery_missing_stops': False, 'temperature_missing_stops': missing_stops}
    robot = Alone(bench, (sample_of, target_of), monkeypatch, **changed)
    robot.battery = None
    robot.run(1.0)
    assert robot.command.mode is Mode.STANDBY
    assert robot.drives()
    robot.celsius = 300.0
    robot.run(1.1)
    assert Reason.OVER_TEMPERATURE in robot.command.reasons


@pytest.mark.parametrize('when', ['driving', 'stopped'])
def test_one_stamp_from_a_far_future_does_not_end_all_driving(alone: Any, when: str) -> None:
    robot = alone()
    assert robot.drives()
    if when == 'stopped':
        robot.node._operator_stop()
    robot.want(FOR_EVER_NS, robot.request)
    assert 'ahead of every sample' in robot.node.diagnostics.values['refused']
    if when == 'stopped':
        robot.run(1.0)
        robot.node._operator_resume()
        assert robot.drives()
        return
    robot.run(0.5)
    assert robot.command.mode is Mode.ACTIVE


def test_a_future_that_was_heard_before_the_first_sample_is_forgotten(
    bench: Any, sample_of: Any, target_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    robot = Alone(bench, (sample_of, target_of), monkeypatch)
    robot.want(FOR_EVER_NS, 1)
    robot.run(1.0)
    assert robot.drives()


# A target may be 0.1 s old by stamp; who heard a sample before safety did is ahead by a period.
@pytest.mark.parametrize(('ahead_ns', 'heard'), [(99_000_000, True), (101_000_000, False)])
def test_a_target_may_be_ahead_by_as_much_as_it_may_be_old(
    alone: Any, ahead_ns: int, heard: bool
) -> None:
    robot = alone()
    robot.want(robot.robot_ns + ahead_ns, 0)
    assert (robot.node._newest['reset'].time_ns > robot.robot_ns) is heard


@pytest.mark.parametrize('when', ['driving', 'stopped'])
def test_one_number_far_too_high_does_not_end_all_driving(alone: Any, when: str) -> None:
    robot = alone()
    assert robot.drives()
    if when == 'stopped':
        robot.node._operator_stop()
    robot.want(robot.robot_ns + 1, FOR_EVER)
    if when == 'stopped':
        robot.node._step()
        robot.run(1.0)
        robot.node._operator_resume()
    assert robot.drives()


def test_an_estimate_of_a_far_future_is_refused(alone: Any, estimate_of: Any) -> None:
    robot = alone()
    for ahead_ns, heard in ((FOR_EVER_NS, False), (0, True)):
        message = odometry_to(estimate_of(time_ns=robot.robot_ns + ahead_ns))
        robot.node._on_odometry(serialize_message(message))
        assert ('estimate' in robot.node._newest) is heard


@pytest.mark.parametrize('restart_s', [0.2, 14.5])
def test_a_robot_that_begins_anew_is_driven_again(alone: Any, restart_s: float) -> None:
    """Its clock counts from its start, and so do the numbers of who counts its decisions."""
    robot = alone()
    assert robot.drives()
    robot.speaks = False
    robot.run(restart_s)
    assert robot.command.mode is Mode.SOFT_STOP
    assert Reason.SENSORS_STALE in robot.command.reasons
    robot.speaks, robot.robot_ns = True, 0
    assert robot.drives()
    assert robot.request < 400


def test_the_same_after_one_sample_from_a_far_future(alone: Any) -> None:
    robot = alone()
    assert robot.drives()
    robot.sense(FOR_EVER_NS)
    robot.run(0.3)
    assert robot.command.mode is not Mode.ACTIVE
    assert robot.drives()


def test_samples_out_of_order_are_no_robot_that_begins_anew(alone: Any) -> None:
    robot = alone()
    assert robot.drives()
    before = robot.command.sequence
    robot.sense(robot.robot_ns - 5 * robot.period_ns)
    assert robot.command.sequence == before
    robot.run(0.5)
    assert robot.command.mode is Mode.ACTIVE


def test_who_asks_for_a_stop_again_and_again_makes_one_step(alone: Any) -> None:
    robot = alone()
    assert robot.drives()
    before = robot.command.sequence
    for _ in range(1000):
        stopped, _ = robot.node._operator_stop()
        assert stopped
    assert robot.command.mode is Mode.LATCHED_STOP
    assert robot.command.sequence == before + 1


def test_a_stop_for_another_reason_is_no_reason_not_to_take_the_operators(alone: Any) -> None:
    robot = alone()
    robot.node._core._arbiter = None  # each step fails, which is a latched stop
    robot.run(0.1)
    assert robot.command.mode is Mode.LATCHED_STOP
    before = robot.command.sequence
    robot.node._operator_stop()
    assert robot.command.sequence == before + 1


def test_a_flood_of_resumes_is_looked_at_twice_a_second(alone: Any) -> None:
    robot = alone()
    robot.node._operator_stop()
    robot.run(1.0)
    assert robot.node._operator_resume()[0]
    before = robot.command.sequence
    refused = [robot.node._operator_resume() for _ in range(1000)]
    assert robot.command.sequence == before
    assert not any(done for done, _ in refused)
    assert 'too soon' in refused[-1][1]
    robot.node._operator_stop()
    robot.run(0.6)
    assert robot.node._operator_resume()[0]
    assert robot.command.mode is Mode.STANDBY
