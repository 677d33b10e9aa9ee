from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quad_learner import bringup, cli, learn, rehearsal
from quad_learner.experience.rehearsed import Verdict
from quad_learner.experience.run_directory import RunDirectory, create_at
from quad_learner.learn import Ending, LearnOptions

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Returns a function that calls quad-learner; gives exit code, output and errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(list(arguments))
        out, err = capsys.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0, out, err)

    return run


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, run: RunDirectory) -> list[LearnOptions]:
    """Returns what `learn` was asked for; nothing is started."""
    seen: list[LearnOptions] = []

    def pretend(options: LearnOptions) -> tuple[Ending, RunDirectory]:
        seen.append(options)
        return Ending(0, finished=False), run

    monkeypatch.setattr(learn, 'learn', pretend)
    return seen


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return create_at(tmp_path / 'run', {})


@pytest.mark.parametrize(
    ('objection', 'code', 'words'),
    [
        ('', 0, 'forward: walked 5.0 s in simulation without fall or trip, at 0.80 m/s'),
        ('it fell after 1.30 s in simulation', 1, 'forward: it fell after 1.30 s in simulation'),
    ],
)
def test_a_rehearsal_says_how_it_went_and_ends_accordingly(
    call: Call,
    run: RunDirectory,
    monkeypatch: pytest.MonkeyPatch,
    objection: str,
    code: int,
    words: str,
) -> None:
    bringup.write_parameters(bringup.parameters(bringup.nodes('sim'), {}, None), run.parameters)
    run.policy.write_bytes(b'a policy')
    verdict = Verdict('', '', objection, 5.0, 0.8)
    monkeypatch.setattr(rehearsal, 'rehearse', lambda *_: verdict)
    assert call('rehearse', str(run.path))[:2] == (code, words + '\n')


def test_help_names_every_command_and_how_to_begin(call: Call) -> None:
    code, out, _ = call('--help')
    assert code == 0
    words = ('learn', 'evaluate', 'rehearse', 'report', 'export', 'doctor', 'find-get-up')
    for word in (*words, 'Begin with'):
        assert word in out


def test_the_minutes_of_a_resumed_run_are_told_to_be_those_in_all(call: Call) -> None:
    """A run of ten minutes that is given ten more goes on for none: it is refused."""
    _, out, _ = call('learn', '--help')
    _, _, after = ' '.join(out.split()).partition('--minutes MINUTES ')
    assert after.startswith('robot time to learn for in all, with --resume what the run has had')


@pytest.mark.parametrize(
    'command', ['learn', 'evaluate', 'report', 'export', 'doctor', 'find-get-up']
)
def test_each_command_explains_each_of_its_options(call: Call, command: str) -> None:
    code, out, _ = call(command, '--help')
    assert code == 0
    options = [line for line in out.splitlines() if line.startswith('  -')]
    assert options
    for number, line in enumerate(out.splitlines()):
        if line.startswith('  -'):
            after = out.splitlines()[number + 1] if number + 1 < len(out.splitlines()) else ''
            assert len(line.split('  ')) > 2 or after.startswith('        '), line


def test_no_command_is_a_mistake_that_shows_the_commands(call: Call) -> None:
    code, _, err = call()
    assert code == 2
    assert 'COMMAND' in err


def test_learn_hands_on_what_was_asked_for(call: Call, asked: list[LearnOptions]) -> None:
    code, _, _ = call(
        *('learn', '--minutes', '3', '--robot', 'minitaur', '--seed', '7'),
        *('--namespace', 'spot', '--real-time-factor', '1'),
    )
    assert code == 0
    (options,) = asked
    assert (options.minutes, options.robot, options.seed) == (3.0, 'minitaur', 7)
    assert (options.namespace, options.real_time_factor) == ('spot', 1.0)


def test_what_is_not_asked_for_is_left_to_the_run_or_the_package(
    call: Call, asked: list[LearnOptions]
) -> None:
    call('learn')
    (options,) = asked
    assert (options.minutes, options.robot, options.seed, options.resume) == (None,) * 4


def test_a_run_cannot_be_resumed_elsewhere(call: Call, tmp_path: Path) -> None:
    code, _, err = call('learn', '--resume', 'a', '--run-dir', 'b')
    assert code == 2
    assert 'leave out --run-dir' in err


