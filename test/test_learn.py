from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from quad_learner import learn, rehearsal
from quad_learner.configuration import ConfigurationError
from quad_learner.experience.metrics_table import LEARNER_COLUMNS, header_of
from quad_learner.experience.rehearsed import Verdict
from quad_learner.experience.run_directory import RunDirectory, RunDirectoryError, create_at
from quad_learner.learn import Ending, LearnOptions, node_environment, prepare
from quad_learner.resources import config_directory
from quad_learner.supervisor import Interrupt


def kept(run: RunDirectory, node: str) -> dict[str, Any]:
    content = yaml.safe_load((run.parameters / f'{node}.yaml').read_text())
    values: dict[str, Any] = content['/**']['ros__parameters']
    return values


@pytest.fixture
def begun(tmp_path: Path) -> RunDirectory:
    """Returns a run that has been prepared, and has a checkpoint."""
    options = LearnOptions(robot='minitaur', seed=6, minutes=2.0, run_directory=tmp_path / 'run')
    run = prepare(options).run
    (run.checkpoint / '1').mkdir()
    return run


def test_a_run_keeps_the_parameters_and_the_robot_that_it_used(begun: RunDirectory) -> None:
    policy = kept(begun, 'policy')
    assert (policy['robot'], policy['seed'], policy['minutes']) == ('minitaur', 6, 2.0)
    assert policy['gear'] == 'lockstep'
    assert policy['run_directory'] == str(begun.path)
    assert (begun.parameters / 'robots' / 'minitaur.yaml').is_file()
    assert (begun.versions).is_file()


@pytest.mark.parametrize(
    'entry, value, complaint',
    [
        ('base_link', 'FR_hip', "base_link = 'FR_hip' must be the root link .* 'trunk'"),
        ('reset', {'fold': [1.4]}, 'section reset: fold = .* 3 finite numbers'),
        ('mirror', {'leg_swap': [1, 0, 3, 2]}, 'mirror = .* must hold exactly'),
        ('oscillator', {'frequency_hz': 2.0}, 'oscillator = .* must hold exactly'),
    ],
)
def test_a_robot_file_that_does_not_fit_is_refused_before_there_is_a_run(
    tmp_path: Path, entry: str, value: object, complaint: str
) -> None:
    content = yaml.safe_load((config_directory() / 'robots/a1.yaml').read_text())
    path = tmp_path / 'robot.yaml'
    path.write_text(yaml.safe_dump(content | {'reset': {}, entry: value}))
    with pytest.raises(ConfigurationError, match=complaint):
        prepare(LearnOptions(robot=str(path), run_directory=tmp_path / 'run'))
    assert not (tmp_path / 'run').exists()


def test_real_time_is_a_gear_and_hardware_knows_no_other(tmp_path: Path) -> None:
    real = prepare(LearnOptions(real_time_factor=1.0, run_directory=tmp_path / 'a')).run
    assert kept(real, 'policy')['gear'] == 'real_time'
    hardware = prepare(LearnOptions(backend='ros2_control', run_directory=tmp_path / 'b')).run
    assert kept(hardware, 'policy')['gear'] == 'real_time'


def test_a_resumed_run_goes_on_with_what_it_was_started_with(begun: RunDirectory) -> None:
    begun.summary.write_text(json.dumps({'robot_time_s': 33.5}))
    again = prepare(LearnOptions(resume=begun.path, minutes=9.0)).run
    assert again.path == begun.path
    policy = kept(again, 'policy')
    assert (policy['robot'], policy['seed'], policy['minutes']) == ('minitaur', 6, 9.0)
    assert policy['elapsed_s'] == 33.5


def test_a_resumed_run_keeps_the_users_values(tmp_path: Path) -> None:
    mine = tmp_path / 'mine.yaml'
    mine.write_text(yaml.safe_dump({'/**': {'ros__parameters': {'episode_s': 4.0}}}))
    run = prepare(LearnOptions(params_file=mine, run_directory=tmp_path / 'run')).run
    (run.checkpoint / '1').mkdir()
    prepare(LearnOptions(resume=run.path))
    assert kept(run, 'policy')['episode_s'] == 4.0


