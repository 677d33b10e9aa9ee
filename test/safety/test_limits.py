"""What the limits let through, at each boundary and for every input."""

from __future__ import annotations

import dataclasses
import functools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from examples import check
from hypothesis import strategies as st

from quad_learner.robot.signals import SensorSample
from quad_learner.safety.limits import Allowed, Limits
from quad_learner.safety.modes import Reason

# The small robot: limits ±1 and ±2 rad with a margin of 0.1, torque 10 and 20 N·m, kp 10, kd 1.
TWO = np.ones(2)


@pytest.fixture(scope='module')
def limits(small: Any) -> Limits:
    # One command a second: a target may turn by 5 rad in one, so that other limits come first.
    robot = dataclasses.replace(small.robot, command_hz=1)
    return Limits(robot, small.config, target_speed=5.0, torque_share=0.5)


def sensed(position: Any = (0.0, 0.0), velocity: Any = (0.0, 0.0)) -> SensorSample:
    still = np.zeros(2)
    return SensorSample(
        0,
        np.array(position, float),
        np.array(velocity, float),
        still,
        np.array([0.0, 0.0, 0.0, 1.0]),
        np.zeros(3),
        np.zeros(3),
        np.zeros(1),
    )


def allow(limits: Limits, **case: Any) -> Any:
    """Passes a case through: soft gains, no hurry, unless the case says otherwise."""
    c = SimpleNamespace(
        **{
            'position': (0.0, 0.0),
            'kp': (1.0, 1.0),
            'kd': (1.0, 1.0),
            'sample': sensed(),
            'sent': (0.0, 0.0),
            'moved': (0.0, 0.0),
            'dt': 10.0,
            'strength': None,
            **case,
        }
    )
    wanted = tuple(np.array(values, float) for values in (c.position, c.kp, c.kd))
    sent = np.array(c.sent, float), np.array(c.moved, float)
    return limits.allow(wanted, c.sample, sent, c.dt, c.strength)


# Limits ±1 and ±2 rad less the margin of 0.1 rad: ±0.9 and ±1.9.
@pytest.mark.parametrize(
    ('wanted', 'sent', 'reasons'),
    [
        ((0.9, 1.9), (0.9, 1.9), Reason.NONE),
        ((-0.9, -1.9), (-0.9, -1.9), Reason.NONE),
        ((0.9005, 1.9), (0.9, 1.9), Reason.NONE),
        ((0.9015, 1.9), (0.9, 1.9), Reason.CLIPPED_POSITION),
        ((-7.0, 7.0), (-0.9, 1.9), Reason.CLIPPED_POSITION),
        ((1e300, -1e300), (0.9, -1.9), Reason.CLIPPED_POSITION),
    ],
)
def test_a_target_stays_off_the_joint_limits_by_the_margin(
    limits: Limits, wanted: Any, sent: Any, reasons: Reason
) -> None:
    with np.errstate(over='ignore'):
        allowed = allow(limits, position=wanted)
    np.testing.assert_allclose(allowed.position, sent)
    assert allowed.reasons == reasons


# 5 rad/s for 0.02 s is 0.1 rad on either side of what was sent last.
@pytest.mark.parametrize(
    ('wanted', 'sent', 'reasons'),
    [
        ((0.5, 0.4), (0.5, 0.4), Reason.NONE),
        ((0.6, 0.3), (0.6, 0.3), Reason.NONE),
        ((0.6015, 0.4), (0.6, 0.4), Reason.CLIPPED_RATE),
        ((-0.9, 1.9), (0.4, 0.5), Reason.CLIPPED_RATE),
    ],
)
def test_a_target_moves_no_faster_than_its_speed_from_where_it_was_sent(
    limits: Limits, wanted: Any, sent: Any, reasons: Reason
) -> None:
    allowed = allow(
        limits, position=wanted, sent=(0.5, 0.4), dt=0.02, sample=sensed(position=(0.5, 0.4))
    )
    np.testing.assert_allclose(allowed.position, sent)
    assert allowed.reasons == reasons


def test_a_target_does_not_move_when_no_time_has_passed(limits: Limits) -> None:
    allowed = allow(limits, position=(0.5, 0.5), sent=(0.1, -0.2), dt=0.0)
    np.testing.assert_array_equal(allowed.position, (0.1, -0.2))


