"""What was measured when the robot was stopped, in words for people. Decides nothing."""

from __future__ import annotations

import math

import numpy as np

from quad_learner.robot.model import RobotModel
from quad_learner.robot.rotations import roll_pitch_yaw
from quad_learner.robot.signals import Health, SensorSample
from quad_learner.safety.modes import Reason


def evidence(
    reasons: Reason, sample: SensorSample | None, health: Health | None, robot: RobotModel
) -> str:
    """Returns what speaks for `reasons`, as far as the newest measurements can tell; '' if not.

    Args:
        reasons: why the robot was stopped.
        sample: the newest of its sensors.
        health: the newest of battery and motors.
        robot: whose joints are named.
    """
    found = []
    if sample is not None and Reason.OVER_SPEED in reasons:
        found.append(_fastest_joint(sample, robot))
    if sample is not None and Reason.TILT in reasons:
        roll, pitch, _ = (math.degrees(angle) for angle in roll_pitch_yaw(sample.orientation))
        found.append(f'roll {roll:.0f}°, pitch {pitch:.0f}°')
    if health is not None and Reason.OVER_TEMPERATURE in reasons:
        found.append(_hottest_motor(health, robot))
    if health is not None and Reason.LOW_BATTERY in reasons:
        charge, voltage = 100.0 * health.battery_charge, health.battery_voltage
        known = not (math.isnan(charge) and math.isnan(voltage))
        found.append(f'battery at {charge:.0f} %, {voltage:.1f} V' if known else 'battery unknown')
    return '; '.join(found)


def _hottest_motor(health: Health, robot: RobotModel) -> str:
    heat = health.motor_temperature
    hottest = int(np.argmax(heat))  # NaN, if there is one: what is unknown comes before heat
    known = not math.isnan(heat[hottest])
    return f'{robot.joints[hottest]} at ' + (f'{heat[hottest]:.0f} °C' if known else 'unknown °C')


def _fastest_joint(sample: SensorSample, robot: RobotModel) -> str:
    share = np.abs(sample.joint_velocity) / robot.speed_max
    joint = int(np.argmax(share))
    return (
        f'{robot.joints[joint]} at {sample.joint_velocity[joint]:.1f} rad/s, '
        f'{share[joint]:.1f} times its speed_max'
    )
