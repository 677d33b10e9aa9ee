"""What the launch files share: their arguments, the nodes of a table, what follows when one ends.

Nothing but the launch files imports this: it needs ROS 2's `launch` and `launch_ros`.
"""

from __future__ import annotations

import difflib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction, SetEnvironmentVariable
from launch.events.process import ProcessExited
from launch.launch_description_entity import LaunchDescriptionEntity
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription
from quad_learner.bringup import LOG_LEVELS, NodeSpec
from quad_learner.configuration import ConfigurationError
from quad_learner.exclusive import claim, claim_run
from quad_learner.experience.run_directory import RunDirectory
from quad_learner.learn import node_environment
from quad_learner.restarts import Meaning, Restarts

Arguments = Mapping[str, tuple[str, str]]
"""default and meaning of each launch argument"""
Entities = list[LaunchDescriptionEntity]

OF_ALL_NODES: Arguments = {
    'namespace': ('', 'of all nodes'),
    'log_level': ('info', f'of all nodes: {", ".join(LOG_LEVELS)}'),
}
"""arguments that each launch file has"""
ALIKE = 0.8
"""share of letters from which a wrong argument name is taken for a misspelt one"""
RESPAWN_DELAY_S = 0.5
"""[s] before a node starts again: long enough for the verdict on its end to come first"""
SIGTERM_S, SIGKILL_S = 8.0, 4.0
"""[s] from SIGINT to SIGTERM and on to SIGKILL: saving a run took less than 4 on a slow machine"""


def description(
    arguments: Arguments, start: Callable[[LaunchContext], Entities]
) -> LaunchDescription:
    """Returns the arguments, and what `start` makes of them when they are known."""
    declared = (
        DeclareLaunchArgument(name, default_value=default, description=about)
        for name, (default, about) in arguments.items()
    )
    return LaunchDescription([*declared, OpaqueFunction(function=start)])


def given(context: LaunchContext, arguments: Arguments) -> dict[str, str]:
    """Returns what the user gave for each argument.

    Raises:
        ConfigurationError: a name is like one of ours (others may be a parent file's), or the
            nodes know no such log level.
    """
    for name in context.launch_configurations:
        close = difflib.get_close_matches(name, arguments, n=1, cutoff=ALIKE)
        if name not in arguments and close:
            raise ConfigurationError(f'unknown argument {name}:=; did you mean {close[0]}:=?')
    values = {name: context.launch_configurations[name].strip() for name in arguments}
    if values['log_level'] not in LOG_LEVELS:
        raise ConfigurationError(
            f'log_level:={values["log_level"]} is not one of {", ".join(LOG_LEVELS)}'
        )
    return values


def switch(values: Mapping[str, str], name: str) -> bool:
    """Returns an argument that is true or false.

    Raises:
        ConfigurationError: it is neither.
    """
    if values[name].lower() not in ('true', 'false'):
        raise ConfigurationError(f'{name}:={values[name]} must be true or false')
    return values[name].lower() == 'true'


def path(text: str) -> Path | None:
    """Returns the path that was given, None for none."""
    return Path(text).expanduser() if text else None


def environment(context: LaunchContext, namespace: str) -> Entities:
    """Returns what sets the nodes' environment, and holds the lock of this domain and namespace.

    Raises:
        ConfigurationError: another graph runs there.
    """
    wanted = node_environment()
    # Held until this process ends: a second graph in this domain and namespace is refused.
    lock = claim('run', wanted['ROS_DOMAIN_ID'], namespace)
    context.extend_globals({'quad_learner_lock': lock})
    changed = {key: text for key, text in wanted.items() if os.environ.get(key) != text}
    return [SetEnvironmentVariable(key, text) for key, text in changed.items()]


def hold(context: LaunchContext, run: RunDirectory) -> None:
    """Holds the lock of a run's folder until this process ends.

    Raises:
        ConfigurationError: another graph writes there.
    """
    context.extend_globals({'quad_learner_run': claim_run(run.path, run.versions)})


def nodes(
    specs: Iterable[NodeSpec],
    files: Mapping[str, Path],
    values: Mapping[str, str],
    kept: Path,
    finished: Sequence[LaunchDescriptionEntity] = (),
    parameters: Sequence[Mapping[str, Any]] = (),
) -> list[Node]:
    """Returns the nodes of a table.

    Args:
        specs: the table.
        files: the parameter file of each.
        values: of the arguments of all nodes.
        kept: where the run is kept, for who reads that something went wrong.
        finished: what follows when the one that ends the run has done its work.
        parameters: of all, besides.
    """
    restarts = Restarts()
    return [
        Node(
            package='quad_learner',
            executable=spec.executable,
            name=spec.name,
            exec_name=spec.name,  # otherwise the prefix gives each process its name
            namespace=values['namespace'],
            parameters=[str(files[spec.name]), *parameters],
            ros_arguments=['--log-level', values['log_level'], '--enclave', spec.enclave],
            prefix=_prefix(spec),
            output='both',  # the control processes keep no file of their own
            respawn=spec.respawn,
            respawn_delay=RESPAWN_DELAY_S,
            sigterm_timeout=str(SIGTERM_S),
            sigkill_timeout=str(SIGKILL_S),
            on_exit=_on_exit(spec, restarts, kept, finished),
        )
        for spec in specs
    ]


def _prefix(spec: NodeSpec) -> str:
    """Returns what starts the node: nice, and ending with this process however that ends."""
    words = ['setpriv', '--pdeathsig', 'TERM'] if shutil.which('setpriv') else []
    if spec.niceness:
        words += ['nice', '-n', str(spec.niceness)]
    return ' '.join(words)


def _on_exit(
    spec: NodeSpec, restarts: Restarts, kept: Path, finished: Sequence[LaunchDescriptionEntity]
) -> Callable[[ProcessExited, LaunchContext], Entities]:
    def react(event: ProcessExited, context: LaunchContext) -> Entities:
        """Starts the process again, ends the run, or lets it go on without."""
        if context.is_shutdown:
            return []
        meaning = restarts.judge(spec, event.returncode, time.monotonic())
        if meaning is Meaning.BROKEN:
            # An exception is the only end that gives `ros2 launch` an exit code other than 0.
            raise RuntimeError(
                f'the {spec.name} node ended with code {event.returncode}; '
                f'the run is kept in {kept}'
            )
        if meaning is Meaning.AGAIN:
            return [LogInfo(msg=f'the {spec.name} node ended; it is started again')]
        return list(finished)

    return react
