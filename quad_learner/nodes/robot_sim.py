"""The simulated robot node: PyBullet behind the topics of a real robot.

Lockstep: one tick of the world for each command that answers the current stamp; a message lost on
the way is sent again. Real time: one tick each period of the steady clock, with the newest command
that the sink still trusts.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

import numpy as np

from quad_learner.robot.command_judge import CommandJudge, Witness
from quad_learner.robot.rotations import matrix_from_quaternion
from quad_learner.robot.signals import NANOSECONDS, JointCommand, SensorSample
from quad_learner.robot.sink import CommandSink
from quad_learner.ros import topics
from quad_learner.ros.clock import steady_ns
from quad_learner.ros.diagnostics import ERROR, OK, WARN
from quad_learner.ros.graph_node import GraphNode
from quad_learner.ros.latency import Latency
from quad_learner.ros.messages import MessageError, battery_to, place_to, stamp_to
from quad_learner.ros.packed import Records
from quad_learner.ros.process import run
from quad_learner.ros.robot_state import RobotState
from quad_learner.ros.wire import SampleWire, TruthWire
from quad_learner.safety.config import SafetyConfig
from quad_learner.simulation.config import SimulationConfig
from quad_learner.simulation.robot import SimulatedRobot
from quad_learner.simulation.tag import Tag

RESEND_S = 0.2
"""[s] of silence after which lockstep sends the current sample again"""
WRITERS_S = 0.5
"""[s] between looks at how many nodes publish commands"""
CATCH_UP_TICKS = 4
"""ticks that real time makes up for when it was held up; more are lost, and stamps keep time"""


class RobotSimNode(GraphNode):
    """The body. It decides nothing but whether a command may still be trusted."""

    controls = True

    def __init__(self, **options: Any) -> None:
        super().__init__('robot', SimulationConfig, SafetyConfig, **options)
        self.keep_to_this_machine()
        generator = self.graph.generator('simulation')
        self._sim = SimulatedRobot(self.robot, self.configs[0], generator)
        self._sink = CommandSink(self.robot)
        self._judge = CommandJudge(self.robot, asdict(self.configs[1]), self.graph.lockstep)
        self._judge.whole = False
        self._records = Records(self.robot)
        self._samples = SampleWire(self.robot)
        self._truths = TruthWire(self.graph.robot_id)
        self._tag = Tag(self.robot, self.configs[0], self.graph.generator('tag'))
        self._latency = Latency()
        self._safety = self.lifeline('safety')
        self._state = RobotState(self, self.graph.robot_id)
        self._unjudged: list[tuple[JointCommand, int]] = []
        self._missed = 0
        self._quiet = 0
        self._wire()
        self._sim.connect()
        self._start_ns = steady_ns()
        if self.graph.lockstep:
            self.every(RESEND_S, self._resend)
        else:
            self.every(1.0 / self.robot.command_hz, self._on_period)
        self.every(WRITERS_S, self._count_writers)
        self.every(1.0, self._state.tell)

    def _wire(self) -> None:
        self._joints = topics.JOINT_STATES.publisher(self)
        self._imu = topics.IMU.publisher(self)
        self._feet = topics.FOOT_CONTACTS.publisher(self)
        self._battery = topics.BATTERY.publisher(self)
        self._temperature = topics.MOTOR_TEMPERATURE.publisher(self)
        self._truth = topics.GROUND_TRUTH.publisher(self)
        self._sim_time = topics.CLOCK.publisher(self)
        self._poses = topics.EXTERNAL_POSE.publisher(self) if self._tag.sees else None
        topics.JOINT_COMMAND.subscribe(self, self._on_command, raw=True)
        topics.SET_UPRIGHT.serve(self, self._set_upright)

    def _on_command(self, data: bytes) -> None:
        try:
            command = self._records.command_from(data)
        except MessageError as error:
            self.diagnostics.values['refused'] = str(error)
            self._sink.malformed()
            return
        self._latency.answered(command.time_ns, steady_ns())
        if not self.graph.lockstep:
            self._take(command, steady_ns())
            return
        answered = self.ticks.index(command.time_ns) == self.ticks.index(self._sim.time_ns)
        if answered:
            self._take(command, self._sim.time_ns)
            self._quiet = 0
            self._tick(self._sim.time_ns)

    def _take(self, command: JointCommand, now_ns: int) -> None:
        self._sink.accept(command, now_ns, self._sim.sense())
        self._unjudged.append((command, now_ns))

    def _judge_all(self) -> None:
        """Has the commands judged that came: when nothing waits for this process."""
        for command, heard_ns in self._unjudged:
            for wrong in self._judge.check(command, heard_ns, Witness()):
                self.diagnostics.values['unsafe'] = wrong
                self.get_logger().error(f'unsafe command {command.sequence}: {wrong}')
        self._unjudged.clear()

    def _on_period(self) -> None:
        if self._safety.is_cut():
            self._sink.abandon()
        due = self.ticks.index(steady_ns() - self._start_ns)
        behind = due - self.ticks.index(self._sim.time_ns)
        if behind > CATCH_UP_TICKS:
            lost = behind - CATCH_UP_TICKS
            self._missed += lost
            self._sim.skip(lost)
            behind = CATCH_UP_TICKS
        for _ in range(behind):
            self._tick(steady_ns())

    def _tick(self, now_ns: int) -> None:
        self._judge_all()
        self._move(now_ns)
        # Nobody answers a sample that is lost: a world that waits goes on without.
        while self.graph.lockstep and self._sim.has_lost_sample:
            self._move(self._sim.time_ns)

    def _move(self, now_ns: int) -> None:
        command = self._sink.current(now_ns)
        self._state.note(command is not None)
        sample = self._sim.step(command)
        self._publish(sample)
        time_ns = self._sim.time_ns
        if self._poses is not None and self._tag.is_due(time_ns):
            place = self._tag.see(self._sim.truth())
            self._poses.publish(place_to(time_ns, place))

    def _count_writers(self) -> None:
        now_ns = self._sim.time_ns if self.graph.lockstep else steady_ns()
        self._sink.count_writers(self.writers(topics.JOINT_COMMAND), now_ns)

    def _resend(self) -> None:
        if self._quiet > 0:
            self._publish(self._sim.sense())
        self._quiet += 1

    def _publish(self, sample: SensorSample) -> None:
        time_ns = self._sim.time_ns
        is_decision = self.ticks.is_decision(time_ns)
        if is_decision and not self.graph.lockstep:
            self._publish_truth()
        if not (self.graph.lockstep and self._sim.has_lost_sample):
            self._publish_sample(sample)
        # The sample is whole: the others can begin. In lockstep what follows is waited for by
        # nobody; in real time it would make this process late for the command.
        if is_decision and self.graph.lockstep:
            self._sim_time.publish(topics.CLOCK.type(clock=stamp_to(time_ns)))
            self._publish_truth()
        if self.ticks.index(time_ns) % self.robot.command_hz == 0:
            health = self._sim.health()
            self._battery.publish(battery_to(health, self.graph.robot_id))
            if self.robot.has_motor_temperature:
                self._temperature.publish(self._records.temperature_to(health))

    def _publish_sample(self, sample: SensorSample) -> None:
        self._latency.told(sample.time_ns, steady_ns())
        self._joints.publish(self._samples.joints_to(sample))
        if self.robot.has_foot_force:
            self._feet.publish(self._samples.feet_to(sample))
        self._imu.publish(self._samples.imu_to(sample))
        # After them: nobody waits for the judge, and no command is read before it has heard.
        self._judge.hear(sample)
        self.diagnostics.count('samples')

    def _publish_truth(self) -> None:
        truth = self._sim.truth()
        body_from_world = matrix_from_quaternion(truth.orientation).T
        self._truth.publish(
            self._truths.truth_to(
                truth.time_ns,
                truth.position,
                truth.orientation,
                np.asarray(body_from_world @ truth.velocity_world),
            )
        )

    def _set_upright(self) -> tuple[bool, str]:
        self._sim.set_upright()
        return True, f'set upright; human resets so far: {self._sim.human_resets}'

    def report(self) -> tuple[bytes, str]:
        """Returns level and summary for `/diagnostics`."""
        values = self.diagnostics.values
        values['robot_time_s'] = self._sim.time_ns / NANOSECONDS
        values['missed_ticks'] = self._missed
        values['latency_ms'], values['latency_max_ms'] = self._latency.take()
        values['human_resets'] = self._sim.human_resets
        values['judged_commands'] = self._judge.judged
        values['unsafe_commands'] = self._judge.unsafe
        values['refusals'] = dict(self._sink.refusals)
        if self._sink.current(self._sim.time_ns if self.graph.lockstep else steady_ns()) is None:
            return WARN, 'damping: no command that can be trusted'
        if self._judge.unsafe:
            return ERROR, f'unsafe commands: {self._judge.unsafe}, the last {values["unsafe"]}'
        return OK, 'follows joint_command'

    def close(self) -> None:
        """Takes the world down."""
        self._judge_all()
        self._sim.close()


def main() -> None:
    """Runs the node."""
    sys.exit(run(RobotSimNode))


if __name__ == '__main__':
    main()