def test_a_run_on_a_robot_goes_on_and_says_what_the_simulation_says_of_its_policy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = prepare(LearnOptions(backend='ros2_control', run_directory=tmp_path / 'run')).run
    (run.checkpoint / '1').mkdir()
    run.policy.write_bytes(b'a policy')
    fell = Verdict('', '', 'it fell after 1.30 s in simulation', 1.3, 0.0)
    monkeypatch.setattr(rehearsal, 'rehearse', lambda *_: fell)
    ready = prepare(LearnOptions(backend='ros2_control', resume=run.path))
    assert ready.told == ('forward: it fell after 1.30 s in simulation',)
    assert prepare(LearnOptions(resume=_simulated(tmp_path))).told == ()


def _simulated(tmp_path: Path) -> Path:
    """Returns the folder of a run with a policy that was learned in simulation."""
    run = prepare(LearnOptions(run_directory=tmp_path / 'simulated')).run
    (run.checkpoint / '1').mkdir()
    run.policy.write_bytes(b'a policy')
    return run.path


def test_a_run_that_was_killed_goes_on_after_its_last_episode(begun: RunDirectory) -> None:
    columns = header_of(LEARNER_COLUMNS)
    cells = ['41.25' if name == 'end_s' else '1' for name in columns]
    begun.metrics.write_text(','.join(columns) + '\n' + ','.join(cells) + '\n')
    prepare(LearnOptions(resume=begun.path))
    assert kept(begun, 'learner')['elapsed_s'] == 41.25


def test_a_run_whose_time_is_over_goes_on_with_more_alone(begun: RunDirectory) -> None:
    begun.summary.write_text(json.dumps({'robot_time_s': 119.4}))
    with pytest.raises(ConfigurationError, match=r'has had 1.99 of its 2 minutes .* --minutes'):
        prepare(LearnOptions(resume=begun.path))
    prepare(LearnOptions(resume=begun.path, minutes=2.5))
    assert kept(begun, 'policy')['elapsed_s'] == 119.4


def test_a_variable_that_is_empty_is_none_as_for_ros() -> None:
    names = ('ROS_DOMAIN_ID', 'RMW_IMPLEMENTATION', 'ROS_AUTOMATIC_DISCOVERY_RANGE')
    assert node_environment(dict.fromkeys(names, '')) == node_environment({})
    assert node_environment({'ROS_DOMAIN_ID': '7'})['ROS_DOMAIN_ID'] == '7'


def test_a_run_without_a_checkpoint_cannot_go_on(tmp_path: Path) -> None:
    create_at(tmp_path / 'run', {})
    with pytest.raises(RunDirectoryError, match='has no checkpoint'):
        prepare(LearnOptions(resume=tmp_path / 'run'))


def test_a_wrong_parameter_is_found_before_any_folder_is_made(tmp_path: Path) -> None:
    mine = tmp_path / 'mine.yaml'
    mine.write_text(yaml.safe_dump({'policy': {'ros__parameters': {'noize_scale': 1.0}}}))
    with pytest.raises(ConfigurationError, match="did you mean 'noise_scale'"):
        prepare(LearnOptions(params_file=mine, run_directory=tmp_path / 'run'))
    assert not (tmp_path / 'run').exists()


def test_a_wrong_namespace_is_found_before_any_folder_is_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="namespace 'my dog' must be"):
        prepare(LearnOptions(namespace='my dog', run_directory=tmp_path / 'run'))
    assert not (tmp_path / 'run').exists()


def test_an_unknown_robot_is_found_before_any_folder_is_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="robot 'b2' is not known"):
        prepare(LearnOptions(robot='b2', run_directory=tmp_path / 'run'))
    assert not (tmp_path / 'run').exists()


def test_signals_are_only_held_while_the_run_lasts() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    held = Interrupt()
    assert not held
    signal.raise_signal(signal.SIGINT)
    assert held
    held.release()
    assert {number: signal.getsignal(number) for number in before} == before


def test_a_terminal_that_is_closed_ends_a_run_in_good_order() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup
    held = Interrupt()
    signal.raise_signal(signal.SIGHUP)
    held.release()
    assert held
    assert signal.signal(signal.SIGHUP, before) is signal.SIG_DFL


