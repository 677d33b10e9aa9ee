"""The hardware door: a robot that runs ros2_control, behind the topics of every other robot.

Its sensors come in on topics of their own and go out as the graph's, one whole sample a command
tick with one stamp. Commands that the sink trusts go to a forward controller. It waits for sensors
and controller, says what it waits for, and sends nothing at all before both are there and safety
has spoken; from then on it damps whenever it may not follow.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import BatteryState, Imu, JointState
from std_msgs.msg import Float64MultiArray

from quad_learner.configuration import ConfigurationError
from quad_learner.robot.joint_controller import JointMap, law
from quad_learner.robot.model import RobotModel
from quad_learner.robot.ros2_control_config import Ros2ControlConfig
from quad_learner.robot.sampler import FEET, IMU, JOINTS, ImuReading, Sampler, TickCounter
from quad_learner.robot.signals import NANOSECONDS, Health, SensorSample
from quad_learner.robot.sink import CommandSink, Verdict
from quad_learner.ros import topics
from quad_learner.ros.clock import steady_ns
from quad_learner.ros.diagnostics import ERROR, OK, WARN
from quad_learner.ros.graph_node import GraphNode
from quad_learner.ros.latency import Latency
from quad_learner.ros.messages import MessageError, NamedReader, imu_from, stamp_to
from quad_learner.ros.neighbours import named
from quad_learner.ros.packed import Records
from quad_learner.ros.process import run
from quad_learner.ros.robot_state import RobotState
from quad_learner.ros.wire import SampleWire

LOOK_S = 0.5
"""[s] between looks at who else is in the graph"""
UNKNOWN = -1.0
"""first covariance of an Imu without orientation (its message definition)"""


class RobotRos2ControlNode(GraphNode):
    """The body. It decides nothing but whether a command may still be trusted."""

    controls = True

    def __init__(self, **options: Any) -> None:
        super().__init__('robot', Ros2ControlConfig, **options)
        self.keep_to_this_machine()
        self._config: Ros2ControlConfig = self.configs[0]
        _check(self.robot, self._config)
        simulated = self.get_parameter('use_sim_time').value
        if self.graph.lockstep or simulated:
            raise ConfigurationError(
                f'gear = {self.graph.gear}, use_sim_time = {simulated}: hardware is driven by the '
                'steady clock alone; set gear: real_time and use_sim_time: false'
            )
        self._map = JointMap(self.robot, self._config)
        self._law = law(self.robot, self._config, self._map)
        self._sampler = Sampler(self.robot, self._config.sensor_age_max_s)
        self._sink = CommandSink(self.robot)
        self._records = Records(self.robot)
        self._samples = SampleWire(self.robot)
        self._counter = TickCounter(self.ticks)
        self._names = NamedReader(self._map.hardware_names)
        self._feet_names = NamedReader(self.robot.feet)
        self._sample: SensorSample | None = None
        self._stamp_ns = 0
        self._neighbours = 'looks who is there'
        self._began = False
        self._leaving = False
        self._human_resets = 0
        self._latency = Latency()
        self._safety = self.lifeline('safety')
        self._state = RobotState(self, self.graph.robot_id)
        self._wire()

    def _wire(self) -> None:
        self._joint_states = topics.JOINT_STATES.publisher(self)
        self._imu = topics.IMU.publisher(self)
        self._feet = topics.FOOT_CONTACTS.publisher(self)
        self._battery = topics.BATTERY.publisher(self)
        self._temperature = topics.MOTOR_TEMPERATURE.publisher(self)
        config = self._config
        newest = QoSProfile(depth=1)
        self._motors = self.create_publisher(Float64MultiArray, config.commands_topic, newest)
        self._hear(JointState, config.joint_states_topic, self._on_joints)
        self._hear(Imu, config.imu_topic, self._on_imu)
        self._hear(BatteryState, config.battery_topic, self._on_battery)
        if self.robot.has_foot_force:
            self._hear(JointState, config.foot_contacts_topic, self._on_feet)
        if self.robot.has_motor_temperature:
            self._hear(Float64MultiArray, config.motor_temperature_topic, self._on_temperature)
        topics.JOINT_COMMAND.subscribe(self, self._on_command, raw=True)
        topics.SET_UPRIGHT.serve(self, self._set_upright)
        self.every(1.0 / self.robot.command_hz, self._on_tick)
        self.every(LOOK_S, self._look)
        self.every(1.0, self._state.tell)

    def _hear(self, kind: Any, name: str, callback: Any) -> None:
        def careful(message: Any) -> None:
            """Tells a message that cannot be used in the diagnostics."""
            try:
                callback(message)
            except MessageError as error:
                self.diagnostics.values['unreadable'] = f'{name}: {error}'

        if name:
            self.create_subscription(kind, name, careful, qos_profile_sensor_data)

    def _on_joints(self, message: JointState) -> None:
        position = self._names.read(message, 'position')
        velocity = self._names.read(message, 'velocity')
        if self.robot.has_joint_torque and not message.effort:
            raise MessageError(
                'no effort, though the file of the robot says that it is measured: '
                'say sensors.joint_torque: false there'
            )
        effort = self._names.read(message, 'effort') if message.effort else np.zeros_like(position)
        if not np.isfinite((position, velocity, effort)).all():
            raise MessageError('a number is not finite')
        self._sampler.take_joints(self._map.reading(position, velocity, effort), steady_ns())
        self.diagnostics.count('hardware_joint_states')
        self._drive()

    def _on_imu(self, message: Imu) -> None:
        if message.orientation_covariance[0] == UNKNOWN:
            raise MessageError('it says that it does not know its orientation')
        self._sampler.take_imu(ImuReading(*imu_from(message)), steady_ns())
        self.diagnostics.count('hardware_imu')

    def _on_feet(self, message: JointState) -> None:
        self._sampler.take_feet(self._feet_names.read(message, 'effort'), steady_ns())

    def _on_battery(self, message: BatteryState) -> None:
        message.header.stamp = stamp_to(self._stamp_ns)
        message.header.frame_id = named(self.graph.robot_id, '')
        self._battery.publish(message)

    def _on_temperature(self, message: Float64MultiArray) -> None:
        values = np.array(message.data)
        if values.shape != (len(self.robot.joints),):
            raise MessageError(f'{values.size} numbers for {len(self.robot.joints)} joints')
        health = Health(self._stamp_ns, np.nan, np.nan, self._map.unordered(values))
        self._temperature.publish(self._records.temperature_to(health))

    def _on_command(self, data: bytes) -> None:
        now_ns = steady_ns()
        if self._leaving or self._obstacle(now_ns):
            return
        try:
            command = self._records.command_from(data)
        except MessageError as error:
            self.diagnostics.values['refused'] = str(error)
            self._sink.malformed()
            return
        self._latency.answered(command.time_ns, now_ns)
        if self._sink.accept(command, now_ns, self._sample) is Verdict.ACCEPTED:
            self._began = True
            self._drive()

    def _on_tick(self) -> None:
        now_ns = steady_ns()
        tick = self._counter.next(now_ns)
        if tick is None:
            return
        self._stamp_ns = self.ticks.stamp(tick)
        sample = self._sampler.sample(self._stamp_ns, now_ns)
        if sample is None:
            self._drive()
            return
        self._sample = sample
        self._publish(sample)

    def _drive(self) -> None:
        """Sends the motors what the newest command, or the lack of one, makes of the joints."""
        if self._safety.is_cut():
            self._sink.abandon()
        if not self._began:
            return
        now_ns = steady_ns()
        blocked = self._leaving or bool(self._obstacle(now_ns))
        command = None if blocked else self._sink.current(now_ns)
        self._state.note(command is not None)
        self._send(self._law.output(command, self._sampler.reading(now_ns), now_ns))

    def _send(self, values: Any) -> None:
        if values is not None:
            self._motors.publish(Float64MultiArray(data=values.tolist()))
            self.diagnostics.count('motor_commands')

    def _publish(self, sample: SensorSample) -> None:
        self._latency.told(sample.time_ns, steady_ns())
        self._joint_states.publish(self._samples.joints_to(sample))
        if self.robot.has_foot_force:
            self._feet.publish(self._samples.feet_to(sample))
        self._imu.publish(self._samples.imu_to(sample))
        self.diagnostics.count('samples')

    def _look(self) -> None:
        """Looks for the controller, and for others who would speak in our place."""
        name = self._motors.topic_name
        self._neighbours = ''
        if self.count_subscribers(name) == 0:
            self._neighbours = f'waits for a controller that listens to {name}'
        if self.count_publishers(name) > 1:
            self._neighbours = f'somebody else publishes {name}: stop that first'
        self._sink.count_writers(self.writers(topics.JOINT_COMMAND), steady_ns())

    def _obstacle(self, now_ns: int) -> str:
        """Returns why no command may be followed now, in words; empty if it may."""
        if self.get_parameter('use_sim_time').value:
            return 'use_sim_time is on: hardware is never driven by simulated time'
        missing = self._sampler.missing(now_ns)
        if missing:
            config = self._config
            names = {
                JOINTS: config.joint_states_topic,
                IMU: config.imu_topic,
                FEET: config.foot_contacts_topic,
            }
            return f'waits for {", ".join(names[part] for part in missing)}'
        return self._neighbours

    def _set_upright(self) -> tuple[bool, str]:
        self._human_resets += 1
        return True, f'noted that a person did it; human resets so far: {self._human_resets}'

    def report(self) -> tuple[bytes, str]:
        """Returns level and summary for `/diagnostics`."""
        values = self.diagnostics.values
        values['robot_time_s'] = self._stamp_ns / NANOSECONDS
        values['missed_ticks'] = self._counter.missed
        values['latency_ms'], values['latency_max_ms'] = self._latency.take()
        values['human_resets'] = self._human_resets
        values['refusals'] = dict(self._sink.refusals)
        values['command_interface'] = self._config.command_interface
        obstacle = self._obstacle(steady_ns())
        if obstacle:
            return (ERROR if self._began else WARN), obstacle
        if self._sink.current(steady_ns()) is None:
            return WARN, 'damping: no command that can be trusted'
        return OK, 'follows joint_command'

    def close(self) -> None:
        """Damps for a moment, then leaves the joints without torque, or held by their drives."""
        self._leaving = True
        until_ns = steady_ns() + round(self._config.farewell_s * NANOSECONDS)
        while self._began and self.executor is not None and steady_ns() < until_ns:
            self.executor.spin_once(timeout_sec=1.0 / self.robot.command_hz)
        if self._began:
            self._send(self._law.farewell())
        self._began = False


def _check(robot: RobotModel, config: Ros2ControlConfig) -> None:
    """Raises ConfigurationError where a sensor of the robot's file has no topic."""
    needs = {
        'foot_contacts_topic': ('foot_force', robot.has_foot_force),
        'motor_temperature_topic': ('motor_temperature', robot.has_motor_temperature),
    }
    for name, (sensor, has) in needs.items():
        if has and not getattr(config, name):
            raise ConfigurationError(
                f'{name} is empty, but the file of {robot.name} says that it has the sensor: '
                f'name the topic, or say sensors.{sensor}: false there'
            )


def main() -> None:
    """Runs the node."""
    sys.exit(run(RobotRos2ControlNode))


if __name__ == '__main__':
    main()
