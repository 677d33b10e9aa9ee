"""Claims about what counts as a trip."""

from __future__ import annotations

import pytest

from quad_learner.safety.modes import Mode, Reason, is_trip


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
