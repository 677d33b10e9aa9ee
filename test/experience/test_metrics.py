from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from quad_learner.experience.metrics import RunFacts, RunRecorder
from quad_learner.experience.metrics_table import LEARNER_COLUMNS, Episode, Totals, read_rows

MakeEpisode = Callable[..., Episode]


def test_the_row_of_an_episode_is_there_as_soon_as_it_ends(
    tmp_path: Path, recorder: RunRecorder, episode: MakeEpisode
) -> None:
    recorder.episode(episode(1, displacement=4.2, fell=True, truncated=False), wall_time_s=3.5)
    with (tmp_path / 'metrics.csv').open() as file:
        [cells] = csv.DictReader(file)
    assert float(cells['speed']) == pytest.approx(0.42)
    assert float(cells['wall_time_s']) == 3.5
    assert (cells['fell'], cells['truncated'], cells['total_falls']) == ('1', '0', '1')
    assert cells['lambda'] == ''
    recorder.close()


def test_a_fall_after_three_seconds_is_judged_over_the_full_ten(
    recorder: RunRecorder, episode: MakeEpisode
) -> None:
    short = episode(1, displacement=3.0, end_s=3.0, fell=True)
    assert recorder.episode(short, wall_time_s=0.0).speed == pytest.approx(0.3)
    recorder.close()


def test_a_row_keeps_the_last_the_mean_or_the_largest_of_the_samples(
    recorder: RunRecorder, episode: MakeEpisode
) -> None:
    for value in (1.0, 5.0, 3.0, math.nan, math.inf):
        recorder.sample('lambda', value)
        recorder.sample('constraint', value)
        recorder.sample('latency_max_ms', value)
    learner = recorder.episode(episode(1), wall_time_s=0.0).learner
    assert learner['lambda'] == 3.0
    assert learner['constraint'] == pytest.approx(3.0)
    assert learner['latency_max_ms'] == 5.0
    assert math.isnan(recorder.episode(episode(2), wall_time_s=0.0).learner['lambda'])
    recorder.close()


def test_an_unknown_quantity_is_refused_with_the_known_ones(recorder: RunRecorder) -> None:
    with pytest.raises(KeyError, match=r"no column 'lamda'; known: .*lambda"):
        recorder.sample('lamda', 1.0)
    recorder.close()


def test_the_summary_has_every_figure_that_a_run_must_show(
    tmp_path: Path, recorder: RunRecorder, episode: MakeEpisode
) -> None:
    for number in range(1, 5):
        recorder.sample('updates', number * 400.0)
        recorder.episode(episode(number, displacement=5.0, fell=number == 1), number * 2.0)
    recorder.reset(4.0, success=True)
    recorder.reset(8.0, success=False)
    recorder.count(tumbles=4, trips=1, human_resets=1)
    recorder.count(deadline_misses=3, unsafe_commands=2)
    summary = recorder.finish(tmp_path / 'summary.json', robot_time_s=48.0, wall_time_s=9.5)
    assert json.loads((tmp_path / 'summary.json').read_text()) == summary
    assert summary == {
        'robot': 'a1',
        'seed': 7,
        'robot_time_s': 48.0,
        'wall_time_s': 9.5,
        'mean_speed_last_3_episodes': 0.5,
        'time_to_walk_s': 40.0,
        'walk_speed_m_s': 0.4,
        'episode_duration_s': 10.0,
        'episodes': 4,
        'tasks': {
            'forward': {
                'episodes': 4,
                'minutes': 0.67,
                'falls': 1,
                'mean_speed_last_3_episodes': 0.5,
            }
        },
        'falls': 1,
        'tumbles': 4,
        'human_resets': 1,
        'trips': 1,
        'resets': 2,
        'reset_success_rate': 0.5,
        'reset_mean_duration_s': 6.0,
        'deadline_misses': 3,
        'unsafe_commands': 2,
        'env_steps': 1600,
        'updates': 1600,
        'policy_version': 0,
        'versions': {'numpy': '2.4.6'},
        'waits_for': None,
    }


