"""A learning run from start to end on a machine that has only pip: `quad-learner learn`."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from quad_learner import bringup
from quad_learner.configuration import ConfigurationError, read_values
from quad_learner.exclusive import claim, claim_run
from quad_learner.experience.durable import write_atomically
from quad_learner.experience.metrics_table import read_rows
from quad_learner.experience.run_directory import (
    RunDirectory,
    RunDirectoryError,
    create,
    create_at,
    open_run,
)
from quad_learner.experience.versions import installed_versions
from quad_learner.flow import by_network
from quad_learner.precedence import may_run_first
from quad_learner.rehearsal import admit
from quad_learner.robot.model import load
from quad_learner.robot.names import file_of, is_path
from quad_learner.supervisor import Interrupt, Supervisor, say
from quad_learner.task.kinds import KINDS

LOCKSTEP_FACTOR = 0.0
"""real-time factor that means: as fast as the machine allows"""
WORTH_S = 1.0
"""[s] of robot time that no episode can begin in: a run ends so much sooner, to halt first"""
EXTERNAL_POSE_HZ = 1.0
"""[Hz] of the simulated camera: in a second the estimate drifts by less than the camera errs"""


def tasks_of(text: str) -> tuple[str, ...]:
    """Returns the tasks in `text`, such as 'forward,backward'.

    Raises:
        ConfigurationError: one is unknown, or named twice.
    """
    names = tuple(text.split(','))
    if not set(names) <= set(KINDS) or len(set(names)) != len(names):
        raise ConfigurationError(f'tasks {text!r} must be some of {", ".join(KINDS)}, each once')
    return names


def lengths_of(text: str) -> tuple[float, float]:
    """Returns length and width [m] in `text`, such as '4x3'.

    Raises:
        ConfigurationError: it is anything else.
    """
    try:
        length, width = (float(size) for size in text.split('x'))
    except ValueError:
        length = width = math.nan
    if not (0.0 < length < math.inf and 0.0 < width < math.inf):
        raise ConfigurationError(f'workspace {text!r} must be like 4x3: length x width [m]')
    return length, width


@dataclass(frozen=True)
class LearnOptions:
    """What the command line asked for; None keeps what the run or the package says."""

    robot: str | None = None
    backend: str = 'sim'
    minutes: float | None = None
    """robot time in all [min], what a resumed run has had included"""
    seed: int | None = None
    tasks: tuple[str, ...] | None = None
    workspace_m: tuple[float, float] | None = None
    external_pose: bool = False
    """a camera tells where the simulated robot is"""
    resume: Path | None = None
    runs: Path = Path('runs')
    run_directory: Path | None = None
    params_file: Path | None = None
    real_time_factor: float = LOCKSTEP_FACTOR
    namespace: str = ''
    log_level: str = 'info'


@dataclass(frozen=True)
class Ending:
    """How a run ended."""

    exit: int
    """exit code for the terminal"""
    finished: bool
    """the robot's time was used up, rather than the run stopped or broken"""


@dataclass(frozen=True)
class Preparation:
    """All that is there before the first process of a run starts."""

    run: RunDirectory
    specs: tuple[bringup.NodeSpec, ...]
    files: Mapping[str, Path]
    """parameter file of each node, by its name"""
    told: tuple[str, ...] = ()
    """what the simulation said of the policies that a run on a robot goes on with"""
    before: Mapping[Path, bytes] = field(default_factory=dict)
    """parameter files that a run which goes on had until then"""


def learn(options: LearnOptions) -> tuple[Ending, RunDirectory]:
    """Runs the graph until the robot's time is over or Ctrl-C; returns how it ended, and where.

    Raises:
        ConfigurationError: something asked for cannot be.
        RunDirectoryError: the run's folder cannot be made or resumed.
    """
    environment = node_environment()
    with claim('run', environment['ROS_DOMAIN_ID'], options.namespace):
        if options.resume is None:
            ready = prepare(options)
            with claim_run(ready.run.path, ready.run.versions):
                return _supervise(ready, environment, options), ready.run
        run = open_run(options.resume)
        with claim_run(run.path, run.versions):
            ready = prepare(options)
            with _unless_refused(ready):
                return _supervise(ready, environment, options), run