# kp at most 2 times 10; kd between half of 1 and 3 times 1.
@pytest.mark.parametrize(
    ('kp', 'kd', 'sent_kp', 'sent_kd', 'reasons'),
    [
        ((0.0, 20.0), (0.5, 3.0), (0.0, 20.0), (0.5, 3.0), Reason.NONE),
        ((-1.0, 20.0), (1.0, 1.0), (0.0, 20.0), (1.0, 1.0), Reason.CLIPPED_GAIN),
        ((0.0, 21.0), (1.0, 1.0), (0.0, 20.0), (1.0, 1.0), Reason.CLIPPED_GAIN),
        ((5.0, 5.0), (0.0, 1.0), (5.0, 5.0), (0.5, 1.0), Reason.CLIPPED_GAIN),
        ((5.0, 5.0), (-9.0, 9.0), (5.0, 5.0), (0.5, 3.0), Reason.CLIPPED_GAIN),
        ((5.0, 20.001), (1.0, 1.0), (5.0, 20.0), (1.0, 1.0), Reason.NONE),
    ],
)
def test_gains_stay_damped_and_no_stiffer_than_is_stable(
    limits: Limits, kp: Any, kd: Any, sent_kp: Any, sent_kd: Any, reasons: Reason
) -> None:
    allowed = allow(limits, kp=kp, kd=kd)
    np.testing.assert_allclose(allowed.kp, sent_kp)
    np.testing.assert_allclose(allowed.kd, sent_kd)
    assert allowed.reasons == reasons


def test_the_robots_own_damping_gain_is_always_allowed(small: Any) -> None:
    config = small.settings(kd_scale_max=1.0)
    limits = Limits(small.robot, config, target_speed=5.0, torque_share=0.5)
    allowed = allow(limits, kd=(2.0, 2.5))
    np.testing.assert_allclose(allowed.kd, (2.0, 2.0))


def test_a_target_that_asks_for_too_much_torque_is_brought_nearer(limits: Limits) -> None:
    # Half of 10 and 20 N·m: 5 and 10. With kp 10 the left reaches 0.5 rad ahead, the right 1.0.
    allowed = allow(limits, position=(0.8, 1.0), kp=(10.0, 10.0))
    np.testing.assert_allclose(allowed.position, (0.5, 1.0))
    np.testing.assert_allclose(allowed.kp, (10.0, 10.0))
    assert allowed.reasons == Reason.CLIPPED_TORQUE


def test_motion_takes_its_share_of_the_torque(limits: Limits) -> None:
    # Moving back at 2 rad/s, damping 1 adds 2 N·m to the pull forward: 3 N·m are left for kp 10.
    allowed = allow(
        limits, position=(0.8, 0.0), kp=(10.0, 10.0), sample=sensed(velocity=(-2.0, 0))
    )
    assert allowed.position[0] == pytest.approx(0.3)


def test_a_target_that_may_not_move_fast_enough_loses_stiffness_instead(limits: Limits) -> None:
    # 0.8 rad ahead at kp 10 is 8 N·m; 5 are allowed. In 0.02 s the target may come 0.1 rad nearer,
    # so 0.7 rad remain, and 5 N·m over 0.7 rad leave kp 50/7.
    allowed = allow(limits, position=(0.8, 0.0), sent=(0.8, 0.0), kp=(10.0, 10.0), dt=0.02)
    assert allowed.position[0] == pytest.approx(0.7)
    assert allowed.kp[0] == pytest.approx(50.0 / 7.0)
    assert allowed.kp[1] == pytest.approx(10.0)
    assert allowed.reasons == Reason.CLIPPED_TORQUE


def test_stiffness_is_lost_in_either_direction(limits: Limits) -> None:
    allowed = allow(limits, position=(-0.8, 0.0), sent=(-0.8, 0.0), kp=(10.0, 10.0), dt=0.02)
    assert allowed.position[0] == pytest.approx(-0.7)
    assert allowed.kp[0] == pytest.approx(50.0 / 7.0)


def test_a_joint_that_flies_is_braked_with_no_more_than_its_torque(limits: Limits) -> None:
    # kd 3 at 2.5 rad/s is 7.5 N·m; 5 are allowed, so kd 2.
    allowed = allow(limits, kp=(0.0, 0.0), kd=(3.0, 3.0), sample=sensed(velocity=(2.5, -2.5)))
    np.testing.assert_allclose(allowed.kd, (2.0, 3.0))
    assert allowed.reasons == Reason.CLIPPED_TORQUE


def test_damping_is_kept_where_it_contradicts_the_torque_limit(limits: Limits) -> None:
    # At 20 rad/s even the least damping, 0.5, brakes with 10 N·m: more than 5, and kept.
    allowed = allow(limits, position=(0.9, 0), kp=(20.0, 1.0), sample=sensed(velocity=(20.0, 0.0)))
    assert allowed.kd[0] == pytest.approx(0.5)
    assert abs(allowed.kp[0] * allowed.position[0] - 0.5 * 20.0) <= 10.0


def test_heat_takes_torque(limits: Limits) -> None:
    allowed = allow(limits, position=(0.8, 0.0), kp=(10.0, 10.0), strength=np.array([0.4, 1.0]))
    assert allowed.position[0] == pytest.approx(0.2)


