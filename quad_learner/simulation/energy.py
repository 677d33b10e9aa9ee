"""Battery and motor warmth.

Power is mechanical work (braking gives nothing back), copper loss c τ² and what computers draw.
A motor warms by its copper loss and cools towards the air: C dT/dt = c τ² − G (T − T_air).
The voltage falls evenly from full to empty, less the drop of the mean current at the inner
resistance. A charger gives the same power at all times, until the battery is full.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import Health
from quad_learner.simulation import kernels
from quad_learner.simulation.config import SimulationConfig
from quad_learner.simulation.facts import facts_of
from quad_learner.simulation.truth import EnergyTruth

Array = NDArray[np.float64]

_SECONDS_PER_HOUR = 3600.0
VOLTAGE_TIME_S = 1.0
"""[s] over which a battery board averages: the peak of one footfall says nothing of the charge"""


class Energy:
    """What a robot's battery and motors have left."""

    def __init__(self, robot: RobotModel, config: SimulationConfig) -> None:
        """Starts with cold motors.

        Raises:
            ConfigurationError: the robot file's section `simulation` is not as it must be.
        """
        facts = facts_of(robot)
        motors = (facts.copper_loss, facts.heat_capacity, facts.cooling, facts.idle_power)
        self._facts = np.array((*motors, config.ambient_temperature_c))
        self._resistance = facts.battery_resistance
        self._robot = robot
        self._new = self._full = robot.battery_capacity * _SECONDS_PER_HOUR
        self._left = self._full * config.initial_charge
        self._charger = config.charger_w
        self._temperature = np.full(len(robot.joints), config.ambient_temperature_c)
        self._power = facts.idle_power
        self._work = self._drawn = 0.0

    def spend(self, torque: Array, velocity: Array, duration_s: float) -> None:
        """Accounts for a stretch of motion.

        Args:
            torque: at each joint in each physics step [N·m], (steps, joints).
            velocity: of each joint in each physics step [rad/s], (steps, joints).
            duration_s: of the whole stretch [s].
        """
        power = kernels.spend(torque, velocity, self._facts, duration_s, self._temperature)
        self._power += (power - self._power) * min(1.0, duration_s / VOLTAGE_TIME_S)
        gained = (self._charger - power) * duration_s
        self._left = min(max(self._left + gained, 0.0), self._full)
        self._drawn += power * duration_s
        self._work += float(np.maximum(torque * velocity, 0.0).sum()) / len(torque) * duration_s

    def fade(self, capacity: float) -> None:
        """Leaves the battery that share of its first capacity; the charge in per cent stays."""
        charge = self._left / self._full
        self._full = self._new * capacity
        self._left = charge * self._full

    def truth(self) -> EnergyTruth:
        """Returns what has been spent since the start."""
        return EnergyTruth(work=self._work, drawn=self._drawn)

    def health(self, time_ns: int) -> Health:
        """Returns battery and warmth; temperatures are NaN where the robot has no such sensor."""
        robot = self._robot
        charge = self._left / self._full
        span = robot.battery_full_voltage - robot.battery_empty_voltage
        rest = robot.battery_empty_voltage + charge * span
        drop = self._resistance * max(self._power - self._charger, 0.0) / rest
        warmth = self._temperature * (1.0 if robot.has_motor_temperature else np.nan)
        return Health(time_ns, rest - drop, charge, warmth)
