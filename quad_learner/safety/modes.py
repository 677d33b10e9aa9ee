"""The vocabulary of the safety layer: modes, who drives, why something was changed or stopped."""

from __future__ import annotations

from enum import IntEnum, IntFlag


class Mode(IntEnum):
    """What the safety layer is doing."""

    INIT = 0
    """no complete sensor sample yet"""
    STANDBY = 1
    """sensors are good and nobody drives: the robot holds its pose or rests"""
    ACTIVE = 2
    """`Authority` drives"""
    SOFT_STOP = 3
    """tripped: damping; left by a fresh request once the cause is gone"""
    LATCHED_STOP = 4
    """stopped for good: damping until an operator resumes"""


class Authority(IntEnum):
    """Who drives."""

    NOBODY = 0
    POLICY = 1
    RESET = 2


class Reason(IntFlag):
    """Why a command differs from what was asked, or why the robot was stopped."""

    NONE = 0
    # The command was changed, the session goes on.
    CLIPPED_POSITION = 1 << 0
    CLIPPED_RATE = 1 << 1
    CLIPPED_TORQUE = 1 << 2
    CLIPPED_GAIN = 1 << 3
    CLIPPED_POWER = 1 << 4
    # The session was stopped. A step's numbers travel as 32-bit floats: what is above the 24th bit
    # is in commands and episodes, and not in steps.
    MOTOR_STALLED = 1 << 5
    """a motor pushes hard for long and does not turn: a limb is trapped"""
    LIFTED = 1 << 6
    """no foot has borne anything for a while"""
    MOTOR_LOST = 1 << 7
    """a motor makes none of the torque that it is told"""
    TILT = 1 << 8
    SENSORS_STALE = 1 << 9
    SENSORS_INVALID = 1 << 10
    TARGET_STALE = 1 << 11
    TARGET_INVALID = 1 << 12
    ESTIMATE_STALE = 1 << 13
    ESTIMATE_UNHEALTHY = 1 << 14
    OVER_SPEED = 1 << 15
    OVER_TEMPERATURE = 1 << 16
    LOW_BATTERY = 1 << 17
    OPERATOR = 1 << 18
    RELEASED = 1 << 19
    """the driver gave its session back: not a trip"""
    INTERNAL = 1 << 20
    """the safety step itself could not be evaluated"""
    NOT_ARMED = 1 << 21
    """nobody has asked to drive yet, or the request was refused"""
    SENSORS_FROZEN = 1 << 22
    """sensors repeat themselves to the bit while the robot is told to move"""
    STEP_LATE = 1 << 23
    """safety itself was held up for longer than a command lives"""
    FENCE = 1 << 24
    """the robot is where it could not stop within the fence"""


CLIPS = (
    Reason.CLIPPED_POSITION
    | Reason.CLIPPED_RATE
    | Reason.CLIPPED_TORQUE
    | Reason.CLIPPED_GAIN
    | Reason.CLIPPED_POWER
)
"""Reasons that change a command without ending the session."""
NOT_TRIPS = CLIPS | Reason.RELEASED | Reason.NOT_ARMED
"""Every other reason is a trip."""


def is_trip(mode: Mode, reasons: Reason) -> bool:
    """Tells whether a change to `mode` for `reasons` is safety's doing: it stopped the robot."""
    return mode in (Mode.SOFT_STOP, Mode.LATCHED_STOP) and bool(reasons & ~NOT_TRIPS)