def test_limp_joints_get_the_damping_gain_within_their_torque(limits: Limits) -> None:
    np.testing.assert_allclose(limits.kd_damping, (2.0, 2.0))
    np.testing.assert_allclose(limits.damping(sensed(), None), (2.0, 2.0))
    # 2 times 4 rad/s is 8 N·m: the left may brake with 5, so kd 1.25; the right may with 10.
    fast = sensed(velocity=(4.0, 4.0))
    np.testing.assert_allclose(limits.damping(fast, None), (1.25, 2.0))
    np.testing.assert_allclose(limits.damping(fast, 0.5 * TWO), (0.625, 1.25))


def test_a_target_turns_no_faster_than_its_speed_in_a_period(small: Any) -> None:
    # 5 rad/s at 100 Hz is 0.05 rad a period: whatever moved ahead so far may stop, not turn back.
    limits = Limits(small.robot, small.config, target_speed=5.0, torque_share=0.5)
    for moved, wanted, sent in (
        (0.05, -0.9, 0.0),
        (0.05, 0.9, 0.05),
        (-0.05, 0.9, 0.0),
        (0.02, -0.9, -0.03),
        (0.0, -0.9, -0.05),
        (0.09, -0.9, 0.0),
    ):
        allowed = allow(limits, position=(wanted, 0.0), moved=(moved, 0.0), dt=0.01)
        assert allowed.position[0] == pytest.approx(sent, abs=1e-12)
        assert allowed.reasons == Reason.CLIPPED_RATE
    # Two periods at once: 0.1 rad by speed, but no more than 0.05 more than before.
    for moved, sent in ((0.05, 0.1), (0.0, 0.05), (-0.02, 0.03)):
        allowed = allow(limits, position=(0.9, 0.0), moved=(moved, 0.0), dt=0.02)
        assert allowed.position[0] == pytest.approx(sent)


def powered(limits: Limits, mean: float, dt: float, **case: Any) -> Any:
    """Passes gains and a motion on to the limit of power, at rest angle 0."""
    gains = {'position': (0.5, 0.0), 'kp': (8.0, 0.0), 'kd': (2.0, 2.0), **case}
    sample = sensed(velocity=gains.pop('velocity', (-2.0, 1.0)))
    wanted = Allowed(*(np.array(values) for values in gains.values()), Reason.NONE)
    return limits.within_power(wanted, sample, mean, dt)


@pytest.fixture(scope='module')
def weak(small: Any) -> Limits:
    """Motors that take 10 W together at most, 4 W in the mean; damping is 0.5 at least."""
    robot = dataclasses.replace(small.robot, power_max=10.0, power_continuous=4.0)
    return Limits(robot, small.config, target_speed=5.0, torque_share=0.5)


def test_within_the_power_nothing_is_changed_and_the_mean_follows(weak: Limits) -> None:
    # Left: 8 · 0.5 = 4 N·m at −1 rad/s with kd 2 makes 6 N·m and 6 W; right: 2 N·m, 2 W.
    allowed, mean = powered(weak, 1.0, 0.01, velocity=(-1.0, 1.0))
    np.testing.assert_array_equal(allowed.kp, (8.0, 0.0))
    np.testing.assert_array_equal(allowed.kd, (2.0, 2.0))
    assert allowed.reasons == Reason.NONE
    assert mean == pytest.approx(1.0 + 0.07)


def test_power_is_of_the_way_from_the_joint_to_its_target(weak: Limits) -> None:
    # 0.25 rad ahead of a joint that is at 0.25: 2 N·m, at 2 rad/s with a drag of 2: nothing.
    sample = sensed(position=(0.25, 0.0), velocity=(2.0, 0.0))
    wanted = Allowed(np.array((0.5, 0.0)), np.array((8.0, 0.0)), np.array((1.0, 1.0)), Reason.NONE)
    allowed, mean = weak.within_power(wanted, sample, 1.0, 0.1)
    assert (allowed.reasons, mean) == (Reason.NONE, pytest.approx(0.9))


def test_too_much_power_weakens_both_gains_alike(weak: Limits) -> None:
    # Left: 4 + 4 N·m at 2 rad/s is 16 W; right: 2 W. 18 W down to 10: five ninths.
    allowed, mean = powered(weak, 0.0, 0.01)
    np.testing.assert_allclose(allowed.kp, (40.0 / 9.0, 0.0))
    np.testing.assert_allclose(allowed.kd, (10.0 / 9.0, 10.0 / 9.0))
    np.testing.assert_array_equal(allowed.position, (0.5, 0.0))
    assert allowed.reasons == Reason.CLIPPED_POWER
    assert mean == pytest.approx(0.1)