def test_who_wants_to_go_on_without_a_terminal_does() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    held = Interrupt()
    signal.raise_signal(signal.SIGHUP)
    held.release()
    assert not held
    assert signal.signal(signal.SIGHUP, before) is signal.SIG_IGN


def moved(begun: RunDirectory, folder: Path) -> Path:
    """Returns a copy of a robot file of the package's under another name."""
    folder.mkdir()
    (folder / 'mine.yaml').write_text((begun.parameters / 'robots/minitaur.yaml').read_text())
    return folder / 'mine.yaml'


def test_a_robot_file_is_found_again_from_any_folder(
    begun: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = moved(begun, tmp_path / 'here')
    monkeypatch.chdir(tmp_path / 'here')
    run = prepare(LearnOptions(robot='mine.yaml', run_directory=tmp_path / 'mine')).run
    (run.checkpoint / '1').mkdir()
    monkeypatch.chdir(tmp_path)
    prepare(LearnOptions(resume=run.path))
    assert {kept(run, node)['robot'] for node in ('robot', 'policy', 'learner')} == {str(path)}


def test_a_run_goes_on_with_the_same_robot_from_another_place(
    begun: RunDirectory, tmp_path: Path
) -> None:
    path = moved(begun, tmp_path / 'there')
    prepare(LearnOptions(resume=begun.path, robot=str(path)))
    assert kept(begun, 'learner')['robot'] == str(path)


@pytest.mark.parametrize(
    'asked, words',
    [
        ({'robot': 'a1'}, 'is learned on minitaur and cannot go on with the robot a1'),
        ({'tasks': ('left',)}, 'learns forward and cannot go on with left alone'),
        ({'backend': 'ros2_control'}, 'with the backend sim, not ros2_control: go on with'),
    ],
)
def test_a_run_cannot_go_on_as_another_and_stays_what_it_is(
    begun: RunDirectory, asked: dict[str, Any], words: str
) -> None:
    before = {path: path.read_bytes() for path in begun.path.rglob('*.*')}
    with pytest.raises(ConfigurationError, match=words):
        prepare(LearnOptions(resume=begun.path, **asked))
    assert {path: path.read_bytes() for path in begun.path.rglob('*.*')} == before


@pytest.mark.parametrize('learned', [False, True])
def test_parameters_that_the_learner_refuses_do_not_stay(
    begun: RunDirectory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, learned: bool
) -> None:
    def pretend(*_: Any) -> Ending:
        if learned:
            begun.experience.write_bytes(b'a segment')
        return Ending(1, finished=False)

    monkeypatch.setattr(learn, '_supervise', pretend)
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
    mine = tmp_path / 'mine.yaml'
    mine.write_text(yaml.safe_dump({'/**': {'ros__parameters': {'critic_width': 32}}}))
    before = kept(begun, 'learner')
    assert before['critic_width'] != 32
    learn.learn(LearnOptions(resume=begun.path, params_file=mine))
    assert kept(begun, 'learner') == before | ({'critic_width': 32} if learned else {})


def test_a_run_is_learned_in_by_one_graph_at_a_time(
    begun: RunDirectory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def pretend(*_: Any) -> Ending:
        monkeypatch.setenv('ROS_DOMAIN_ID', '64')
        learn.learn(LearnOptions(resume=begun.path))
        return Ending(0, finished=True)

    monkeypatch.setenv('ROS_DOMAIN_ID', '63')
    monkeypatch.setattr(learn, '_supervise', pretend)
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
    with pytest.raises(ConfigurationError, match='is being learned in by another process'):
        learn.learn(LearnOptions(resume=begun.path))


@pytest.mark.parametrize(
    'name, content, words',
    [
        ('summary.json', '', 'summary.json does not hold the figures of a run .* remove it'),
        ('summary.json', '{}', 'summary.json does not hold the figures'),
        ('metrics.csv', 'a,b\n', 'metrics.csv: its columns are not those'),
    ],
)
def test_a_strange_file_in_a_run_is_named(
    begun: RunDirectory, name: str, content: str, words: str
) -> None:
    (begun.path / name).write_text(content)
    with pytest.raises(RunDirectoryError, match=words):
        prepare(LearnOptions(resume=begun.path))
