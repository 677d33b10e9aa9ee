"""The arithmetic of the estimator on a few dozen numbers, compiled.

Each function is the inner part of the class that its section names; there are the formulas and the
reasons. Arrays are float64 and contiguous; the last arguments, `out…`, are given the results.
Finite numbers do not raise: a division by zero gives what IEEE 754 says.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import boolean, float64, njit, void

from quad_learner.compiled import READ_BLOCKS, READ_ROW, READ_ROWS, ROW, ROWS, compiled

FLAGS = boolean[::1]
"""Type of an array of flags."""
SHORTEST = 1e-12
"""Norm below which a quaternion has no direction left."""
SMALL_ANGLE = 1e-8
"""[rad] below it sin(x)/x is 1 to the last digit of a double."""

# Vectors and quaternions as tuples, as in robot/rotations.py


@njit
def _three(row: Any) -> Any:  # pragma: no cover
    return row[0], row[1], row[2]


@njit
def _four(row: Any) -> Any:  # pragma: no cover
    return row[0], row[1], row[2], row[3]


@njit
def _plus(a: Any, b: Any) -> Any:  # pragma: no cover
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


@njit
def _minus(a: Any, b: Any) -> Any:  # pragma: no cover
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


@njit
def _cross(a: Any, b: Any) -> Any:  # pragma: no cover
    return (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )


@njit
def _multiply(left: Any, right: Any) -> Any:  # pragma: no cover
    ax, ay, az, aw = left
    bx, by, bz, bw = right
    return (
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
        aw * bw - ax * bx - ay * by - az * bz,
    )


@njit
def _turn(x: float, y: float, z: float) -> Any:  # pragma: no cover
    angle = math.sqrt(x * x + y * y + z * z)
    scale = 0.5 if angle < SMALL_ANGLE else math.sin(angle / 2.0) / angle
    return x * scale, y * scale, z * scale, math.cos(angle / 2.0)


@njit
def _rotate(quaternion: Any, vector: Any) -> Any:  # pragma: no cover
    axis = (quaternion[0], quaternion[1], quaternion[2])
    # With t = 2 (q cross v), the turned vector is v + w t + (q cross t).
    t = _cross(axis, vector)
    t = (2.0 * t[0], 2.0 * t[1], 2.0 * t[2])
    w = quaternion[3]
    return _plus(_plus(vector, (w * t[0], w * t[1], w * t[2])), _cross(axis, t))


@njit
def _normalised(quaternion: Any) -> Any:  # pragma: no cover
    x, y, z, w = quaternion
    length = math.sqrt(x * x + y * y + z * z + w * w)
    if not length > SHORTEST:
        return 0.0, 0.0, 0.0, 1.0
    return x / length, y / length, z / length, w / length


@njit
def _rotation_vector(quaternion: Any) -> Any:  # pragma: no cover
    """Returns axis times angle of a unit quaternion, the short way round."""
    x, y, z, w = quaternion
    sine = math.sqrt(x * x + y * y + z * z)
    scale = 2.0 * math.atan2(sine, abs(w)) / sine if sine > 0.0 else 2.0
    if w < 0.0:
        scale = -scale
    return scale * x, scale * y, scale * z


@njit
def _matrix(quaternion: Any, out: Any) -> None:  # pragma: no cover
    x, y, z, w = quaternion
    out[0, 0] = 1.0 - 2.0 * (y * y + z * z)
    out[0, 1] = 2.0 * (x * y - w * z)
    out[0, 2] = 2.0 * (x * z + w * y)
    out[1, 0] = 2.0 * (x * y + w * z)
    out[1, 1] = 1.0 - 2.0 * (x * x + z * z)
    out[1, 2] = 2.0 * (y * z - w * x)
    out[2, 0] = 2.0 * (x * z - w * y)
    out[2, 1] = 2.0 * (y * z + w * x)
    out[2, 2] = 1.0 - 2.0 * (x * x + y * y)


# Estimator


@compiled(boolean(READ_ROW, float64))
def is_below(values: Any, limit: float) -> bool:  # pragma: no cover
    """Returns whether the size of each number is below `limit`; NaN is not."""
    within = True
    for value in values:
        within = within and abs(value) < limit
    return within


@compiled(boolean(*(READ_ROW,) * 7, float64))
def are_below(
    a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, limit: float
) -> bool:  # pragma: no cover
    """Returns whether `is_below` is so for all."""
    within = is_below(a, limit) and is_below(b, limit) and is_below(c, limit)
    within = within and is_below(d, limit) and is_below(e, limit)
    return bool(within and is_below(f, limit) and is_below(g, limit))


@compiled(void(READ_ROWS, READ_ROWS, READ_ROWS, READ_ROW, READ_ROWS, READ_ROW, float64, ROWS))
def told_by_feet(
    place: Any, speed: Any, spin: Any, rate: Any, now: Any, arm: Any, radius: float, out: Any
) -> None:  # pragma: no cover
    """Works out the velocity of the IMU if each foot stood, world frame.

    Args:
        place: of each foot, body frame, (feet, 3).
        speed: of each foot relative to the body, (feet, 3).
        spin: of each foot's link relative to the body, (feet, 3).
        rate: of the body, body frame, (3,).
        now: world_from_body, (3, 3).
        arm: of the IMU, body frame, (3,).
        radius: of a foot.
        out: (feet, 3).
    """
    for foot in range(place.shape[0]):
        reach = _minus(_three(place[foot]), _three(arm))
        carried = _plus(_three(speed[foot]), _cross(_three(rate), reach))
        turning = _plus(_three(spin[foot]), _three(rate))
        up = (radius * now[2, 0], radius * now[2, 1], radius * now[2, 2])
        told = _minus(_cross(turning, up), carried)
        for i in range(3):
            out[foot, i] = now[i, 0] * told[0] + now[i, 1] * told[1] + now[i, 2] * told[2]


@compiled(void(READ_ROW, READ_ROW, READ_ROW, READ_ROWS, READ_ROW, ROW, ROW))
def of_root_link(
    position: Any, velocity: Any, rate: Any, now: Any, arm: Any, out: Any, out_velocity: Any
) -> None:  # pragma: no cover
    """Takes the IMU's position and velocity (world) to the root link's (world, and body frame)."""
    swept = _cross(_three(rate), _three(arm))
    for i in range(3):
        out[i] = position[i]
        out_velocity[i] = -swept[i]
        for j in range(3):
            out[i] -= now[i, j] * arm[j]
            out_velocity[i] += velocity[j] * now[j, i]


# AttitudeFilter


@compiled(float64(READ_ROW, READ_ROW, READ_ROW, float64, ROW, ROW, ROW, ROWS, ROWS))
def turn_on(
    measured: Any,
    gyro: Any,
    tuning: Any,
    dt: float,
    orientation: Any,
    bias: Any,
    out_rate: Any,
    out_middle: Any,
    out_now: Any,
) -> float:  # pragma: no cover
    """Carries the attitude on by one sample and corrects it where it may; returns the error.

    Args:
        measured: orientation, (4,).
        gyro: mean rate, (3,).
        tuning: time constant, jump believed, how much of an error the offset learns in a second,
            largest offset, (4,).
        dt: since the last sample [s].
        orientation: (4,), moved on.
        bias: of the gyro, (3,), moved on.
        out_rate: without the offset, (3,).
        out_middle: world_from_body half way, (3, 3).
        out_now: world_from_body, (3, 3).
    """
    for i in range(3):
        out_rate[i] = gyro[i] - bias[i]
    half = _turn(out_rate[0] * dt / 2.0, out_rate[1] * dt / 2.0, out_rate[2] * dt / 2.0)
    middle = _multiply(_four(orientation), half)
    carried = _multiply(middle, half)
    x, y, z, w = carried
    error = _rotation_vector(_multiply(_normalised(_four(measured)), (-x, -y, -z, w)))
    size = math.sqrt(error[0] ** 2 + error[1] ** 2 + error[2] ** 2)
    now = carried
    if size <= tuning[1]:
        share = min(1.0, dt / tuning[0])
        now = _multiply(_turn(share * error[0], share * error[1], share * error[2]), carried)
        in_body = _rotate((-x, -y, -z, w), error)
        for i in range(3):
            learnt = bias[i] - dt * tuning[2] * in_body[i]
            bias[i] = max(-tuning[3], min(tuning[3], learnt))
    now = _normalised(now)
    for i in range(4):
        orientation[i] = now[i]
    _matrix(middle, out_middle)
    _matrix(now, out_now)
    return size


@compiled(void(READ_ROW, ROWS))
def matrix(quaternion: Any, out: Any) -> None:  # pragma: no cover
    """Writes the rotation matrix of a unit quaternion, (3, 3)."""
    _matrix(_four(quaternion), out)


# ContactDetector


@njit(error_model='numpy')
def _cholesky(rows: Any, regular: float) -> Any:  # pragma: no cover
    """Returns the lower triangle L with L Lᵀ = rows rowsᵀ + regular."""
    count, width = rows.shape
    factor = np.zeros((count, count))
    for i in range(count):
        for j in range(i + 1):
            total = regular if i == j else 0.0
            for k in range(width):
                total += rows[i, k] * rows[j, k]
            for k in range(j):
                total -= factor[i, k] * factor[j, k]
            factor[i, j] = math.sqrt(total) if i == j else total / factor[j, j]
    return factor


@njit(error_model='numpy')
def _statics(effort: Any, jacobian: Any, regular: float) -> Any:  # pragma: no cover
    """Returns f of (J Jᵀ + regular) f = −J τ, (3 feet,)."""
    feet, _, joints = jacobian.shape
    rows = jacobian.reshape(3 * feet, joints)
    factor = _cholesky(rows, regular)
    force = np.zeros(3 * feet)
    for i in range(force.size):
        for k in range(joints):
            force[i] -= rows[i, k] * effort[k]
        for k in range(i):
            force[i] -= factor[i, k] * force[k]
        force[i] /= factor[i, i]
    for i in range(force.size - 1, -1, -1):
        for k in range(i + 1, force.size):
            force[i] -= factor[k, i] * force[k]
        force[i] /= factor[i, i]
    return force


@compiled(
    void(READ_ROW, READ_BLOCKS, READ_ROW, boolean, READ_ROW, float64, READ_ROW, ROW, FLAGS, ROW)
)
def stand(
    effort: Any,
    jacobian: Any,
    sensed: Any,
    has_sensor: bool,
    up: Any,
    dt: float,
    tuning: Any,
    stood: Any,
    on: Any,
    out_trust: Any,
) -> None:  # pragma: no cover
    """Judges which feet stand, and how far each is trusted.

    Args:
        effort: of the motors, (joints,).
        jacobian: of the feet, (feet, 3, joints).
        sensed: force at each foot, (feet,).
        has_sensor: `sensed` can be used.
        up: the world's vertical, body frame, (3,).
        dt: since the last sample.
        tuning: force that begins contact, force that ends it, load of full trust, time of full
            trust, sideways over upward force of half trust, `regular` of the statics, (6,).
        stood: how long each foot has stood, (feet,), moved on.
        on: whether it stands, (feet,), moved on.
        out_trust: (feet,).
    """
    force = _statics(effort, jacobian, tuning[5])
    for foot in range(stood.size):
        x, y, z = force[3 * foot], force[3 * foot + 1], force[3 * foot + 2]
        upward = x * up[0] + y * up[1] + z * up[2]
        sideways = math.sqrt(max(x * x + y * y + z * z - upward * upward, 0.0))
        load = sensed[foot] if has_sensor else upward
        on[foot] = load > (tuning[1] if on[foot] else tuning[0])
        stood[foot] = stood[foot] + dt if on[foot] else 0.0
        out_trust[foot] = 0.0
        if on[foot]:
            settled = min(1.0, stood[foot] / tuning[3])
            loaded = min(1.0, load / tuning[2])
            # The fourth power keeps a foot well inside its friction cone at nearly full trust.
            gripping = 1.0 / (1.0 + (sideways / (tuning[4] * load)) ** 4)
            out_trust[foot] = settled * loaded * gripping


# VelocityFilter: P holds pp, pv, pb, vv, vb, bb.


@compiled(void(READ_ROW, READ_ROWS, float64, READ_ROW, ROW, ROW, ROW, ROW))
def predict(
    force: Any,
    middle: Any,
    dt: float,
    tuning: Any,
    position: Any,
    velocity: Any,
    offset: Any,
    spread: Any,
) -> None:  # pragma: no cover
    """Moves position, velocity, offset and P on by `dt`.

    Args:
        force: specific, body frame, (3,).
        middle: world_from_body half way, (3, 3).
        dt: [s].
        tuning: gravity along z, noise at rest, noise for each m/s², time constant of the offset,
            variance of the offset, (5,).
        position: (3,), moved on.
        velocity: (3,), moved on.
        offset: (3,), moved on.
        spread: P, (6,), moved on.
    """
    keep = math.exp(-dt / tuning[3])
    shaking = 0.0
    for i in range(3):
        pull = tuning[0] if i == 2 else 0.0
        for j in range(3):
            pull += middle[i, j] * (force[j] - offset[j])
        position[i] += dt * (velocity[i] + 0.5 * dt * pull)
        velocity[i] += dt * pull
        shaking += pull * pull
    for i in range(3):
        offset[i] *= keep
    noise = tuning[1] + tuning[2] * math.sqrt(shaking)
    pp, pv, pb, vv, vb, bb = spread
    spread[0] = pp + dt * (2.0 * pv + dt * vv)
    spread[1] = pv + dt * (vv - pb - dt * vb)
    spread[2] = keep * (pb + dt * vb)
    spread[3] = vv - dt * (2.0 * vb - dt * bb) + (noise * dt) ** 2
    spread[4] = keep * (vb - dt * bb)
    spread[5] = keep * keep * bb + (1.0 - keep * keep) * tuning[4]


@njit(error_model='numpy')
def _update(
    innovation: Any,
    variance: float,
    now: Any,
    position: Any,
    velocity: Any,
    offset: Any,
    spread: Any,
) -> None:  # pragma: no cover
    pv, vv, vb = spread[1], spread[3], spread[4]
    total = vv + variance
    for i in range(3):
        position[i] += (pv / total) * innovation[i]
        velocity[i] += (vv / total) * innovation[i]
        in_body = innovation[0] * now[0, i] + innovation[1] * now[1, i] + innovation[2] * now[2, i]
        offset[i] += (vb / total) * in_body
    rest = variance / total
    spread[0] -= pv * pv / total
    spread[1] = pv * rest
    spread[2] -= pv * vb / total
    spread[3] = vv * rest
    spread[4] = vb * rest
    spread[5] -= vb * vb / total


@compiled(void(READ_ROWS, READ_ROW, READ_ROWS, READ_ROW, ROW, ROW, ROW, ROW))
def correct(
    told: Any,
    trust: Any,
    now: Any,
    tuning: Any,
    position: Any,
    velocity: Any,
    offset: Any,
    spread: Any,
) -> None:  # pragma: no cover
    """Corrects by what the feet tell.

    Args:
        told: velocity by each foot, world frame, (feet, 3).
        trust: in each foot, (feet,).
        now: world_from_body, (3, 3).
        tuning: variance of a foot, square of the gate, variance upwards, least weight, (4,).
        position: (3,), corrected.
        velocity: (3,), corrected.
        offset: (3,), corrected.
        spread: P, (6,), corrected.
    """
    total, sum_x, sum_y, sum_z = 0.0, 0.0, 0.0, 0.0
    upward = spread[3] + tuning[2]
    for foot in range(told.shape[0]):
        x, y, z = _minus(_three(told[foot]), _three(velocity))
        share = trust[foot]
        sideways = share * spread[3] + tuning[0]
        deviation = share * (x * x + y * y) / (2.0 * sideways) + z * z / upward
        weight = share / (tuning[0] * (1.0 + deviation / tuning[1]) ** 2)
        total += weight
        sum_x += weight * x
        sum_y += weight * y
        sum_z += weight * z
    if total > tuning[3]:
        innovation = (sum_x / total, sum_y / total, sum_z / total)
        _update(innovation, 1.0 / total, now, position, velocity, offset, spread)


@compiled(void(float64, READ_ROWS, ROW, ROW, ROW, ROW))
def assume_still(
    variance: float, now: Any, position: Any, velocity: Any, offset: Any, spread: Any
) -> None:  # pragma: no cover
    """Corrects by a measured velocity of zero with that variance."""
    innovation = (-velocity[0], -velocity[1], -velocity[2])
    _update(innovation, variance, now, position, velocity, offset, spread)


@compiled(void(READ_ROWS, READ_ROW, READ_ROW, float64, float64, ROW))
def settle_height(
    place: Any, trust: Any, up: Any, radius: float, share: float, position: Any
) -> None:  # pragma: no cover
    """Moves position z by `share` of its way to the height above the feet that stand.

    Args:
        place: of each foot's centre from the root link, body frame, (feet, 3).
        trust: in each foot, (feet,).
        up: the world's vertical, body frame, (3,).
        radius: of a foot.
        share: 0 to 1.
        position: (3,), moved.
    """
    total, depth = 0.0, 0.0
    for foot in range(trust.size):
        x, y, z = _three(place[foot])
        total += trust[foot]
        depth += trust[foot] * (x * up[0] + y * up[1] + z * up[2])
    if total > 0.0:
        position[2] += share * (radius - depth / total - position[2])
