"""Claims about gaits, on contacts whose strides are laid out by hand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from quad_learner.experience.gait import Contacts, gait_of, order_of

HZ = 80.0
STRIDE = 40
"""ticks: half a second, so two strides a second"""
# When each foot comes down, in shares of the stride, in the order of `gait.FEET`:
# front left, front right, hind left, hind right.
TROT = (0.0, 0.5, 0.5, 0.0)
PACE = (0.0, 0.5, 0.0, 0.5)
BOUND = (0.0, 0.0, 0.5, 0.5)
WALK = (0.25, 0.75, 0.0, 0.5)  # hind left, front left, hind right, front right


def contacts(downs: tuple[float, ...], duty: float, strides: int = 8) -> Contacts:
    """Returns feet that come down at `downs` of each stride and stay for `duty` of it."""
    tick = np.arange(strides * STRIDE)[:, None]
    return (tick - np.round(np.array(downs) * STRIDE)) % STRIDE < round(duty * STRIDE)


@pytest.mark.parametrize(
    'downs, duty, pattern',
    [
        (TROT, 0.5, 'trot'),
        (TROT, 0.6, 'trot'),
        (PACE, 0.5, 'pace'),
        (BOUND, 0.4, 'bound'),
        ((0.0, 0.0, 0.0, 0.0), 0.4, 'bound'),
        (WALK, 0.75, 'walk'),
        (WALK, 0.4, 'other'),
        # Front feet together, hind feet in turn; and a canter, whose front feet are a third apart.
        ((0.0, 0.0, 0.5, 0.0), 0.5, 'other'),
        ((0.3, 0.6, 0.0, 0.3), 0.4, 'other'),
    ],
)
def test_a_gait_laid_out_by_hand_gets_its_name(
    downs: tuple[float, ...], duty: float, pattern: str
) -> None:
    assert gait_of([contacts(downs, duty)], HZ).pattern == pattern


@pytest.mark.parametrize('late, pattern', [(0.1, 'trot'), (0.15, 'walk')])
def test_a_pair_is_together_within_an_eighth_of_a_stride(late: float, pattern: str) -> None:
    downs = (0.0, 0.5, 0.5 + late, late)
    assert gait_of([contacts(downs, 0.6)], HZ).pattern == pattern


@pytest.mark.parametrize('late, pattern', [(0.2, 'trot'), (0.3, 'other')])
def test_a_trot_may_limp_a_little(late: float, pattern: str) -> None:
    # One foot is late: a diagonal, a side and the hind feet are out by that, the others are not.
    assert gait_of([contacts((0.0, 0.5, 0.5, late), 0.6)], HZ).pattern == pattern


def test_the_phases_of_a_walk_are_those_it_was_laid_out_with() -> None:
    pairs = gait_of([contacts(WALK, 0.75)], HZ).pairs
    expected: Mapping[str, float] = {
        'left': -0.25,  # the hind foot comes down a quarter before the front one
        'right': -0.25,
        'diagonal_left': 0.25,
        'diagonal_right': 0.25,
    }
    for name, phase in expected.items():
        assert pairs[name].phase == pytest.approx(phase), name
        assert pairs[name].steadiness == pytest.approx(1.0)
    for name in ('front', 'hind'):
        phase = pairs[name].phase
        assert phase is not None
        assert abs(phase) == pytest.approx(0.5)


def test_duty_factor_and_stride_frequency_are_of_each_foot() -> None:
    contact = contacts(TROT, 0.75)
    contact[:, 0] = contacts(TROT, 0.25)[:, 0]
    gait = gait_of([contact], HZ)
    assert gait.duty_factor == pytest.approx(
        {'front_left': 0.25, 'front_right': 0.75, 'hind_left': 0.75, 'hind_right': 0.75}
    )
    assert set(gait.stride_hz.values()) == {2.0}


def test_standing_still_is_no_gait() -> None:
    gait = gait_of([np.ones((320, 4), np.bool_)], HZ)
    assert gait.pattern == 'no steps'
    assert set(gait.duty_factor.values()) == {1.0}
    assert set(gait.stride_hz.values()) == {0.0}
    assert {pair.phase for pair in gait.pairs.values()} == {None}
    assert set(gait.touches_per_step.values()) == {None}


def test_a_foot_that_is_dragged_along_makes_it_no_gait() -> None:
    contact = contacts(TROT, 0.5)
    contact[:, 3] = True
    assert gait_of([contact], HZ).pattern == 'no steps'


@pytest.mark.parametrize('up, down', [(2, 2), (1, 3), (5, 5)])
def test_trembling_feet_make_no_steps(up: int, down: int) -> None:
    # 20 Hz, twice, and 8 Hz.
    trembling = np.resize([False] * up + [True] * down, 320)
    gait = gait_of([np.tile(trembling[:, None], 4)], HZ)
    assert gait.pattern == 'no steps'
    assert gait.duty_factor['front_left'] == pytest.approx(down / (up + down))


def test_bounces_in_stance_and_taps_in_swing_are_counted_and_are_no_steps() -> None:
    contact = contacts(TROT, 0.5)
    for stride in range(8):
        # Of 20 ticks of stance it is 4 in the air, and of 20 of swing two times 2 on the ground.
        contact[stride * STRIDE + 8 : stride * STRIDE + 12, 0] = False
        contact[stride * STRIDE + 26 : stride * STRIDE + 28, 0] = True
        contact[stride * STRIDE + 31 : stride * STRIDE + 33, 0] = True
    gait = gait_of([contact], HZ)
    assert (gait.pattern, gait.stride_hz['front_left']) == ('trot', 2.0)
    assert gait.duty_factor['front_left'] == pytest.approx((16 + 4) / 40)
    # Eight strides begin on the ground: 7 touchdowns of its own, 8 after bounces, 16 taps.
    assert gait.touches_per_step == pytest.approx(
        {'front_left': 31 / 7, 'front_right': 1.0, 'hind_left': 1.0, 'hind_right': 1.0}
    )


def test_short_swings_between_long_stances_are_steps_all_the_same() -> None:
    # Seven ticks (0.09 s) in the air of forty, one foot after the other.
    assert gait_of([contacts(WALK, 33 / 40)], HZ).pattern == 'walk'


def test_feet_that_keep_no_time_have_no_name() -> None:
    contact = contacts(TROT, 0.5)
    # The front right foot steps with another rhythm: 1.25 strides a second.
    contact[:, 1] = (np.arange(len(contact)) % 64) < 32
    gait = gait_of([contact], HZ)
    assert gait.pattern == 'other'
    assert gait.pairs['front'].steadiness < 0.5
    assert gait.pairs['left'].steadiness == pytest.approx(1.0)


def test_nothing_is_told_from_the_gap_between_two_bouts() -> None:
    # The second begins in mid-stride; joined to the first it would spoil the frequency.
    whole = contacts(TROT, 0.5)
    gait = gait_of([whole, whole[13:]], HZ)
    assert gait.pattern == 'trot'
    assert set(gait.stride_hz.values()) == {2.0}
    assert gait.pairs['diagonal_left'].steadiness == pytest.approx(1.0)


def test_one_stride_a_bout_is_enough_where_there_are_two_bouts() -> None:
    short = contacts(TROT, 0.5, strides=3)
    assert gait_of([short[:70]], HZ).pattern == 'no steps'
    assert gait_of([short[:101], short[:101]], HZ).pattern == 'trot'


def test_feet_are_told_by_where_they_stand() -> None:
    corners = np.array(
        [(0.2, -0.1, -0.3), (0.2, 0.1, -0.3), (-0.2, -0.1, -0.3), (-0.2, 0.1, -0.3)]
    )
    # Front right, front left, hind right, hind left, as on the A1.
    assert order_of(corners) == [1, 0, 3, 2]
    assert order_of(corners[:3]) is None
    assert order_of(corners + np.array((0.5, 0.0, 0.0))) is None
