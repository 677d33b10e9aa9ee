"""What episodes came to."""

from __future__ import annotations

import math

from quad_learner.learning.episode_tally import EpisodeTally


def test_return_and_length_are_of_the_last_whole_episode_and_falls_of_all() -> None:
    tally = EpisodeTally()
    tally.count(1.0, fell=False, ended=False)
    assert math.isnan(tally.last_return)
    assert math.isnan(tally.last_length)
    tally.count(0.5, fell=True, ended=True)
    tally.count(4.0, fell=False, ended=False)
    assert (tally.last_return, tally.last_length, tally.falls) == (1.5, 2.0, 1)
    tally.count(-1.0, fell=False, ended=True)
    assert (tally.last_return, tally.last_length, tally.falls) == (3.0, 2.0, 1)
    tally.count(7.0, fell=True, ended=True)
    assert (tally.last_return, tally.last_length, tally.falls) == (7.0, 1.0, 2)
