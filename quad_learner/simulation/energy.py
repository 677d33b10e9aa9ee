"""Battery and motor warmth.

Power is mechanical work (braking gives nothing back), copper loss c τ² and what computers draw.
A motor warms by its copper loss and cools towards the air: C dT/dt = c τ² − G (T − T_air).
The voltage falls evenly from full to empty, less the drop of the mean current at the inner
resistance.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quad_learner.configuration import ConfigurationError
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import Health
from quad_learner.simulation.config import SimulationConfig

Array = NDArray[np.float64]

_SECONDS_PER_HOUR = 3600.0
VOLTAGE_TIME_S = 1.0
"""[s] over which a battery board averages: the peak of one footfall says nothing of the charge"""


class Energy:
    """What a robot's battery and motors have left."""

    def __init__(self, robot: RobotModel, config: SimulationConfig) -> None:
        """Starts with cold motors.

        Raises:
            ConfigurationError: the robot file's section `simulation` lacks a figure.
        """
        facts: Mapping[str, Any] = robot.sections.get('simulation', {})
        self._copper_loss = _fact(robot, facts, 'copper_loss')
        self._heat_capacity = _fact(robot, facts, 'heat_capacity')
        self._cooling = _fact(robot, facts, 'cooling')
        self._idle_power = _fact(robot, facts, 'idle_power')
        self._resistance = _fact(robot, facts, 'battery_resistance')
        self._robot = robot
        self._full = robot.battery_capacity * _SECONDS_PER_HOUR
        self._left = self._full * config.initial_charge
        self._air = config.ambient_temperature_c
        self._temperature = np.full(len(robot.joints), self._air)
        self._power = self._idle_power

    def spend(self, torque: Array, velocity: Array, duration_s: float) -> None:
        """Accounts for a stretch of motion.

        Args:
            torque: at each joint in each physics step [N·m], (steps, joints).
            velocity: of each joint in each physics step [rad/s], (steps, joints).
            duration_s: of the whole stretch [s].
        """
        steps, joints = torque.shape
        copper = self._copper_loss * (np.ones(steps) @ (torque * torque)) / steps
        works = ((torque * velocity) @ np.ones(joints)).tolist()
        work = sum(max(work, 0.0) for work in works) / steps
        power = self._idle_power + sum(copper.tolist()) + work
        self._power += (power - self._power) * min(1.0, duration_s / VOLTAGE_TIME_S)
        self._left = max(self._left - power * duration_s, 0.0)
        cooling = self._cooling * (self._temperature - self._air)
        self._temperature = (
            self._temperature + duration_s * (copper - cooling) / self._heat_capacity
        )

    def health(self, time_ns: int) -> Health:
        """Returns battery and warmth; temperatures are NaN where the robot has no such sensor."""
        robot = self._robot
        charge = self._left / self._full
        span = robot.battery_full_voltage - robot.battery_empty_voltage
        rest = robot.battery_empty_voltage + charge * span
        drop = self._resistance * self._power / rest
        warmth = self._temperature if robot.has_motor_temperature else self._temperature * np.nan
        return Health(time_ns, rest - drop, charge, warmth)


def _fact(robot: RobotModel, facts: Mapping[str, Any], name: str) -> float:
    value = facts.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0.0:
        raise ConfigurationError(
            f'robot {robot.name!r}: simulation.{name} = {value!r} must be a number above 0; '
            'set it in the robot file'
        )
    return float(value)
