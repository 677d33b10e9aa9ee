"""`quad-learner`: learn, evaluate, drive, rehearse, report, export, urdf, doctor, find-get-up."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from quad_learner.bringup import LOG_LEVELS
from quad_learner.configuration import ConfigurationError
from quad_learner.experience.run_directory import RunDirectory, RunDirectoryError, open_run
from quad_learner.get_up_search import word as find_get_up
from quad_learner.showing import show_summary, show_walk
from quad_learner.task.kinds import FORWARD, KINDS, Kind

if TYPE_CHECKING:
    from quad_learner.evaluation import Performance

USAGE_ERROR = 2
"""exit code: what was asked for cannot be; the message says why and what to do"""
INTERRUPTED = 130
"""exit code after Ctrl-C, as shells have it"""
FILM_SEED = 1000
"""of the world in which the report's episode is driven: none that a run learns in by default"""


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line; ends the process with its exit code."""
    options = _parser().parse_args(arguments)
    try:
        sys.exit(options.run(options))
    except (ConfigurationError, RunDirectoryError) as error:
        sys.stderr.write(f'quad-learner: {error}\n')
        sys.exit(USAGE_ERROR)
    except KeyboardInterrupt:
        # A run that has begun has its own end; this is before it, or another command.
        sys.stderr.write('quad-learner: stopped\n')
        sys.exit(0 if options.run is _learn else INTERRUPTED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='quad-learner',
        description='A quadruped learns to walk on the robot itself: unattended, in minutes, '
        'behind a safety layer. Without a robot it learns in simulation, with the same nodes.',
        epilog='Begin with: quad-learner doctor, then: quad-learner learn --minutes 10',
    )
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    _add_learn(commands)
    evaluate = commands.add_parser(
        'evaluate',
        help='drive a learned policy without exploring and score its walk (needs onnxruntime, no '
        'torch)',
    )
    evaluate.add_argument('folder', type=Path, metavar='RUN', help='such as runs/latest')
    evaluate.add_argument('--episodes', type=int, default=5, help='how many (default 5)')
    evaluate.add_argument('--seed', type=int, default=1000, help='of the world (default 1000)')
    evaluate.add_argument('--task', default='forward', choices=tuple(KINDS), help='which policy')
    evaluate.set_defaults(run=_evaluate)
    _add_drive(commands)
    rehearse = commands.add_parser(
        'rehearse',
        help='let the policies of a run walk in simulation, as driving a robot with them needs '
        '(no torch)',
        description='Drives each policy for some seconds in simulation and keeps the verdict '
        'beside it, for this file and these parameters: quad-learner drive on a robot goes by '
        'it. Ends with 1 where one fell or was stopped.',
    )
    rehearse.add_argument('folder', type=Path, metavar='RUN', help='such as runs/latest')
    rehearse.set_defaults(run=_rehearse)
    report = commands.add_parser('report', help='make report.html and gait.gif of a run anew')
    report.add_argument('folder', type=Path, metavar='RUN', help='such as runs/latest')
    report.set_defaults(run=_report)
    _add_export(commands)
    listing = commands.add_parser(
        'urdf', help='list what a robot file has to name: joints, their axes and places, feet'
    )
    listing.add_argument('file', help='path of a URDF, or its name in pybullet_data')
    listing.set_defaults(run=_urdf)
    doctor = commands.add_parser(
        'doctor',
        help='say what is missing on this machine and how to get it; with --robot, what does not '
        'fit in a robot file',
    )
    doctor.add_argument('--robot', help='name in config/robots or path of a YAML to try out')
    doctor.add_argument('--runs', type=Path, default=Path('runs'), help='folder of the runs')
    doctor.set_defaults(run=_doctor)
    find_get_up.add(commands)
    return parser


def _add_export(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    export = commands.add_parser('export', help='copy the policy of a run as one ONNX file')
    export.add_argument('folder', type=Path, metavar='RUN', help='such as runs/latest')
    export.add_argument('--output', type=Path, default=Path('policy.onnx'), help='where to')
    export.add_argument('--task', default='forward', choices=tuple(KINDS), help='which policy')
    export.set_defaults(run=_export)


def _add_drive(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    drive = commands.add_parser(
        'drive',
        help='let keys, joy or cmd_vel steer what a run has learned (onnxruntime, no torch)',
        description='Starts the robot and what keeps it safe, and listens to joy '
        '(sensor_msgs/Joy, with its button held) and cmd_vel (geometry_msgs/Twist), with '
        '--keyboard to this terminal too. Nothing is learned. Stop with Ctrl-C.',
    )
    drive.add_argument('folder', type=Path, metavar='RUN', help='such as runs/latest')
    drive.add_argument('--keyboard', action='store_true', help='the keys of this terminal steer')
    drive.add_argument('--backend', default='sim', help='sim (default) or ros2_control (hardware)')
    drive.add_argument(
        '--unrehearsed',
        action='store_true',
        help='on a robot: drive though a policy fell in simulation, or never walked there',
    )
    drive.add_argument('--params-file', type=Path, help='ROS parameter file that replaces values')
    drive.add_argument(
        '--real-time-factor',
        type=float,
        default=1.0,
        choices=(0.0, 1.0),
        help='1 (default): real time; 0: lockstep, simulation alone',
    )
    drive.add_argument('--namespace', default='', help='of all nodes')
    drive.add_argument(
        '--log-level', type=str.lower, default='info', choices=LOG_LEVELS, help='of all nodes'
    )
    drive.set_defaults(run=_drive)


def _add_learn(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    learn = commands.add_parser(
        'learn',
        help='start the graph and learn to walk from scratch, or go on with a run',
        description='Starts every node, learns for --minutes of robot time, then writes '
        'summary.json, report.html, gait.gif and policy.onnx into the run folder.',
    )
    learn.add_argument(
        '--minutes',
        type=float,
        help='robot time to learn for in all, with --resume what the run has had included '
        '(default 10, with --resume what the run was given)',
    )
    learn.add_argument('--robot', help='name in config/robots or path of a YAML (default a1)')
    learn.add_argument('--seed', type=int, help='same seed, same run in lockstep (default 0)')
    learn.add_argument(
        '--tasks',
        metavar='NAMES',
        help='what to learn, with commas: forward (default), backward, left, right, velocity',
    )
    learn.add_argument('--workspace', metavar='LxW', help='where to stay [m], such as 4x3')
    learn.add_argument(
        '--external-pose',
        action='store_true',
        help='simulated robot: a camera tells external/pose once a second, as the drift of an '
        'hour needs; on hardware whoever publishes it is heard at any rate',
    )
    learn.add_argument('--backend', default='sim', help='sim (default) or ros2_control (hardware)')
    learn.add_argument('--resume', type=Path, metavar='RUN', help='go on with this run')
    learn.add_argument('--runs', type=Path, default=Path('runs'), help='folder for runs')
    learn.add_argument('--run-dir', type=Path, help='folder of this run (default runs/<time>)')
    learn.add_argument('--params-file', type=Path, help='ROS parameter file that replaces values')
    learn.add_argument(
        '--real-time-factor',
        type=float,
        default=0.0,
        choices=(0.0, 1.0),
        help='0 (default): lockstep, as fast as the machine allows; 1: real time, as on hardware',
    )
    learn.add_argument('--namespace', default='', help='of all nodes')
    learn.add_argument(
        '--log-level', type=str.lower, default='info', choices=LOG_LEVELS, help='of all nodes'
    )
    learn.add_argument(
        '--no-report', action='store_true', help='do not film, score and report at the end'
    )
    learn.set_defaults(run=_learn)


def _learn(options: argparse.Namespace) -> int:
    from quad_learner.learn import LearnOptions, learn, lengths_of, tasks_of

    if options.resume is not None and options.run_dir is not None:
        raise ConfigurationError('--resume goes on in the folder of that run: leave out --run-dir')
    ending, run = learn(
        LearnOptions(
            robot=options.robot,
            backend=options.backend,
            minutes=options.minutes,
            seed=options.seed,
            tasks=None if options.tasks is None else tasks_of(options.tasks),
            workspace_m=None if options.workspace is None else lengths_of(options.workspace),
            external_pose=options.external_pose,
            resume=options.resume,
            runs=options.runs,
            run_directory=options.run_dir,
            params_file=options.params_file,
            real_time_factor=options.real_time_factor,
            namespace=options.namespace,
            log_level=options.log_level,
        )
    )
    if ending.finished and not options.no_report:
        _try_to_report(run)
    if ending.finished and (waits_for := show_summary(run).get('waits_for')):
        sys.stderr.write(f'quad_learner: the time is over, and the robot waits for {waits_for}\n')
        return 1
    return ending.exit


def _try_to_report(run: RunDirectory) -> None:
    """Makes the report of a run that has ended: it is good without one, too."""
    try:
        _write_report(run)
    except KeyboardInterrupt:
        sys.stdout.write(f'no report; make it with: quad-learner report {run.path}\n')
    except (ConfigurationError, RunDirectoryError, OSError) as error:
        sys.stderr.write(f'quad-learner: no report: {error}\n')


def _write_report(run: RunDirectory) -> None:
    from quad_learner.experience.report import write_report

    run.require_metrics()
    if run.policy.is_file():
        _film(run)
    sys.stdout.write(f'report: {write_report(run)}\n')


def _film(run: RunDirectory) -> None:
    """Films the gait, where there is a simulator to drive the policy in."""
    try:
        from quad_learner.scorecard import write_scorecard
        from quad_learner.simulation.gait_picture import film

        performance, _ = _performance(run, FILM_SEED)
    except ImportError as error:
        sys.stdout.write(f'no film, for the simulator cannot be imported ({error})\n')
        return
    score = film(performance, run.gait)
    performance.close()
    if score is not None:
        write_scorecard(run, [score], FILM_SEED, performance.four_legs)


def _performance(run: RunDirectory, seed: int, kind: Kind = FORWARD) -> tuple[Performance, Path]:
    """Returns a robot in its world with a policy in the driver's seat, and the policy's file."""
    from quad_learner.evaluation import Performance, configs_of_run
    from quad_learner.policy.onnx_policy import OnnxPolicy, PolicyError

    run.require_any_policy()
    configs = configs_of_run(run, seed=seed, workspace_m=[0.0, 0.0])
    policy = run.require_policy(configs.task.taught_by().get(kind, kind).suffix)
    performance = Performance(configs, kind=kind)
    try:
        performance.connect(OnnxPolicy(policy.read_bytes()))
    except PolicyError as error:
        raise ConfigurationError(f'{policy}: {error}') from error
    return performance, policy


def _evaluate(options: argparse.Namespace) -> int:
    run = open_run(options.folder)
    if options.episodes < 1:
        raise ConfigurationError(f'--episodes {options.episodes} must be 1 or more')
    try:
        performance, policy = _performance(run, options.seed, KINDS[options.task])
    except ImportError as error:
        raise ConfigurationError(
            f'a policy is evaluated in simulation, and the simulator cannot be imported ({error});'
            ' quad-learner doctor says what to install'
        ) from error
    from quad_learner.scorecard import means, write_scorecard

    columns = ('episode', 'speed [m/s]', 'return', 'steps', 'fell', 'tumbled before')
    table = Table(*columns, title=str(policy))
    scores = []
    for number in range(1, options.episodes + 1):
        score = performance.episode()
        if score is None:
            sys.stderr.write('the robot did not get up: evaluation ends\n')
            break
        scores.append(score)
        table.add_row(
            str(number),
            f'{score.speed:.3f}',
            f'{score.total_reward:.1f}',
            str(score.steps),
            'yes' if score.fell else 'no',
            'yes' if score.tumbled else 'no',
        )
    performance.close()
    if not scores:
        return 1
    table.add_section()
    table.add_row(*means(scores))
    Console().print(table)
    show_walk(run, write_scorecard(run, scores, options.seed, performance.four_legs, policy))
    return 0


def _drive(options: argparse.Namespace) -> int:
    from quad_learner.driving import DriveOptions, drive

    by = 'the keys below, ' if options.keyboard else ''
    sys.stdout.write(f'drive with {by}joy or cmd_vel; stop with Ctrl-C\n')
    sys.stdout.flush()
    return drive(
        DriveOptions(
            run=options.folder,
            backend=options.backend,
            lockstep=options.real_time_factor == 0.0,
            keyboard=options.keyboard,
            unrehearsed=options.unrehearsed,
            params_file=options.params_file,
            namespace=options.namespace,
            log_level=options.log_level,
        )
    )


def _rehearse(options: argparse.Namespace) -> int:
    from quad_learner.rehearsal import verdicts, words

    run = open_run(options.folder)
    run.require_any_policy()
    passed = True
    for kind, verdict in verdicts(run):
        sys.stdout.write(words(kind, verdict) + '\n')
        passed = passed and verdict is not None and not verdict.objection
    return 0 if passed else 1


def _report(options: argparse.Namespace) -> int:
    run = open_run(options.folder)
    run.require_metrics()
    _write_report(run)
    return 0


def _export(options: argparse.Namespace) -> int:
    source = open_run(options.folder).require_policy(KINDS[options.task].suffix)
    if options.output.exists():
        raise ConfigurationError(
            f'{options.output} exists and is not overwritten; choose another --output'
        )
    try:
        shutil.copyfile(source, options.output)
    except OSError as error:
        raise ConfigurationError(
            f'{options.output} cannot be written ({error.strerror}); choose another --output'
        ) from error
    sys.stdout.write(f'{options.output}\n')
    return 0


def _urdf(options: argparse.Namespace) -> int:
    from quad_learner.urdf_listing import WIDTH, listing

    table, console = listing(options.file), Console()
    Console(width=max(WIDTH, console.width)).print(table)
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from quad_learner.doctor import examine, fit

    findings = examine(os.environ, options.runs)
    if options.robot is not None:
        from quad_learner import robot_check

        findings += robot_check.examine(options.robot)
    table = Table('', title='quad-learner doctor')
    for column in ('what', 'found', 'way out'):
        table.add_column(column, overflow='fold')  # a path that is cut leads nowhere
    for finding in findings:
        mark = '[green]ok' if finding.ok else '[red]no' if finding.needed else '[yellow]–'
        table.add_row(mark, finding.name, finding.what, finding.way_out)
    Console().print(table)
    return 0 if fit(findings) else 1


if __name__ == '__main__':
    main()
