"""Drives what a run has learned: joy and cmd_vel steer the policies, without torch.

    ros2 launch quad_learner drive.launch.py run:=runs/latest
    ros2 launch quad_learner drive.launch.py run:=runs/latest backend:=ros2_control joy:=true

The table of nodes is that of quad_learner/bringup.py, as for `quad-learner drive`. The exit code
is 0 when it was stopped, 1 when something was wrong.
"""

from __future__ import annotations

from pathlib import Path

from launch.actions import LogInfo
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription
from quad_learner.bringup import BACKENDS
from quad_learner.driving import DriveOptions, prepare
from quad_learner.ros import launching

ARGUMENTS = {
    'run': ('runs/latest', 'folder of the run whose policies are driven'),
    'backend': ('sim', f'the body: {" or ".join(BACKENDS)} (hardware)'),
    'unrehearsed': ('false', 'on a robot: drive though a policy has not walked in simulation'),
    'params_file': ('', 'ROS parameter file whose values replace those of the run'),
    'joy': ('false', 'also start joy_node (package joy), which publishes a game controller'),
    **launching.OF_ALL_NODES,
}
"""Default and meaning of each launch argument."""


def generate_launch_description() -> LaunchDescription:
    """Returns the arguments, and the nodes that follow from them."""
    return launching.description(ARGUMENTS, _start)


def _start(context: LaunchContext) -> launching.Entities:
    given = launching.given(context, ARGUMENTS)
    joy = launching.switch(given, 'joy')
    unrehearsed = launching.switch(given, 'unrehearsed')
    environment = launching.environment(context, given['namespace'])
    ready = prepare(
        DriveOptions(
            run=Path(given['run']).expanduser(),
            backend=given['backend'],
            unrehearsed=unrehearsed,
            params_file=launching.path(given['params_file']),
        )
    )
    return [
        *environment,
        *(LogInfo(msg=line) for line in ready.told),
        LogInfo(msg=f'drives {ready.run.path}; stop with Ctrl-C'),
        *launching.nodes(ready.specs, ready.files, given, ready.run.path),
        *([_controller(given['namespace'])] if joy else []),
    ]


def _controller(namespace: str) -> Node:
    return Node(package='joy', executable='joy_node', namespace=namespace)
