"""Learns to walk: the whole graph on a robot that runs ros2_control, or on the simulated one.

    ros2 launch quad_learner learn_real.launch.py backend:=sim
    ros2 launch quad_learner learn_real.launch.py backend:=ros2_control params_file:=my_robot.yaml

The table of nodes is that of quad_learner/bringup.py, as for `quad-learner learn`; checks, run
folder and parameter files are the same too. `--show-args` explains the arguments. The exit code is
0 when the run was finished or stopped, 1 when something was wrong.
"""

from __future__ import annotations

import difflib
import os
import shutil
import time
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path

from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    LogInfo,
    OpaqueFunction,
    SetEnvironmentVariable,
)
from launch.events import Shutdown
from launch.events.process import ProcessExited
from launch.launch_description_entity import LaunchDescriptionEntity
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription
from quad_learner.bringup import BACKENDS, NodeSpec
from quad_learner.configuration import ConfigurationError
from quad_learner.exclusive import claim
from quad_learner.learn import (
    LOCKSTEP_FACTOR,
    LearnOptions,
    Preparation,
    lengths_of,
    node_environment,
    prepare,
    tasks_of,
)
from quad_learner.restarts import Meaning, Restarts

LOG_LEVELS = ('debug', 'info', 'warn', 'error', 'fatal')
ARGUMENTS = {
    'robot': ('', 'a name in config/robots or the path of a robot YAML; empty: a1'),
    'backend': ('sim', f'the body: {" or ".join(BACKENDS)} (hardware)'),
    'params_file': ('', 'ROS parameter file whose values replace those in config/'),
    'run_dir': ('', 'folder of this run, new or empty; empty: runs/<date and time>'),
    'resume': ('', 'folder of a run to go on with, such as runs/latest'),
    'minutes': ('', 'robot time to learn for [min]; empty: 10'),
    'seed': ('', 'of everything random; empty: 0. In lockstep the same seed gives the same run'),
    'tasks': ('', 'what to learn, with commas, such as forward,left; empty: forward'),
    'workspace': ('', 'length and width of the workspace [m], such as 4x3; empty: no bounds'),
    'external_pose': ('false', 'of backend sim: a camera tells external/pose once a second'),
    'real_time_factor': (
        '0',
        'of backend sim. 0: lockstep, as fast as it goes; 1: real time',
    ),
    'namespace': ('', 'of all nodes'),
    'use_sim_time': ('false', 'lockstep alone: stamps of diagnostics follow /clock'),
    'log_level': ('info', f'of all nodes: {", ".join(LOG_LEVELS)}'),
    'record': ('false', 'also record every topic with ros2 bag, into the folder of the run'),
}
"""Default and meaning of each launch argument."""

ALIKE = 0.8
"""share of letters from which a wrong argument name is taken for a misspelt one"""
RESPAWN_DELAY_S = 0.5
"""[s] before a node starts again: long enough for the verdict on its end to come first"""
SIGTERM_S, SIGKILL_S = 8.0, 4.0
"""[s] from SIGINT to SIGTERM and on to SIGKILL: saving a run took less than 4 on a slow machine"""


def generate_launch_description() -> LaunchDescription:
    """Returns the arguments, and the nodes that follow from them."""
    declared = (
        DeclareLaunchArgument(name, default_value=default, description=about)
        for name, (default, about) in ARGUMENTS.items()
    )
    return LaunchDescription([*declared, OpaqueFunction(function=_start)])


def _start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    given = {name: context.launch_configurations[name].strip() for name in ARGUMENTS}
    _refuse_misspelt(context.launch_configurations)
    options = _options(given)
    sim_time = _switch(given, 'use_sim_time')
    lockstep = options.backend == 'sim' and options.real_time_factor == LOCKSTEP_FACTOR
    if sim_time and not lockstep:
        raise ConfigurationError(
            'use_sim_time:=true follows /clock, which exists in lockstep alone: leave it out, or '
            'use backend:=sim real_time_factor:=0'
        )
    record = _switch(given, 'record')
    if record:
        _check_bag()
    environment = node_environment()
    # Held until this process ends: a second graph in this domain and namespace is refused.
    lock = claim('run', environment['ROS_DOMAIN_ID'], options.namespace)
    context.extend_globals({'quad_learner_lock': lock})
    ready = prepare(options)
    new = {key: text for key, text in environment.items() if os.environ.get(key) != text}
    return [
        *(SetEnvironmentVariable(key, text) for key, text in new.items()),
        LogInfo(msg=f'run {ready.run.path}; stop at any time with Ctrl-C'),
        *_nodes(ready, options, sim_time),
        *([_bag(ready)] if record else []),
    ]