def test_a_finished_run_shows_its_figures(
    call: Call, run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.summary.write_text(json.dumps({'mean_speed_last_3_episodes': 0.4321, 'versions': {}}))
    monkeypatch.setattr(learn, 'learn', lambda _: (Ending(0, finished=True), run))
    code, out, _ = call('learn', '--no-report')
    assert code == 0
    assert '0.4321' in out


def test_a_run_that_ended_while_the_robot_could_not_go_on_has_not_ended_well(
    call: Call, run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.summary.write_text(json.dumps({'falls': 3, 'waits_for': 'somebody to set it upright'}))
    monkeypatch.setattr(learn, 'learn', lambda _: (Ending(0, finished=True), run))
    code, out, err = call('learn', '--no-report')
    assert code == 1
    assert 'falls' in out
    assert 'waits for somebody to set it upright' in err


def test_ctrl_c_before_anything_has_started_is_no_failure(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pressed(_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(learn, 'learn', pressed)
    code, _, err = call('learn')
    assert (code, err) == (0, 'quad-learner: stopped\n')


def test_ctrl_c_while_the_report_is_made_leaves_the_run_as_it_is(
    call: Call, run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pressed(_: Any) -> Any:
        raise KeyboardInterrupt

    run.summary.write_text('{}')
    monkeypatch.setattr(learn, 'learn', lambda _: (Ending(0, finished=True), run))
    monkeypatch.setattr(cli, '_write_report', pressed)
    code, out, _ = call('learn')
    assert code == 0
    assert f'quad-learner report {run.path}' in out


def test_export_copies_the_policy_and_overwrites_nothing(
    call: Call, run: RunDirectory, tmp_path: Path
) -> None:
    run.policy.write_bytes(b'a policy')
    target = tmp_path / 'mine.onnx'
    assert call('export', str(run.path), '--output', str(target))[0] == 0
    assert target.read_bytes() == b'a policy'
    run.policy.write_bytes(b'another')
    code, _, err = call('export', str(run.path), '--output', str(target))
    assert code == 2
    assert 'exists and is not overwritten; choose another --output' in err
    assert target.read_bytes() == b'a policy'


def test_export_into_a_folder_that_is_not_there_is_refused(
    call: Call, run: RunDirectory, tmp_path: Path
) -> None:
    run.policy.write_bytes(b'a policy')
    code, _, err = call('export', str(run.path), '--output', str(tmp_path / 'no' / 'mine.onnx'))
    assert code == 2
    assert 'mine.onnx cannot be written (No such file or directory); choose another' in err


def test_the_policy_of_a_task_is_exported_and_who_asks_for_another_is_told(
    call: Call, run: RunDirectory, tmp_path: Path
) -> None:
    run.policy_of('_left').write_bytes(b'to the left')
    code, _, err = call('export', str(run.path))
    assert code == 2
    assert 'has no policy.onnx, but policy_left.onnx: name the task with --task' in err
    target = tmp_path / 'mine.onnx'
    assert call('export', str(run.path), '--task', 'left', '--output', str(target))[0] == 0
    assert target.read_bytes() == b'to the left'


@pytest.mark.parametrize('command', ['evaluate', 'report', 'export'])
def test_a_folder_that_is_no_run_is_refused(call: Call, tmp_path: Path, command: str) -> None:
    code, _, err = call(command, str(tmp_path))
    assert code == 2
    assert 'is not the folder of a run' in err


@pytest.mark.parametrize(
    ('asked', 'suffix'),
    [(('evaluate',), ''), (('evaluate', '--task', 'left'), '_left'), (('report',), '')],
)
def test_a_policy_that_is_garbage_is_refused(
    call: Call, run: RunDirectory, asked: tuple[str, ...], suffix: str
) -> None:
    values = bringup.parameters(bringup.nodes('sim'), {'tasks': ['forward', 'left']}, None)
    bringup.write_parameters(values, run.parameters)
    run.metrics.write_text('')
    run.policy_of(suffix).write_bytes(b'garbage')
    code, _, err = call(*asked, str(run.path))
    assert code == 2
    assert str(run.policy_of(suffix)) in err
    assert 'it is not ONNX' in err


def test_where_there_is_no_simulator_an_evaluation_is_refused_and_a_report_has_no_film(
    call: Call, run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: Any) -> Any:
        raise ImportError('no pybullet')

    run.policy.write_bytes(b'a policy')
    run.metrics.write_text('')
    monkeypatch.setattr(cli, '_performance', missing)
    code, _, err = call('evaluate', str(run.path))
    assert code == 2
    assert 'the simulator cannot be imported (no pybullet); quad-learner doctor says' in err
    code, out, err = call('report', str(run.path))
    assert 'no film, for the simulator cannot be imported (no pybullet)' in out
    assert 'holds no episode yet' in err


def test_a_finished_run_without_an_episode_has_ended_well_though_it_has_no_report(
    call: Call, run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As every run on hardware, where the true way is not known.
    run.metrics.write_text('')
    run.summary.write_text(json.dumps({'robot_time_s': 600.0}))
    monkeypatch.setattr(learn, 'learn', lambda _: (Ending(0, finished=True), run))
    code, out, err = call('learn')
    assert code == 0
    assert '600.0' in out
    assert 'no report: ' in err
    assert 'holds no episode yet' in err


def test_a_finished_run_whose_summary_could_not_be_written_says_so(
    call: Call, run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learn, 'learn', lambda _: (Ending(0, finished=True), run))
    code, _, err = call('learn', '--no-report')
    assert code == 0
    assert 'there is no summary' in err


def test_a_log_level_that_no_node_knows_is_refused(call: Call, asked: list[LearnOptions]) -> None:
    code, _, err = call('learn', '--log-level', 'loud')
    assert (code, asked) == (2, [])
    assert "'debug', 'info', 'warn', 'error', 'fatal'" in err
    call('learn', '--log-level', 'WARN')
    assert asked[0].log_level == 'warn'


def test_no_episodes_are_refused(call: Call, run: RunDirectory) -> None:
    code, _, err = call('evaluate', str(run.path), '--episodes', '0')
    assert code == 2
    assert '--episodes 0 must be 1 or more' in err


def test_urdf_lists_what_a_robot_file_has_to_name(call: Call) -> None:
    code, out, _ = call('urdf', 'a1/a1.urdf')
    assert code == 0
    assert 'root link trunk, 12.46 kg' in out
    (upper,) = (line for line in out.splitlines() if 'FL_upper_joint' in line)
    for word in ('FL_upper ', '0 1 0', '-1.05 … 4.19'):
        assert word in upper
    assert 'FL_toe' in out


def test_urdf_says_where_it_looked(call: Call) -> None:
    code, _, errors = call('urdf', 'nobody.urdf')
    assert code == cli.USAGE_ERROR
    assert 'no such file at nobody.urdf nor at' in errors