def test_the_mean_power_is_kept_when_the_peak_is_not_reached(weak: Limits) -> None:
    # 0.1 s of p takes a mean of 3.5 W to 4 W where p = 8.5 W.
    allowed, mean = powered(weak, 3.5, 0.1)
    assert mean == pytest.approx(4.0)
    assert allowed.kp[0] == pytest.approx(8.0 * 8.5 / 18.0)
    # Above it, as after braking, it may spend 4 W and no more: 2.5 for the least damping, so that
    # 1.5/18 of kp is left, which pulls with 1/3 + 1 N·m at 2 rad/s beside the right's 0.5 W.
    allowed, mean = powered(weak, 6.0, 0.1)
    assert mean == pytest.approx(6.0 + 0.1 * (8.0 / 3.0 + 0.5 - 6.0))


def test_where_no_time_has_passed_the_peak_alone_counts(weak: Limits) -> None:
    allowed, mean = powered(weak, 3.9, 0.0)
    assert (allowed.kp[0], mean) == (pytest.approx(40.0 / 9.0), 3.9)


def test_power_leaves_the_least_damping_and_takes_stiffness_for_it(weak: Limits) -> None:
    # Drive 16 N·m less drag 4 is 12 N·m at 2 rad/s: 24 W; the right drags 2 N·m at 4 rad/s: 8 W.
    # 10/32 would leave the right 0.16 of damping; with 0.5 left both drag for 2 and 8 W.
    allowed, _ = powered(weak, 0.0, 0.0, kp=(32.0, 0.0), kd=(2.0, 0.5), velocity=(2.0, 4.0))
    np.testing.assert_allclose(allowed.kd, (0.5, 0.5))
    speeds, pull = np.array((2.0, 4.0)), allowed.kp * (0.5, 0.0)
    assert np.abs((pull - allowed.kd * speeds) * speeds).sum() <= 10.0


def test_damping_is_kept_where_it_contradicts_the_power(weak: Limits) -> None:
    # 0.5 at 10 rad/s drags with 5 N·m: 50 W.
    allowed, mean = powered(weak, 1.0, 0.1, velocity=(10.0, 0.0))
    np.testing.assert_array_equal(allowed.kp, 0.0)
    np.testing.assert_array_equal(allowed.kd, 0.5)
    assert mean == pytest.approx(1.0 + 0.1 * 49.0)


NUMBER = st.floats(-1e3, 1e3, allow_nan=False)
PAIR = st.tuples(NUMBER, NUMBER)
NEAR = st.tuples(st.floats(-3.0, 3.0), st.floats(-3.0, 3.0))
SENT = st.tuples(st.floats(-0.9, 0.9), st.floats(-1.9, 1.9))
SPEED = st.tuples(st.floats(-60.0, 60.0), st.floats(-60.0, 60.0))


@pytest.mark.apart
@pytest.mark.timeout(0)
def test_all_limits_hold_at_once_for_every_input(limits: Limits) -> None:
    check(
        'limits hold at once',
        functools.partial(holds_all_limits, limits),
        position=PAIR,
        kp=PAIR,
        kd=PAIR,
        angle=NEAR,
        velocity=SPEED,
        sent=SENT,
        moved=st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)),
        dt=st.floats(0.0, 0.05),
        strength=st.tuples(st.floats(0.4, 1.0), st.floats(0.4, 1.0)),
    )


def holds_all_limits(limits: Limits, **case: Any) -> None:
    sample = sensed(case.pop('angle'), case.pop('velocity'))
    case['strength'] = np.array(case['strength'])
    allowed = allow(limits, sample=sample, **case)
    for i, (box, torque) in enumerate(((0.9, 5.0), (1.9, 10.0))):
        position, kp, kd = allowed.position[i], allowed.kp[i], allowed.kd[i]
        assert -box <= position <= box
        assert abs(position - case['sent'][i]) <= 5.0 * case['dt'] + 1e-12
        assert 0.0 <= kp <= 20.0
        assert 0.5 <= kd <= 3.0
        speed = sample.joint_velocity[i]
        drive = abs(kp * (position - sample.joint_position[i]) - kd * speed)
        assert drive <= max(torque * case['strength'][i], 0.5 * abs(speed)) + 1e-9


@pytest.mark.timeout(0)
def test_all_limits_let_pass_what_is_within_them(limits: Limits) -> None:
    check(
        'within all limits unchanged',
        functools.partial(passes_unchanged, limits),
        position=NEAR,
        sent=SENT,
        dt=st.floats(0, 1),
    )


def passes_unchanged(limits: Limits, position: Any, sent: Any, dt: float) -> None:
    allowed = allow(limits, position=position, sent=sent, dt=dt)
    within = all(
        abs(position[i]) <= box and abs(position[i] - sent[i]) <= 5.0 * dt
        for i, box in enumerate((0.9, 1.9))
    )
    if within:
        np.testing.assert_array_equal(allowed.position, position)
        assert allowed.reasons == Reason.NONE
