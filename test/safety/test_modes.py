"""Claims about what counts as a trip."""

from __future__ import annotations

import pytest

from quad_learner.safety.modes import Authority, Mode, Reason, is_trip


@pytest.mark.parametrize(
    'mode, reasons, trip',
    [
        (Mode.SOFT_STOP, Reason.TILT, True),
        (Mode.LATCHED_STOP, Reason.OPERATOR, True),
        (Mode.SOFT_STOP, Reason.OVER_SPEED | Reason.CLIPPED_RATE, True),
        # Nobody was stopped, or not by safety.
        (Mode.ACTIVE, Reason.TILT, False),
        (Mode.STANDBY, Reason.LOW_BATTERY, False),
        (Mode.SOFT_STOP, Reason.RELEASED, False),
        (Mode.SOFT_STOP, Reason.CLIPPED_POSITION | Reason.NOT_ARMED, False),
    ],
)
def test_a_trip_is_a_stop_with_a_cause(mode: Mode, reasons: Reason, trip: bool) -> None:
    assert is_trip(mode, reasons) == trip


def test_each_reason_has_its_own_bit_and_keeps_it() -> None:
    """They are logged and sent: what was written by one version is read by the next."""
    bits = {
        'CLIPPED_POSITION': 0,
        'CLIPPED_RATE': 1,
        'CLIPPED_TORQUE': 2,
        'CLIPPED_GAIN': 3,
        'CLIPPED_POWER': 4,
        'MOTOR_STALLED': 5,
        'LIFTED': 6,
        'MOTOR_LOST': 7,
        'TILT': 8,
        'SENSORS_STALE': 9,
        'SENSORS_INVALID': 10,
        'TARGET_STALE': 11,
        'TARGET_INVALID': 12,
        'ESTIMATE_STALE': 13,
        'ESTIMATE_UNHEALTHY': 14,
        'OVER_SPEED': 15,
        'OVER_TEMPERATURE': 16,
        'LOW_BATTERY': 17,
        'OPERATOR': 18,
        'RELEASED': 19,
        'INTERNAL': 20,
        'NOT_ARMED': 21,
        'SENSORS_FROZEN': 22,
        'STEP_LATE': 23,
        'FENCE': 24,
    }
    assert {name: int(reason) for name, reason in Reason.__members__.items()} == {
        'NONE': 0,
        **{name: 2**bit for name, bit in bits.items()},
    }
    modes = {'INIT': 0, 'STANDBY': 1, 'ACTIVE': 2, 'SOFT_STOP': 3, 'LATCHED_STOP': 4}
    assert {name: int(mode) for name, mode in Mode.__members__.items()} == modes
    drivers = {'NOBODY': 0, 'POLICY': 1, 'RESET': 2}
    assert {name: int(driver) for name, driver in Authority.__members__.items()} == drivers
