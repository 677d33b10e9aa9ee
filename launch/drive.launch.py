"""Drives what a run has learned: joy and cmd_vel steer the policies, without torch.

    ros2 launch quad_learner drive.launch.py run:=runs/latest
    ros2 launch quad_learner drive.launch.py run:=runs/latest backend:=ros2_control joy:=true

The table of nodes is that of quad_learner/bringup.py, as for `quad-learner drive`. The exit code
is 0 when it was stopped, 1 when something was wrong.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction, SetEnvironmentVariable
from launch.events.process import ProcessExited
from launch.launch_description_entity import LaunchDescriptionEntity
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription
from quad_learner.bringup import BACKENDS, NodeSpec
from quad_learner.configuration import ConfigurationError
from quad_learner.driving import DriveOptions, prepare
from quad_learner.exclusive import claim
from quad_learner.learn import node_environment
from quad_learner.restarts import Meaning, Restarts

ARGUMENTS = {
    'run': ('runs/latest', 'folder of the run whose policies are driven'),
    'backend': ('sim', f'the body: {" or ".join(BACKENDS)} (hardware)'),
    'params_file': ('', 'ROS parameter file whose values replace those of the run'),
    'namespace': ('', 'of all nodes'),
    'log_level': ('info', 'of all nodes'),
    'joy': ('false', 'also start joy_node (package joy), which publishes a game controller'),
}
"""Default and meaning of each launch argument."""

RESPAWN_DELAY_S = 0.5
"""[s] before a node starts again: long enough for the verdict on its end to come first"""


def generate_launch_description() -> LaunchDescription:
    """Returns the arguments, and the nodes that follow from them."""
    declared = (
        DeclareLaunchArgument(name, default_value=default, description=about)
        for name, (default, about) in ARGUMENTS.items()
    )
    return LaunchDescription([*declared, OpaqueFunction(function=_start)])


def _start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    given = {name: context.launch_configurations[name].strip() for name in ARGUMENTS}
    if given['joy'].lower() not in ('true', 'false'):
        raise ConfigurationError(f'joy:={given["joy"]} must be true or false')
    environment = node_environment()
    # Held until this process ends: a second graph in this domain and namespace is refused.
    lock = claim('run', environment['ROS_DOMAIN_ID'], given['namespace'])
    context.extend_globals({'quad_learner_lock': lock})
    ready = prepare(
        DriveOptions(
            run=Path(given['run']).expanduser(),
            backend=given['backend'],
            params_file=Path(given['params_file']).expanduser() if given['params_file'] else None,
        )
    )
    new = {key: text for key, text in environment.items() if os.environ.get(key) != text}
    restarts = Restarts()
    nodes = [
        Node(
            package='quad_learner',
            executable=spec.executable,
            name=spec.name,
            exec_name=spec.name,
            namespace=given['namespace'],
            parameters=[str(ready.files[spec.name])],
            ros_arguments=['--log-level', given['log_level'], '--enclave', spec.enclave],
            output='screen',
            respawn=spec.respawn,
            respawn_delay=RESPAWN_DELAY_S,
            on_exit=_on_exit(spec, restarts),
        )
        for spec in ready.specs
    ]
    if given['joy'].lower() == 'true':
        nodes.append(Node(package='joy', executable='joy_node', namespace=given['namespace']))
    return [
        *(SetEnvironmentVariable(key, text) for key, text in new.items()),
        LogInfo(msg=f'drives {ready.run.path}; stop with Ctrl-C'),
        *nodes,
    ]


def _on_exit(
    spec: NodeSpec, restarts: Restarts
) -> Callable[[ProcessExited, LaunchContext], list[LaunchDescriptionEntity]]:
    def react(event: ProcessExited, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        if context.is_shutdown:
            return []
        meaning = restarts.judge(spec, event.returncode, time.monotonic())
        if meaning is not Meaning.AGAIN:
            # An exception is the only end that gives `ros2 launch` an exit code other than 0.
            raise RuntimeError(f'the {spec.name} node ended with code {event.returncode}')
        return [LogInfo(msg=f'the {spec.name} node ended; it is started again')]

    return react