def prepare(options: LearnOptions) -> Preparation:
    """Checks everything that was asked for, then makes the run's folder and parameter files.

    Raises:
        ConfigurationError: something asked for cannot be.
        RunDirectoryError: the run's folder cannot be made or resumed.
    """
    _check_middleware()
    bringup.check_namespace(options.namespace)
    specs = bringup.nodes(options.backend)
    shared = _shared(options)
    # A run goes on as it began, also when the package's own values have changed since.
    began = None if options.resume is None else open_run(options.resume)
    if began is not None:
        _check_backend(began, options)
    earlier = None if began is None else began.parameters
    values = bringup.parameters(
        specs, shared, options.params_file, earlier, may_run_first=may_run_first
    )
    for merged in values.values():
        merged['robot'] = _from_anywhere(str(merged['robot']))
    _check(values)
    if began is not None:
        _check_it_goes_on(began, values)
    run = began or _run_directory(options)
    for merged in values.values():
        merged['run_directory'] = str(run.path)
    before = {path: path.read_bytes() for path in run.parameters.rglob('*.yaml')}
    files = bringup.write_parameters(values, run.parameters)
    _keep_robot(run, str(values['robot']['robot']))
    # They learned on this robot and go on learning, in a trial first: it is said, not refused.
    goes_on = options.resume is not None and options.backend != 'sim'
    return Preparation(run, specs, files, admit(run, although=True) if goes_on else (), before)


@contextmanager
def _unless_refused(ready: Preparation) -> Iterator[None]:
    """Gives a run back its parameters where nothing was learned with those that it was given.

    Otherwise it would not go on with its own either, after some that its learner refuses.
    """
    run = ready.run
    began = _segments(run)
    try:
        yield
    finally:
        if _segments(run) == began:
            for path in set(run.parameters.rglob('*.yaml')) - set(ready.before):
                path.unlink()
            for path, content in ready.before.items():
                write_atomically(path, content)


def _segments(run: RunDirectory) -> set[Path]:
    """Returns the files of the log of steps: a learner that takes up its work begins another."""
    return set(run.path.glob(f'{run.experience.stem}*{run.experience.suffix}'))


def _supervise(
    ready: Preparation, environment: Mapping[str, str], options: LearnOptions
) -> Ending:
    run = ready.run
    run.logs.mkdir(exist_ok=True)
    for line in ready.told:
        say(line)
    say(f'run {run.path}; stop at any time with Ctrl-C, go on with --resume')
    supervisor = Supervisor(environment, run.logs)
    interrupted = Interrupt()
    reason: str | None = None
    try:
        for spec in ready.specs:
            arguments = [
                '--params-file',
                str(ready.files[spec.name]),
                '--log-level',
                options.log_level,
            ]
            if options.namespace:
                arguments += ['-r', f'__ns:=/{options.namespace.strip("/")}']
            supervisor.start(spec, arguments, show=spec.name == 'monitor')
        (run.logs / 'processes.json').write_text(json.dumps(supervisor.pids()))
        while reason is None and not interrupted:
            reason = supervisor.watch()
    finally:
        killed = supervisor.stop()
        interrupted.release()
    if killed:
        say(f'had to be killed: {", ".join(killed)}')
    if interrupted:
        say(f'stopped; the run is saved. Go on with: quad-learner learn --resume {run.path}')
        return Ending(0, finished=False)
    if reason:
        sys.stderr.write(f'quad_learner: {reason}\nThe run is kept in {run.path}.\n')
        return Ending(1, finished=False)
    return Ending(0, finished=True)


def _shared(options: LearnOptions) -> dict[str, Any]:
    """Returns the shared parameters that this run sets."""
    shared: dict[str, Any] = {}
    if options.resume is not None:
        shared |= _from_run(open_run(options.resume))
    if options.robot is not None:
        shared['robot'] = options.robot
    if options.seed is not None:
        shared['seed'] = options.seed
    if options.tasks is not None:
        shared['tasks'] = list(options.tasks)
    if options.workspace_m is not None:
        shared['workspace_m'] = list(options.workspace_m)
    if options.external_pose:
        shared['external_pose_hz'] = EXTERNAL_POSE_HZ
    if options.minutes is not None:
        shared['minutes'] = float(options.minutes)
    lockstep = options.backend == 'sim' and options.real_time_factor == LOCKSTEP_FACTOR
    shared['gear'] = 'lockstep' if lockstep else 'real_time'
    return shared


def _from_anywhere(robot: str) -> str:
    """Returns the name of a robot, or the path of its file as it is found from any folder."""
    return str(Path(robot).absolute()) if is_path(robot) else robot


def _check_backend(run: RunDirectory, options: LearnOptions) -> None:
    had = bringup.backend_of(run.parameters)
    if options.backend != had:
        raise ConfigurationError(
            f'{run.path} is learned with the backend {had}, not {options.backend}: go on with '
            f'--backend {had} (backend:={had}), or start a new run'
        )