def _refuse_misspelt(given: Iterable[str]) -> None:
    """Raises ConfigurationError for a name like one of ours; others may be a parent file's."""
    for name in given:
        close = difflib.get_close_matches(name, ARGUMENTS, n=1, cutoff=ALIKE)
        if name not in ARGUMENTS and close:
            raise ConfigurationError(f'unknown argument {name}:=; did you mean {close[0]}:=?')


def _options(given: dict[str, str]) -> LearnOptions:
    if given['resume'] and given['run_dir']:
        raise ConfigurationError('resume:= goes on in the folder of that run: leave out run_dir:=')
    factor = _number(given, 'real_time_factor', float)
    if factor not in (0.0, 1.0):
        raise ConfigurationError(
            f'real_time_factor:={given["real_time_factor"]} must be 0 (lockstep) or 1 (real time)'
        )
    if given['log_level'] not in LOG_LEVELS:
        raise ConfigurationError(
            f'log_level:={given["log_level"]} is not one of {", ".join(LOG_LEVELS)}'
        )
    return LearnOptions(
        robot=given['robot'] or None,
        backend=given['backend'],
        minutes=_number(given, 'minutes', float),
        seed=_number(given, 'seed', int),
        tasks=tasks_of(given['tasks']) if given['tasks'] else None,
        workspace_m=lengths_of(given['workspace']) if given['workspace'] else None,
        external_pose=_switch(given, 'external_pose'),
        resume=_path(given['resume']),
        run_directory=_path(given['run_dir']),
        params_file=_path(given['params_file']),
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


def _switch(given: dict[str, str], name: str) -> bool:
    if given[name].lower() not in ('true', 'false'):
        raise ConfigurationError(f'{name}:={given[name]} must be true or false')
    return given[name].lower() == 'true'


def _path(text: str) -> Path | None:
    return Path(text).expanduser() if text else None


def _nodes(ready: Preparation, options: LearnOptions, sim_time: bool) -> list[Node]:
    restarts = Restarts()
    return [
        Node(
            package='quad_learner',
            executable=spec.executable,
            name=spec.name,
            exec_name=spec.name,  # otherwise the prefix gives each process its name
            namespace=options.namespace,
            parameters=[str(ready.files[spec.name]), {'use_sim_time': sim_time}],
            ros_arguments=['--log-level', options.log_level, '--enclave', spec.enclave],
            prefix=_prefix(spec),
            output='screen',
            respawn=spec.respawn,
            respawn_delay=RESPAWN_DELAY_S,
            sigterm_timeout=str(SIGTERM_S),
            sigkill_timeout=str(SIGKILL_S),
            on_exit=_on_exit(spec, restarts, ready),
        )
        for spec in ready.specs
    ]


def _prefix(spec: NodeSpec) -> str:
    """Returns what starts the node: nice, and ending with this process however that ends."""
    words = ['setpriv', '--pdeathsig', 'TERM'] if shutil.which('setpriv') else []
    if spec.niceness:
        words += ['nice', '-n', str(spec.niceness)]
    return ' '.join(words)


def _on_exit(
    spec: NodeSpec, restarts: Restarts, ready: Preparation
) -> Callable[[ProcessExited, LaunchContext], list[LaunchDescriptionEntity]]:
    def react(event: ProcessExited, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        if context.is_shutdown:
            return []
        meaning = restarts.judge(spec, event.returncode, time.monotonic())
        if meaning is Meaning.BROKEN:
            # An exception is the only end that gives `ros2 launch` an exit code other than 0.
            raise RuntimeError(
                f'the {spec.name} node ended with code {event.returncode}; '
                f'the run is kept in {ready.run.path}'
            )
        if meaning is Meaning.AGAIN:
            return [LogInfo(msg=f'the {spec.name} node ended; it is started again')]
        report = f'make the report: ros2 run quad_learner quad-learner report {ready.run.path}'
        return [LogInfo(msg=report), EmitEvent(event=Shutdown(reason='the run is finished'))]

    return react


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
