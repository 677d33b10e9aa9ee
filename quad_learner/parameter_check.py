"""Which Config dataclasses each node reads, to find a wrong parameter before anything starts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from quad_learner.configuration import ConfigurationError, build
from quad_learner.task.bounds import why_not_kept
from quad_learner.task.config import TaskConfig

CONFIGS: Mapping[str, tuple[str, ...]] = {
    'robot': (
        'quad_learner.simulation.config:SimulationConfig',
        'quad_learner.safety.config:SafetyConfig',
    ),
    'safety': ('quad_learner.safety.config:SafetyConfig',),
    'estimator': ('quad_learner.estimation.config:EstimatorConfig',),
    'reset': ('quad_learner.reset.config:ResetConfig',),
    'policy': (
        'quad_learner.policy.config:PolicyConfig',
        'quad_learner.task.config:TaskConfig',
        'quad_learner.reset.config:ResetConfig',
    ),
    'keyboard': ('quad_learner.task.config:TaskConfig',),
    'monitor': (
        'quad_learner.experience.config:MonitorConfig',
        'quad_learner.task.config:TaskConfig',
    ),
    'learner': (
        'quad_learner.learning.learner_config:LearnerConfig',
        'quad_learner.task.config:TaskConfig',
    ),
}
SHARED = 'quad_learner.graph:GraphConfig'
"""read by every node"""
DRIVE = 'quad_learner.drive.config:DriveConfig'
"""read by whoever drives learned policies in the policy's seat, and by who steers with keys"""
ROS2_CONTROL = 'quad_learner.robot.ros2_control_config:Ros2ControlConfig'
"""read by the robot node instead of the simulation's on hardware"""
HANDOVER = (
    ('standing_tilt', 'handover_tilt_rad'),
    ('standing_joint_error', 'handover_joint_error_rad'),
)
"""what reset calls standing, and the larger distance at which safety lets a policy begin"""


def check_all(values: Mapping[str, Mapping[str, Any]]) -> None:
    """Checks every parameter of every node.

    Raises:
        ConfigurationError: one is unknown, missing, of a wrong type or out of range, or some do
            not go together.
    """
    hardware = 'joint_states_topic' in values.get('robot', {})
    for node, merged in values.items():
        names = (ROS2_CONTROL,) if node == 'robot' and hardware else CONFIGS[node]
        steered = 'joy_axes' in merged
        check_node(node, merged, (*names, DRIVE) if steered else names)
    if 'reset' in values and 'safety' in values:
        check_handover(values['reset'], values['safety'])
    if 'policy' in values and 'joy_axes' not in values['policy']:  # who drives is kept by nobody
        check_bounds(values['policy'])


def check_bounds(policy: Mapping[str, Any]) -> None:
    """Checks that the tasks can keep the robot within its workspace.

    Args:
        policy: parameters of the policy node.

    Raises:
        ConfigurationError: none of the tasks leads back, or there is no room for them.
    """
    names = {field.name for field in dataclasses.fields(TaskConfig)}
    own = {name: value for name, value in policy.items() if name in names}
    why = why_not_kept(build(TaskConfig, own, 'parameters of the policy node'))
    if why:
        raise ConfigurationError(f'parameters of the policy node: {why}')


def check_handover(reset: Mapping[str, Any], safety: Mapping[str, Any]) -> None:
    """Checks that where reset is done, safety lets a policy begin; else both would wait for ever.

    Args:
        reset: parameters of the reset node.
        safety: parameters of the safety node.

    Raises:
        ConfigurationError: safety wants the robot nearer to its stance than reset brings it.
    """
    for stands, begins in HANDOVER:
        if not reset[stands] < safety[begins]:
            raise ConfigurationError(
                f'parameters of the reset node: {stands} = {reset[stands]} must be less than '
                f'{begins} = {safety[begins]} of the safety node, else a robot that stands may '
                f'never walk; change one of them (config/reset.yaml, config/safety.yaml)'
            )


def check_node(node: str, merged: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """Checks the parameters of one node against the Configs `names` and GraphConfig.

    Raises:
        ConfigurationError: one is unknown, missing, of a wrong type or out of range.
    """
    configs = [_find(name) for name in (SHARED, *names)]
    known = {field.name: field for config in configs for field in dataclasses.fields(config)}
    source = f'parameters of the {node} node'
    everything = dataclasses.make_dataclass(
        'Known', [(name, field.type, _copy(field)) for name, field in known.items()]
    )
    build(everything, merged, source)
    for config in configs:
        own = {field.name for field in dataclasses.fields(config)}
        build(config, {name: v for name, v in merged.items() if name in own}, source)


def _copy(field: dataclasses.Field[Any]) -> Any:
    return dataclasses.field(metadata=field.metadata)


def _find(name: str) -> type[Any]:
    module, attribute = name.split(':')
    found: type[Any] = getattr(import_module(module), attribute)
    return found