def _check_it_goes_on(run: RunDirectory, values: Mapping[str, Mapping[str, Any]]) -> None:
    """Finds before anything moves that a run would go on without a task, or with another robot."""
    kept, now = read_values(run.parameters / 'learner.yaml'), values['learner']
    if now['elapsed_s'] + WORTH_S >= now['minutes'] * 60.0:
        raise ConfigurationError(
            f'{run.path} has had {now["elapsed_s"] / 60.0:.3g} of its {now["minutes"]:g} minutes '
            'of robot time; give more than that with --minutes (minutes:=)'
        )
    tasks = list(kept.get('tasks', ()))
    if not set(tasks) <= set(now['tasks']):
        raise ConfigurationError(
            f'{run.path} learns {",".join(tasks)} and cannot go on with '
            f'{",".join(now["tasks"])} alone; name all of them, or start a new run'
        )
    try:
        had = load(str(kept['robot']))
    except ConfigurationError:  # its file has gone: the learner compares with the checkpoint
        return
    has = load(str(now['robot']))
    if (had.name, had.joints) != (has.name, has.joints):
        raise ConfigurationError(
            f'{run.path} is learned on {had.name} and cannot go on with the robot {has.name}, or '
            f'other joints; leave out the robot, or start a new run'
        )


def _from_run(run: RunDirectory) -> dict[str, Any]:
    run.require_checkpoint()
    kept = read_values(run.parameters / 'learner.yaml')
    shared = {name: kept[name] for name in ('robot', 'seed', 'minutes')}
    return {**shared, 'elapsed_s': _robot_time_s(run)}


def _robot_time_s(run: RunDirectory) -> float:
    """Returns the robot time of `run` so far [s]; one that was killed has no fresh summary.

    Raises:
        RunDirectoryError: summary or metrics are not what a run writes.
    """
    ends = [0.0]
    if run.summary.is_file():
        try:
            ends.append(float(json.loads(run.summary.read_text())['robot_time_s']))
        except (ValueError, KeyError, TypeError) as error:
            raise RunDirectoryError(
                f'{run.summary} does not hold the figures of a run ({error!r}); remove it to go '
                'on after the last episode in metrics.csv'
            ) from error
    if run.metrics.is_file():
        try:
            ends += [row.episode.end_s for row in read_rows(run.metrics)]
        except ValueError as error:
            raise RunDirectoryError(str(error)) from error
    return max(ends)


def _check(values: Mapping[str, Mapping[str, Any]]) -> None:
    """Finds a wrong parameter, and a robot file that does not fit, before anything is started."""
    from quad_learner.parameter_check import check_all
    from quad_learner.reset.motion import motion
    from quad_learner.robot.kinematics import LegKinematics
    from quad_learner.task.action import oscillator_of
    from quad_learner.task.symmetry import joint_mirror

    check_all(values)
    robot = load(str(values['robot']['robot']))
    for read in (LegKinematics, motion, joint_mirror, oscillator_of):
        read(robot)


def _run_directory(options: LearnOptions) -> RunDirectory:
    versions = installed_versions()
    if options.run_directory is not None:
        return create_at(options.run_directory.absolute(), versions)
    stamp = datetime.now().strftime('%Y-%m-%d_%H-%M-%S')
    return create(options.runs.absolute(), stamp, versions)


def _keep_robot(run: RunDirectory, robot: str) -> None:
    path = file_of(robot)
    folder = run.parameters / 'robots'
    try:
        folder.mkdir(exist_ok=True)
        write_atomically(folder / path.name, path.read_bytes())
    except OSError as error:
        raise RunDirectoryError(
            f'{folder / path.name} cannot be written ({error.strerror}); make room, or make the '
            'folder writable'
        ) from error


def _check_middleware() -> None:
    try:
        os.environ.setdefault('RMW_IMPLEMENTATION', 'rmw_fastrtps_cpp')
        import rclpy  # noqa: F401  (only to learn whether it can be imported)
    except ImportError as error:
        raise ConfigurationError(
            f'rclpy or its middleware {os.environ["RMW_IMPLEMENTATION"]} cannot be imported '
            f'({error}); run quad-learner doctor, it says what to install'
        ) from error


def node_environment(given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Returns the environment of every process of a run: the one `given`, and what it lacks."""
    wanted = {
        'RMW_IMPLEMENTATION': 'rmw_fastrtps_cpp',
        'ROS_DOMAIN_ID': '0',
        # The default reaches the whole network segment; a robot's motors are nobody else's matter.
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'OMP_NUM_THREADS': '1',
        'PYTHONUNBUFFERED': '1',
    }
    # ROS takes a variable that is empty for one that is not set; so must who locks a domain.
    environment = {**given, **{name: given.get(name) or wanted[name] for name in wanted}}
    return environment | by_network(environment)
