from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quad_learner.robot.model import RobotModel, load
from quad_learner.robot.ticks import Ticks


def at_120_hz(robot: RobotModel) -> RobotModel:
    return replace(robot, physics_hz=600, command_hz=120, policy_hz=40)


@pytest.fixture
def ticks(robot: RobotModel) -> Ticks:
    return Ticks(at_120_hz(robot))


# 1/120 s is 8 333 333.3… ns: stamps are rounded down, and every third is a whole number of 25 ms.
@pytest.mark.parametrize(
    'index, stamp', [(0, 0), (1, 8_333_333), (2, 16_666_666), (3, 25_000_000), (120, 10**9)]
)
def test_a_stamp_is_the_tick_rounded_down_to_a_nanosecond(
    ticks: Ticks, index: int, stamp: int
) -> None:
    assert ticks.stamp(index) == stamp
    assert ticks.index(stamp) == index


@given(index=st.integers(0, 10**9), jitter_ns=st.integers(-4_000_000, 4_000_000))
def test_a_tick_is_known_by_any_stamp_nearer_to_it_than_to_others(
    index: int, jitter_ns: int
) -> None:
    ticks = Ticks(at_120_hz(load('a1')))
    assert ticks.index(ticks.stamp(index) + jitter_ns) == index


def test_every_third_tick_is_a_decision_where_three_go_into_one(ticks: Ticks) -> None:
    stamps = [ticks.stamp(index) for index in range(10)]
    assert [ticks.is_decision(stamp) for stamp in stamps] == 3 * [True, False, False] + [True]
    assert [ticks.decision(stamp) for stamp in stamps] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]


def test_a_robot_that_decides_each_tick_does_so(robot: RobotModel) -> None:
    quick = Ticks(replace(at_120_hz(robot), policy_hz=120))
    assert all(quick.is_decision(quick.stamp(index)) for index in range(5))
