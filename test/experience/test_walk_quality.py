"""Claims about the figures of a walk, on motions whose figures are worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from quad_learner.experience.walk_quality import Bout, quality_of, roughness, vibration

HZ = 40.0


def sine(frequency_hz: float, amplitude: float = 1.0, seconds: float = 4.0) -> NDArray[np.float64]:
    time = np.arange(round(seconds * HZ)) / HZ
    return amplitude * np.sin(2.0 * np.pi * frequency_hz * time)[:, None]


@pytest.fixture
def bout() -> Bout:
    """Returns a robot of 10 kg that trots 2 m and spends 196.2 J of work, 981 J of the battery."""
    foot = np.arange(160)[:, None] % 40 < 20
    return Bout(
        tick_hz=80.0,
        action_hz=HZ,
        mass=10.0,
        contact=np.hstack((foot, ~foot, ~foot, foot)),
        others=((),) * 160,
        height=np.full(160, 0.25),
        roll=np.zeros(160),
        pitch=np.zeros(160),
        action=sine(1.0),
        way=2.0,
        work=196.2,
        drawn=981.0,
    )


def test_the_cost_is_energy_by_weight_and_way(bout: Bout) -> None:
    quality = quality_of([bout])
    # 10 kg · 9.81 m/s² · 2 m = 196.2 J.
    assert quality.cost_of_transport_mechanical == pytest.approx(1.0)
    assert quality.cost_of_transport_electrical == pytest.approx(5.0)
    assert quality.gait is not None
    assert quality.gait.pattern == 'trot'


def test_the_cost_of_several_bouts_is_that_of_the_whole_way(bout: Bout) -> None:
    back = replace(bout, way=-1.0, work=0.0)
    # 196.2 J over the one metre that was made good.
    assert quality_of([bout, back]).cost_of_transport_mechanical == pytest.approx(2.0)


@pytest.mark.parametrize('way', [-1.0, 0.0, 0.4])
def test_going_nowhere_has_no_cost_per_metre(bout: Bout, way: float) -> None:
    assert quality_of([replace(bout, way=way)]).cost_of_transport_electrical is None


def test_knees_on_the_ground_are_seen(bout: Bout) -> None:
    others = ((),) * 120 + (('shin',),) * 30 + (('shin', 'trunk'),) * 10
    quality = quality_of([replace(bout, others=others)])
    assert quality.other_contact_share == pytest.approx(40 / 160)
    assert quality.other_contacts == pytest.approx({'shin': 40 / 160, 'trunk': 10 / 160})


def test_on_its_feet_alone_nothing_else_touches(bout: Bout) -> None:
    quality = quality_of([bout])
    assert (quality.other_contact_share, quality.other_contacts) == (0.0, {})


def test_posture_is_of_all_bouts(bout: Bout) -> None:
    low = replace(
        bout,
        height=np.full(160, 0.15),
        roll=np.linspace(-0.3, 0.1, 160),
        pitch=np.linspace(0.0, 0.2, 160),
    )
    quality = quality_of([bout, low])
    assert quality.height_mean_m == pytest.approx(0.2)
    assert quality.height_std_m == pytest.approx(0.05)
    assert (quality.roll_max_rad, quality.pitch_max_rad) == pytest.approx((0.3, 0.2))


def test_a_robot_of_another_build_has_no_gait_but_the_rest(bout: Bout) -> None:
    quality = quality_of([bout], four_legs=False)
    assert quality.gait is None
    assert quality.cost_of_transport_mechanical == pytest.approx(1.0)


def test_an_even_slope_is_not_rough_and_a_zigzag_is() -> None:
    slope = np.linspace(0.0, 1.0, 9)[:, None]
    # 0, 1, 0, 1, …: each second difference is ±2.
    zigzag = np.tile([[0.0], [1.0]], (5, 1))
    assert roughness([slope]) == pytest.approx(0.0)
    assert roughness([zigzag]) == pytest.approx(4.0)
    # 7 bends of the slope and 8 of the zigzag; no bend across the gap between the two.
    assert roughness([slope, zigzag]) == pytest.approx(8 * 4.0 / 15)
    assert roughness([zigzag[:2]]) is None


def test_vibration_is_the_share_of_quick_power() -> None:
    # Power goes with the square: 1² slow beside 0.5² quick is a fifth.
    assert vibration([sine(2.0) + sine(10.0, 0.5)], HZ) == pytest.approx(0.2, abs=1e-9)
    assert vibration([np.hstack((sine(2.0), sine(10.0, 0.5)))], HZ) == pytest.approx(0.2)
    assert vibration([sine(1.75)], HZ) == pytest.approx(0.0, abs=1e-6)
    assert vibration([sine(12.0)], HZ) == pytest.approx(1.0, abs=1e-6)


def test_a_slow_wave_cut_short_is_no_vibration() -> None:
    # 3.4 turns of 0.85 Hz: without a window a quarter of a per cent would seem quick.
    assert vibration([sine(0.85)], HZ) == pytest.approx(0.0, abs=1e-4)


def test_a_constant_action_does_not_vibrate_nor_is_it_still_walking() -> None:
    assert vibration([np.full((100, 12), 0.1)], HZ) is None
    assert vibration([np.full((100, 1), 0.1), sine(12.0)], HZ) == pytest.approx(1.0, abs=1e-6)