def test_each_task_has_its_own_figures_and_an_episode_that_left_its_own_length(
    recorder: RunRecorder, episode: MakeEpisode
) -> None:
    for number in range(1, 5):
        recorder.episode(episode(number, displacement=5.0), 0.0)
        # 2 rad in the 4 s until it left the workspace
        times = {'start_s': number * 10.0, 'end_s': number * 10.0 + 4.0}
        recorder.episode(
            episode(number, displacement=2.0, task=2, left=True, fell=number == 2, **times), 0.0
        )
    summary = recorder.summary(robot_time_s=60.0, wall_time_s=1.0)
    assert summary['mean_speed_last_3_episodes'] == 0.5, 'of the task that was done first'
    assert summary['tasks']['left'] == {
        'episodes': 4,
        'minutes': 0.27,
        'falls': 1,
        'mean_speed_last_3_episodes': 0.5,
    }


def test_a_run_of_no_episode_has_a_summary_too(tmp_path: Path, recorder: RunRecorder) -> None:
    summary = recorder.finish(tmp_path / 'summary.json', robot_time_s=1.0, wall_time_s=1.0)
    assert summary['mean_speed_last_3_episodes'] is None
    assert summary['time_to_walk_s'] is None
    assert summary['reset_success_rate'] is None
    assert summary['episodes'] == 0


def test_an_interrupted_run_goes_on_with_its_counts_and_times(
    tmp_path: Path, facts: RunFacts, recorder: RunRecorder, episode: MakeEpisode
) -> None:
    recorder.sample('updates', 900.0)
    recorder.reset(4.0, success=True)
    recorder.episode(episode(1, displacement=5.0, fell=True), wall_time_s=6.0)
    recorder.episode(episode(2, displacement=5.0), wall_time_s=9.0)
    recorder.close()
    with (tmp_path / 'metrics.csv').open('a') as file:
        file.write('3,20.0,')  # killed while writing

    resumed = RunRecorder(tmp_path / 'metrics.csv', facts)
    resumed.open()
    assert resumed.robot_time_before_s == 20.0
    row = resumed.episode(episode(3, 5.0, start_s=0.0, end_s=10.0), wall_time_s=4.0)
    assert (row.episode.start_s, row.episode.end_s, row.wall_time_s) == (20.0, 30.0, 13.0)
    summary = resumed.summary(robot_time_s=10.0, wall_time_s=4.0)
    resumed.close()
    assert (summary['robot_time_s'], summary['wall_time_s']) == (30.0, 13.0)
    assert (summary['falls'], summary['resets'], summary['updates']) == (1, 1, 900)
    assert (summary['episodes'], summary['env_steps']) == (3, 1200)
    assert [row.episode.number for row in read_rows(tmp_path / 'metrics.csv')] == [1, 2, 3]


def test_what_was_counted_since_the_robot_started_is_told_from_what_went_before(
    tmp_path: Path, facts: RunFacts, recorder: RunRecorder, episode: MakeEpisode
) -> None:
    recorder.count(trips=1)
    recorder.episode(episode(1), wall_time_s=10.0)
    recorder.close()
    resumed = RunRecorder(tmp_path / 'metrics.csv', facts)
    resumed.open(elapsed_s=12.0, earlier={'wall_time_s': 15.0})
    assert resumed.counted.trips == 0
    resumed.count(trips=1, human_resets=1)
    row = resumed.episode(episode(2, start_s=2.0, end_s=12.0), wall_time_s=10.0)
    assert row.wall_time_s == 25.0
    resumed.close()

    started_again = RunRecorder(tmp_path / 'metrics.csv', facts)
    started_again.open(elapsed_s=12.0)
    counted = started_again.counted
    assert (counted.trips, counted.human_resets) == (1, 1)
    assert started_again.totals.trips == 2
    started_again.close()


