"""The arithmetic of sensors and battery on a few dozen numbers, compiled.

Formulas and reasons are in the classes that call this. The last arguments are given the results.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import boolean, float64, njit, void

from quad_learner.compiled import READ_ROW, READ_ROWS, ROW, compiled


@compiled(float64(READ_ROWS, READ_ROWS, READ_ROW, float64, ROW))
def spend(
    torque: Any, velocity: Any, facts: Any, duration: float, temperature: Any
) -> float:  # pragma: no cover
    """Warms the motors and returns the mean power [W] of a stretch of motion.

    Args:
        torque: [N·m], (steps, joints).
        velocity: [rad/s], (steps, joints).
        facts: copper loss, heat capacity, cooling, idle power, temperature of the air, (5,).
        duration: of the stretch [s].
        temperature: of the motors, (joints,), moved on.
    """
    steps, joints = torque.shape
    power = facts[3]
    for j in range(joints):
        copper = 0.0
        for i in range(steps):
            copper += torque[i, j] * torque[i, j]
        copper *= facts[0] / steps
        power += copper
        cooling = facts[2] * (temperature[j] - facts[4])
        temperature[j] += duration * (copper - cooling) / facts[1]
    for i in range(steps):
        # Each step for itself: what one brakes with does not pay for the next.
        work = 0.0
        for j in range(joints):
            work += torque[i, j] * velocity[i, j]
        power += max(work, 0.0) / steps
    return float(power)


@njit
def _stepped(value: Any, step: float) -> Any:  # pragma: no cover
    return np.rint(value / step) * step if step > 0.0 else value


@compiled(void(*(READ_ROW,) * 7, *(ROW,) * 3, float64, boolean, *(ROW,) * 6))
def sense(
    angle: Any,
    speed: Any,
    effort: Any,
    rate: Any,
    force: Any,
    load: Any,
    error: Any,
    gyro_bias: Any,
    force_bias: Any,
    lean: Any,
    resolution: float,
    has_soles: bool,
    out_angle: Any,
    out_speed: Any,
    out_effort: Any,
    out_rate: Any,
    out_force: Any,
    out_load: Any,
) -> None:  # pragma: no cover
    """Adds the errors of one sample to the truth, and moves the slow ones on.

    Args:
        angle: of the joints, (joints,).
        speed: (joints,).
        effort: (joints,).
        rate: of the body, (3,).
        force: specific, (3,).
        load: of the feet, (feet,).
        error: fresh errors in the order of `Sensors`.
        gyro_bias: (3,), moved on.
        force_bias: (3,), moved on.
        lean: the share that is kept of roll, pitch and yaw error, then these errors, (6,), moved.
        resolution: of the angles; 0: as fine as can be.
        has_soles: whether the feet feel.
        out_angle: (joints,).
        out_speed: (joints,).
        out_effort: (joints,).
        out_rate: (3,).
        out_force: (3,).
        out_load: (feet,).
    """
    n = angle.size
    for j in range(n):
        out_angle[j] = _stepped(angle[j] + error[j], resolution)
        out_speed[j] = speed[j] + error[n + j]
        out_effort[j] = effort[j] + error[2 * n + j]
    body = 3 * n
    for i in range(3):
        gyro_bias[i] += error[body + 9 + i]
        force_bias[i] += error[body + 12 + i]
        lean[3 + i] = lean[i] * lean[3 + i] + error[body + 15 + i]
        out_rate[i] = rate[i] + gyro_bias[i] + error[body + i]
        out_force[i] = force[i] + force_bias[i] + error[body + 3 + i]
    for foot in range(load.size):
        felt = max(load[foot] + error[body + 18 + foot], 0.0)
        out_load[foot] = felt if has_soles else 0.0
