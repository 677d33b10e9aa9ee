"""Learns to walk: the whole graph on a robot that runs ros2_control, or on the simulated one.

    ros2 launch quad_learner learn_real.launch.py backend:=sim
    ros2 launch quad_learner learn_real.launch.py backend:=ros2_control params_file:=my_robot.yaml

The table of nodes is that of quad_learner/bringup.py, as for `quad-learner learn`; checks, run
folder and parameter files are the same too. `--show-args` explains the arguments. The exit code is
0 when the run was finished or stopped, 1 when something was wrong.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from launch.actions import EmitEvent, ExecuteProcess, LogInfo
from launch.events import Shutdown

from launch import LaunchContext, LaunchDescription
from quad_learner.bringup import BACKENDS
from quad_learner.configuration import ConfigurationError
from quad_learner.experience.run_directory import open_run
from quad_learner.learn import (
    LOCKSTEP_FACTOR,
    LearnOptions,
    Preparation,
    lengths_of,
    prepare,
    tasks_of,
)
from quad_learner.ros import launching

ARGUMENTS = {
    'robot': ('', 'a name in config/robots or the path of a robot YAML; empty: a1'),
    'backend': ('sim', f'the body: {" or ".join(BACKENDS)} (hardware)'),
    'params_file': ('', 'ROS parameter file whose values replace those in config/'),
    'run_dir': ('', 'folder of this run, new or empty; empty: runs/<date and time>'),
    'resume': ('', 'folder of a run to go on with, such as runs/latest'),
    'minutes': ('', 'robot time to learn for [min], in all; empty: 10, or as resumed'),
    'seed': ('', 'of everything random; empty: 0. In lockstep the same seed gives the same run'),
    'tasks': ('', 'what to learn, with commas, such as forward,left; empty: forward'),
    'workspace': ('', 'length and width of the workspace [m], such as 4x3; empty: no bounds'),
    'external_pose': ('false', 'of backend sim: a camera tells external/pose once a second'),
    'real_time_factor': (
        '0',
        'of backend sim. 0: lockstep, as fast as it goes; 1: real time',
    ),
    'use_sim_time': ('false', 'lockstep alone: stamps of diagnostics follow /clock'),
    'record': ('false', 'also record every topic with ros2 bag, into the folder of the run'),
    **launching.OF_ALL_NODES,
}
"""Default and meaning of each launch argument."""


def generate_launch_description() -> LaunchDescription:
    """Returns the arguments, and the nodes that follow from them."""
    return launching.description(ARGUMENTS, _start)


def _start(context: LaunchContext) -> launching.Entities:
    given = launching.given(context, ARGUMENTS)
    options = _options(given)
    sim_time = launching.switch(given, 'use_sim_time')
    lockstep = options.backend == 'sim' and options.real_time_factor == LOCKSTEP_FACTOR
    if sim_time and not lockstep:
        raise ConfigurationError(
            'use_sim_time:=true follows /clock, which exists in lockstep alone: leave it out, or '
            'use backend:=sim real_time_factor:=0'
        )
    record = launching.switch(given, 'record')
    if record:
        _check_bag()
    environment = launching.environment(context, options.namespace)
    if options.resume is not None:
        launching.hold(context, open_run(options.resume))
    ready = prepare(options)
    if options.resume is None:
        launching.hold(context, ready.run)
    run = ready.run.path
    nodes = launching.nodes(
        ready.specs, ready.files, given, run, _report(run), [{'use_sim_time': sim_time}]
    )
    return [
        *environment,
        *(LogInfo(msg=line) for line in ready.told),
        LogInfo(msg=f'run {run}; stop at any time with Ctrl-C'),
        *nodes,
        *([_bag(ready)] if record else []),
    ]


def _report(run: Path) -> launching.Entities:
    said = f'make the report: ros2 run quad_learner quad-learner report {run}'
    return [LogInfo(msg=said), EmitEvent(event=Shutdown(reason='the run is finished'))]


def _options(given: dict[str, str]) -> LearnOptions:
    if given['resume'] and given['run_dir']:
        raise ConfigurationError('resume:= goes on in the folder of that run: leave out run_dir:=')
    factor = _number(given, 'real_time_factor', float)
    if factor not in (0.0, 1.0):
        raise ConfigurationError(
            f'real_time_factor:={given["real_time_factor"]} must be 0 (lockstep) or 1 (real time)'
        )
    return LearnOptions(
        robot=given['robot'] or None,
        backend=given['backend'],
        minutes=_number(given, 'minutes', float),
        seed=_number(given, 'seed', int),
        tasks=tasks_of(given['tasks']) if given['tasks'] else None,
        workspace_m=lengths_of(given['workspace']) if given['workspace'] else None,
        external_pose=launching.switch(given, 'external_pose'),
        resume=launching.path(given['resume']),
        run_directory=launching.path(given['run_dir']),
        params_file=launching.path(given['params_file']),
        real_time_factor=factor,
        namespace=given['namespace'],
        log_level=given['log_level'],
    )


def _number(given: dict[str, str], name: str, kind: Callable[[str], float]) -> float | None:
    if not given[name]:
        return None
    try:
        return kind(given[name])
    except ValueError as error:
        words = 'a whole number' if kind is int else 'a number'
        raise ConfigurationError(f'{name}:={given[name]} must be {words}') from error


def _check_bag() -> None:
    if shutil.which('ros2') is None or find_spec('ros2bag') is None:
        raise ConfigurationError(
            'record:=true needs ros2 bag (apt install ros-jazzy-rosbag2); without it, leave '
            'record:= out: the steps are kept in the experience.mcap of the run all the same'
        )


def _bag(ready: Preparation) -> ExecuteProcess:
    return ExecuteProcess(
        cmd=['ros2', 'bag', 'record', '--all', '--output', str(ready.run.path / 'bag')],
        name='bag',
        output='log',
    )