def test_what_happened_after_the_last_episode_is_not_forgotten(
    tmp_path: Path, facts: RunFacts, recorder: RunRecorder, episode: MakeEpisode
) -> None:
    recorder.reset(4.0, success=True)
    recorder.episode(episode(1), wall_time_s=10.0)
    recorder.reset(30.0, success=False)
    recorder.count(human_resets=1, tumbles=2)
    recorder.unscored(fell=True, steps=7)
    before = recorder.finish(tmp_path / 'summary.json', robot_time_s=60.0, wall_time_s=70.0)

    resumed = RunRecorder(tmp_path / 'metrics.csv', facts)
    resumed.open(60.0, before)
    assert resumed.counted == Totals()
    assert resumed.summary(0.0, 0.0) | {'waits_for': None} == before
    resumed.count(trips=1)
    resumed.close()
    # A listener that is started again while the robot runs on has the same to go by.
    started_again = RunRecorder(tmp_path / 'metrics.csv', facts)
    started_again.open(60.0, before)
    assert started_again.counted == Totals()
    started_again.close()


@pytest.mark.parametrize('left', ['', 'number,start_s,en'])
def test_a_run_that_ended_at_its_first_line_goes_on_with_whole_columns(
    tmp_path: Path, recorder: RunRecorder, episode: MakeEpisode, left: str
) -> None:
    recorder.close()
    path = tmp_path / 'metrics.csv'
    path.write_text(left)
    recorder.open()
    row = recorder.episode(episode(1), wall_time_s=1.0)
    recorder.close()
    assert [read.episode for read in read_rows(path)] == [row.episode]


@pytest.mark.parametrize('elapsed_s', [0.0, 17.5])
def test_robot_time_that_is_known_goes_before_the_last_episode(
    tmp_path: Path,
    facts: RunFacts,
    recorder: RunRecorder,
    episode: MakeEpisode,
    elapsed_s: float,
) -> None:
    recorder.episode(episode(1), wall_time_s=1.0)
    recorder.close()
    resumed = RunRecorder(tmp_path / 'metrics.csv', facts)
    resumed.open(elapsed_s)
    assert resumed.robot_time_before_s == elapsed_s
    resumed.close()


def test_a_reset_of_unknown_duration_leaves_the_summary_whole(recorder: RunRecorder) -> None:
    recorder.reset(math.nan, success=True)
    assert recorder.summary(1.0, 1.0)['reset_mean_duration_s'] == 0.0
    recorder.close()


def test_rows_read_back_as_they_were(
    tmp_path: Path, recorder: RunRecorder, episode: MakeEpisode
) -> None:
    recorder.sample('alpha', 0.125)
    written = recorder.episode(episode(1, displacement=2.5, cut=True), wall_time_s=1.5)
    recorder.close()
    [read] = read_rows(tmp_path / 'metrics.csv')
    assert read.episode == written.episode
    assert (read.speed, read.totals) == (written.speed, written.totals)
    assert read.learner['alpha'] == 0.125
    assert set(read.learner) == set(LEARNER_COLUMNS)


def test_a_file_of_other_columns_is_refused_and_left_alone(
    tmp_path: Path, facts: RunFacts
) -> None:
    path = tmp_path / 'metrics.csv'
    path.write_text('time,reward\n1,2\n')
    with pytest.raises(ValueError, match=r'metrics\.csv: its columns are not those'):
        RunRecorder(path, facts).open()
    assert path.read_text() == 'time,reward\n1,2\n'


@pytest.mark.parametrize(
    'line, words', [(b'1,2,3\n', 'line 2 is not a row'), (b'\xff\n', 'is no table')]
)
def test_a_line_that_is_no_row_is_named(
    tmp_path: Path, recorder: RunRecorder, line: bytes, words: str
) -> None:
    recorder.close()
    path = tmp_path / 'metrics.csv'
    path.write_bytes(path.read_bytes() + line)
    with pytest.raises(ValueError, match=rf'metrics\.csv:? {words}'):
        read_rows(path)


def test_an_episode_before_open_is_a_mistake_that_is_told(
    tmp_path: Path, facts: RunFacts, episode: MakeEpisode
) -> None:
    with pytest.raises(RuntimeError, match=r'metrics\.csv is not open; call open'):
        RunRecorder(tmp_path / 'metrics.csv', facts).episode(episode(1), wall_time_s=0.0)
