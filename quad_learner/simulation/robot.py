"""The robot that stands in for hardware: sensed and commanded once a tick, as the real one is.

Time is counted in command ticks from zero and moves only in `step`. Everything random comes from
the one generator given, so that a seed and the commands determine every sample to the last bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quad_learner.robot import rotations
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import NANOSECONDS, Health, JointCommand, SensorSample
from quad_learner.simulation.actuators import Actuators
from quad_learner.simulation.ageing import Ageing
from quad_learner.simulation.config import SimulationConfig
from quad_learner.simulation.energy import Energy
from quad_learner.simulation.faults import FaultInjector
from quad_learner.simulation.motion import GRAVITY, BaseState, inertial_means
from quad_learner.simulation.sensors import Reading, Sensors
from quad_learner.simulation.truth import EnergyTruth, FeetTruth, GroundTruth
from quad_learner.simulation.world import World

Array = NDArray[np.float64]


class SimulatedRobot:
    """A robot in a world of its own. Several may live in one process."""

    _actuators: Actuators
    _sensors: Sensors
    _energy: Energy
    _ageing: Ageing
    _faults: FaultInjector
    _of_pushes: np.random.Generator
    _position: tuple[float, ...]
    _velocity: tuple[float, ...]
    _base: BaseState
    _sample: SensorSample

    def __init__(
        self, robot: RobotModel, config: SimulationConfig, generator: np.random.Generator
    ) -> None:
        """Stores; `connect` builds the world.

        Args:
            robot: which robot.
            config: how its world, motors and sensors behave.
            generator: the source of all chance.
        """
        self._robot = robot
        self._config = config
        self._generator = generator
        self._world = World(robot, config, generator.spawn(1)[0])
        self._period = 1.0 / robot.command_hz
        self._ticks = 0
        self._human_resets = 0
        self._placements = 0
        self._push = np.zeros(3)

    @property
    def robot(self) -> RobotModel:
        """Which robot it is."""
        return self._robot

    @property
    def time_ns(self) -> int:
        """Simulated time since `connect` [ns]."""
        return self._ticks * NANOSECONDS // self._robot.command_hz

    @property
    def human_resets(self) -> int:
        """How often `set_upright` was called."""
        return self._human_resets

    @property
    def placements(self) -> int:
        """How often `place` was called."""
        return self._placements

    @property
    def world(self) -> World:
        """The physics world, for cameras and studies."""
        return self._world

    def connect(self) -> None:
        """Builds the world and puts the robot in its stance, a little above the ground.

        Raises:
            ConfigurationError: the robot file, the URDF or a fault declaration is wrong.
        """
        of_motors, of_sensors, self._of_pushes, of_age = self._generator.spawn(4)
        self._faults = FaultInjector(self._robot, self._config.faults)
        self._energy = Energy(self._robot, self._config)
        self._actuators = Actuators(self._robot, self._config, of_motors)
        self._sensors = Sensors(self._robot, self._config, of_sensors)
        self._world.connect()
        self._ageing = Ageing(self._config, self._world.ground_friction, of_age)
        self._ticks = 0
        self._stand(0.0, 0.0, 0.0, self._robot.spawn_height)

    def close(self) -> None:
        """Takes the world down; harmless when there is none."""
        self._world.close()

    def sense(self) -> SensorSample:
        """Returns the sample of the current time; the same one until time or pose is changed."""
        return self._sample

    @property
    def has_lost_sample(self) -> bool:
        """Whether a fault keeps back the sample of now, so that `sense` returns an old one."""
        return self._sample.time_ns < self.time_ns

    def step(self, command: JointCommand | None) -> SensorSample:
        """Advances one command tick and returns the sample at its end.

        Args:
            command: takes effect one latency from now; until then the one before holds. None
                means joint damping.
        """
        self._actuators.accept(command)
        self._grow_older()
        self._draw_push()
        before, (torques, velocities, forces) = self._base, self._advance()
        self._base = self._world.base()
        self._ticks += 1
        self._push = np.zeros(3)
        self._energy.spend(torques, velocities, self._period)
        rate, force = inertial_means(before, self._base, self._robot.imu_offset, self._period)
        self._publish(
            Reading(
                time_ns=self.time_ns,
                joint_position=np.array(self._position),
                joint_velocity=np.array(self._velocity),
                joint_effort=torques.sum(axis=0) / len(torques),
                orientation=self._base.orientation,
                angular_velocity=rate,
                specific_force=force,
                foot_force=forces.sum(axis=0) / len(forces),
            )
        )
        return self._sample

    def skip(self, ticks: int) -> None:
        """Lets time go on in which the world stood still, as when its process was held up."""
        self._ticks += ticks

    def health(self) -> Health:
        """Returns battery and motor warmth."""
        return self._energy.health(self.time_ns)

    def truth(self) -> GroundTruth:
        """Returns the true motion of the root link's frame."""
        base = self._base
        return GroundTruth(
            time_ns=self.time_ns,
            position=base.position,
            orientation=np.array(base.orientation),
            velocity_world=base.velocity,
            angular_velocity_world=base.angular_velocity,
        )

    def feet_truth(self) -> FeetTruth:
        """Returns where the feet are and what touches the world."""
        return self._world.feet_truth()

    def energy_truth(self) -> EnergyTruth:
        """Returns what has been spent since `connect`."""
        return self._energy.truth()

    def set_upright(self) -> None:
        """Puts the robot on its feet where it lies, heading kept, as a person would."""
        self._human_resets += 1
        x, y, _ = self._base.position.tolist()
        yaw = rotations.roll_pitch_yaw(self._base.orientation)[2]
        self._stand(x, y, yaw, self._robot.height)

    def place(self, position: Array, orientation: Array, joint_position: Array) -> None:
        """Puts the robot anywhere, at rest, for tests and studies.

        Args:
            position: of the root link's origin, world frame [m], (3,).
            orientation: world_from_body quaternion x, y, z, w, (4,).
            joint_position: [rad], (joints,).
        """
        self._placements += 1
        self._place(position, orientation, joint_position)

    def push(self, impulse: Array) -> None:
        """Pushes the root link during the next tick.

        Args:
            impulse: world frame [N·s], (3,).
        """
        self._push = self._push + impulse

    def _stand(self, x: float, y: float, yaw: float, height: float) -> None:
        position = np.array((x, y, self._world.ground_height(x, y) + height))
        self._place(position, rotations.quaternion_from_rpy(0.0, 0.0, yaw), self._robot.stance)

    def _place(self, position: Array, orientation: Array, joint_position: Array) -> None:
        self._world.place(position, orientation, joint_position)
        self._position, self._velocity = self._world.joints()
        self._base = self._world.base()
        self._publish(_at_rest(self._robot, self.time_ns, np.array(self._position), self._base))

    def _advance(self) -> tuple[Array, Array, Array]:
        """Takes the physics steps of a tick.

        Returns:
            torque [N·m] and velocity [rad/s] of each joint, and the force at each foot [N], with
            one row a step.
        """
        torques, velocities, forces = [], [], []
        push, pushed = self._push / self._period, bool(self._push.any())
        for _ in range(self._robot.substeps):
            torque = self._actuators.torque(self._position, self._velocity)
            if pushed:
                self._world.push(push)
            self._world.advance(torque)
            self._position, self._velocity = self._world.joints()
            torques.append(torque)
            velocities.append(self._velocity)
            forces.append(self._world.foot_forces())
        return np.array(torques), np.array(velocities), np.array(forces)

    def _publish(self, reading: Reading) -> None:
        self._sample = self._faults.apply(self._sensors.read(reading))

    def _grow_older(self) -> None:
        age = self._ageing.at(self._ticks * self._period)
        if age is not None:
            self._actuators.wear(age.torque, age.drag)
            self._energy.fade(age.capacity)
            self._world.set_ground_friction(age.friction)

    def _draw_push(self) -> None:
        if self._config.push_interval_s <= 0.0:
            return
        expected = 1.0 / (self._config.push_interval_s * self._robot.command_hz)
        chance, heading = self._of_pushes.random(2)
        if chance < expected:
            angle = 2.0 * np.pi * heading
            direction = np.array((np.cos(angle), np.sin(angle), 0.0))
            self.push(self._config.push_impulse_ns * direction)


def _at_rest(robot: RobotModel, time_ns: int, position: Array, base: BaseState) -> Reading:
    """Returns the reading of a robot held still."""
    return Reading(
        time_ns=time_ns,
        joint_position=position,
        joint_velocity=np.zeros_like(position),
        joint_effort=np.zeros_like(position),
        orientation=base.orientation,
        angular_velocity=np.zeros(3),
        specific_force=rotations.rotate_back(base.orientation, (0.0, 0.0, GRAVITY)),
        foot_force=np.zeros(len(robot.feet)),
    )
