from __future__ import annotations

import math

import numpy as np
import pytest

from quad_learner.experience.truth_track import TruthTrack


def walked(length: int = 100, heading: float = 0.0) -> TruthTrack:
    """Returns the track of a robot that faces `heading` and goes east by 1 m each 10 ns."""
    facing = np.array([0.0, 0.0, math.sin(heading / 2), math.cos(heading / 2)])
    track = TruthTrack(length)
    for number in range(11):
        track.add(10 * number, np.array([float(number), 0.0, 0.3]), facing)
    return track


@pytest.mark.parametrize(
    'heading, way', [(0.0, 6.0), (math.pi, -6.0), (math.pi / 2, 0.0), (math.pi / 3, 3.0)]
)
def test_the_way_made_good_is_along_the_heading_at_the_start(heading: float, way: float) -> None:
    assert walked(heading=heading).displacement(20, 80) == pytest.approx(way, abs=1e-9)


def test_a_turn_counts_every_time_round() -> None:
    # 0.6 rad each 10 ns: after ten of them nearly once round; there is no seam.
    track = TruthTrack(100)
    for number in range(31):
        half = 0.3 * number
        facing = np.array([0.0, 0.0, math.sin(half), math.cos(half)])
        track.add(10 * number, np.zeros(3), facing)
    assert track.turned(0, 300) == pytest.approx(18.0)
    assert track.turned(20, 100) == pytest.approx(4.8)
    assert track.turned(0, 301) is None


def test_between_two_poses_the_later_one_counts() -> None:
    assert walked().displacement(15, 75) == pytest.approx(6.0)


def test_what_the_track_does_not_reach_is_not_known() -> None:
    assert TruthTrack(5).displacement(0, 10) is None
    assert walked().displacement(20, 101) is None
    assert walked(length=5).displacement(20, 100) is None, 'its start is forgotten'
    assert walked(length=5).displacement(60, 100) == pytest.approx(4.0)


def test_an_episode_that_began_or_ended_where_poses_were_lost_is_not_scored() -> None:
    """One would be scored by what came a second later, when another may have begun."""
    track, facing = TruthTrack(1000), np.array([0.0, 0.0, 0.0, 1.0])
    for hundredth in (*range(200), *range(300, 500)):  # 1 m/s
        track.add(hundredth * 10_000_000, np.array([hundredth / 100, 0.0, 0.3]), facing)
    lost, before, after = 2_500_000_000, 500_000_000, 4_000_000_000
    for start, end in ((before, lost), (lost, after)):
        assert track.displacement(start, end) is None
        assert track.turned(start, end) is None
    assert track.displacement(before, after) == pytest.approx(3.5)


def test_it_tells_whether_a_time_has_been_reached() -> None:
    assert not TruthTrack(5).has(0)
    assert walked().has(100)
    assert not walked().has(101)


def test_a_pose_that_is_told_again_or_late_changes_nothing() -> None:
    track = walked()
    for time_ns in (100, 50):
        track.add(time_ns, np.full(3, 99.0), np.array([0.0, 0.0, 0.0, 1.0]))
    assert track.displacement(0, 100) == pytest.approx(10.0)
