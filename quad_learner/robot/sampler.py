"""Makes whole samples, one a command tick, of hardware sensors that come when they like.

The newest joint reading and foot forces count; IMU messages since the last tick are averaged. A
sample is made only of sensors that are all there and all fresh; otherwise there is none, and what
is missing is said in words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quad_learner.robot.joint_controller import JointReading
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import NANOSECONDS, SensorSample
from quad_learner.robot.ticks import Ticks

Array = NDArray[np.float64]

JOINTS, IMU, FEET = 'joint_states', 'imu', 'foot_contacts'


@dataclass(frozen=True)
class ImuReading:
    """What an IMU says, in the axes of the body."""

    orientation: Array
    """world_from_body quaternion x, y, z, w, (4,)"""
    angular_velocity: Array
    """[rad/s], (3,)"""
    specific_force: Array
    """[m/s²], (3,)"""


class Sampler:
    """Holds the newest of each sensor."""

    def __init__(self, robot: RobotModel, age_max_s: float) -> None:
        """Args:
        robot: tells which sensors there are.
        age_max_s: age [s] at which a sensor counts as silent.
        """
        self._robot = robot
        self._age_max_ns = round(age_max_s * NANOSECONDS)
        self._needed = (JOINTS, IMU, FEET) if robot.has_foot_force else (JOINTS, IMU)
        self._received: dict[str, int] = {}
        self._reading: JointReading | None = None
        self._imu: list[ImuReading] = []
        self._imu_last: ImuReading | None = None
        self._force: Array = np.zeros(len(robot.feet))

    def take_joints(self, reading: JointReading, now_ns: int) -> None:
        """Takes a joint reading, received at `now_ns` [ns] of the steady clock."""
        self._reading = reading
        self._received[JOINTS] = now_ns

    def take_imu(self, reading: ImuReading, now_ns: int) -> None:
        """Takes an IMU reading, received at `now_ns` [ns] of the steady clock."""
        if self.is_silent(IMU, now_ns):
            self._imu.clear()
        self._imu.append(reading)
        self._imu_last = reading
        self._received[IMU] = now_ns

    def take_feet(self, force: Array, now_ns: int) -> None:
        """Takes the normal force at each foot [N], (feet,)."""
        self._force = force
        self._received[FEET] = now_ns

    def is_silent(self, sensor: str, now_ns: int) -> bool:
        """Tells whether `sensor` has never spoken, or not for too long."""
        received = self._received.get(sensor)
        return received is None or now_ns - received > self._age_max_ns

    def missing(self, now_ns: int) -> tuple[str, ...]:
        """Returns the sensors without which there is no sample."""
        return tuple(name for name in self._needed if self.is_silent(name, now_ns))

    def reading(self, now_ns: int) -> JointReading | None:
        """Returns the newest joint reading, None if it is too old."""
        return None if self.is_silent(JOINTS, now_ns) else self._reading

    def sample(self, stamp_ns: int, now_ns: int) -> SensorSample | None:
        """Returns the sample of the tick with stamp `stamp_ns`; None if a sensor is missing.

        To be asked once a tick, also while there is none: what the IMU said until then is over.
        """
        reading, newest = self._reading, self._imu_last
        since, self._imu = self._imu, []
        if reading is None or newest is None or self.missing(now_ns):
            return None
        since = since or [newest]
        return SensorSample(
            time_ns=stamp_ns,
            joint_position=reading.position,
            joint_velocity=reading.velocity,
            joint_effort=reading.effort,
            orientation=newest.orientation,
            angular_velocity=np.mean([one.angular_velocity for one in since], axis=0),
            specific_force=np.mean([one.specific_force for one in since], axis=0),
            foot_force=self._force,
        )


class TickCounter:
    """Numbers the ticks of a timer that is never quite on time."""

    def __init__(self, ticks: Ticks) -> None:
        """Stores; the first call of `next` is tick 0.

        Args:
            ticks: the grid.
        """
        self._ticks = ticks
        self._start_ns: int | None = None
        self._last = -1
        self.missed = 0
        """ticks without a call so far"""

    def next(self, now_ns: int) -> int | None:
        """Returns the number of the tick that a call at `now_ns` [ns] is for; None: too early.

        A call up to one tick away from its time still gets the next number in turn, so that jitter
        costs no tick.
        """
        if self._start_ns is None:
            self._start_ns = now_ns
        due = self._ticks.index(now_ns - self._start_ns)
        turn = self._last + 1
        if due < turn - 1:
            return None
        number = turn if due <= turn + 1 else due
        self.missed += number - turn
        self._last = number
        return number
