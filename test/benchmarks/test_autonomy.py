"""Claims about how the benchmark of autonomy scores a task's episodes."""

from __future__ import annotations

from typing import Any

import pytest

from autonomy import Leg, changes_of, last_speed, options_of, table
from quad_learner.resources import config_directory
from quad_learner.task.kinds import BACKWARD, FORWARD, LEFT, RIGHT, VELOCITY, Kind


def leg(kind: Kind = FORWARD, **changed: Any) -> Leg:
    whole = {
        'end_s': 100.0,
        'seconds': 4.0,
        'ahead': -2.0,
        'turned': 3.0,
        'reward': 0.9,
        'fell': False,
    }
    return Leg(kind, **(whole | changed))


@pytest.mark.parametrize(
    'kind, speed',
    [(FORWARD, -0.5), (BACKWARD, 0.5), (LEFT, 0.75), (RIGHT, -0.75), (VELOCITY, 0.9)],
)
def test_a_speed_is_in_the_tasks_own_direction_and_over_its_own_time(
    kind: Kind, speed: float
) -> None:
    assert leg(kind).speed == pytest.approx(speed)


def test_the_last_three_episodes_tell_but_not_those_that_were_over_at_once() -> None:
    legs = [leg(ahead=ahead) for ahead in (40.0, 1.0, 2.0)]
    assert last_speed(legs[1:]) is None
    short = leg(ahead=9.0, seconds=0.5)
    fall = leg(ahead=0.2, seconds=0.5, fell=True)
    # 1 m and 2 m in 4 s, and 0.2 m in the half second before a fall.
    assert last_speed([*legs, short, fall]) == pytest.approx((0.25 + 0.5 + 0.4) / 3.0, abs=1e-3)


def test_what_is_said_later_wins_over_the_file_and_that_over_the_shipped() -> None:
    shipped = changes_of(options_of([]))
    assert shipped == {
        'tasks': ['forward', 'backward', 'left', 'right'],
        'workspace_m': [4.0, 3.0],
        'external_pose_hz': 0.0,
    }
    problem = ['--params-file', str(config_directory() / 'problems' / 'minitaur_ha2020.yaml')]
    of_the_file = changes_of(options_of(problem))
    assert (of_the_file['tasks'], of_the_file['history']) == (['forward', 'backward'], 5)
    more = ['--tasks', 'left', '--workspace', '2x1', '--set', 'history=1', '--external-pose']
    said = changes_of(options_of(problem + more))
    assert (said['tasks'], said['workspace_m'], said['history']) == (['left'], [2.0, 1.0], 1)
    assert (said['external_pose_hz'], said['reward']) == (1.0, 'displacement')


def test_the_table_says_how_far_a_trial_came_and_how_often_get_up_gave_up() -> None:
    result = {
        'seed': 7,
        'robot_time_s': 754.0,
        'human_resets': 0,
        'gave_up': 3,
        'outside_share': 0.0123,
        'furthest_out_m': 0.4,
        'falls': 2,
        'tumbles': 1,
        'speeds': {'forward': 0.5, 'left': None},
    }
    titles, _, row = table([result], ['forward', 'left']).splitlines()
    cells = dict(zip(titles.split(' | '), row.split(' | '), strict=True))
    assert (cells['minutes reached'], cells['human resets'], cells['gave up']) == (
        '12.6', '0', '3'
    )  # fmt: skip
    assert (cells['outside [%]'], cells['falls'], cells['forward [m/s]']) == ('1.23', '2', '0.50')
