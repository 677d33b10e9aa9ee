"""ROS parameters from Config dataclasses: declared with range and description, checked, frozen.

The fields of the dataclass are the one definition. ROS ignores a misspelt key in a parameter file;
here it stops the node with the nearest known name.
"""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter

from quad_learner.configuration import ConfigurationError, build

Config = TypeVar('Config')

_TYPES = {
    'float': Parameter.Type.DOUBLE,
    'int': Parameter.Type.INTEGER,
    'bool': Parameter.Type.BOOL,
    'str': Parameter.Type.STRING,
    'tuple[float, ...]': Parameter.Type.DOUBLE_ARRAY,
    'tuple[int, ...]': Parameter.Type.INTEGER_ARRAY,
    'tuple[str, ...]': Parameter.Type.STRING_ARRAY,
}
_OF_ROS = ('use_sim_time', 'start_type_description_service')
"""Parameters that rclpy itself declares."""


def load(node: Node, *configs: type[Any]) -> tuple[Any, ...]:
    """Returns each of `configs` filled from the parameters that `node` was started with.

    Raises:
        ConfigurationError: a parameter is unknown, missing, of a wrong type or out of range.
    """
    overrides = node._parameter_overrides  # rclpy offers no public way to see unknown keys
    given = {name: parameter.value for name, parameter in overrides.items()}
    given = {name: value for name, value in given.items() if not _is_of_ros(name)}
    known = {field.name for config in configs for field in dataclasses.fields(config)}
    source = f'node {node.get_name()}'
    strangers = {name: value for name, value in given.items() if name not in known}
    if strangers:
        everything = dataclasses.make_dataclass(
            'Known', [(n, 'str', dataclasses.field()) for n in known]
        )
        build(everything, strangers, source)
    return tuple(_load(node, config, given, source) for config in configs)


def _is_of_ros(name: str) -> bool:
    return name in _OF_ROS or name.startswith('qos_overrides')


def _load(node: Node, config: type[Config], given: dict[str, Any], source: str) -> Config:
    fields = dataclasses.fields(config)  # type: ignore[arg-type]
    values = {field.name: given[field.name] for field in fields if field.name in given}
    checked = build(config, values, source)
    for field in fields:
        # The checked value, not the override: a whole number will do where a float is wanted.
        value = getattr(checked, field.name)
        value = list(value) if isinstance(value, tuple) else value
        declared = Parameter(field.name, _TYPES[str(field.type)], value).value
        node.declare_parameter(field.name, declared, _descriptor(field), ignore_override=True)
    return checked


def _descriptor(field: dataclasses.Field[Any]) -> ParameterDescriptor:
    rules = field.metadata
    unit = f' [{rules["unit"]}]' if rules['unit'] else ''
    descriptor = ParameterDescriptor(description=f'{rules["description"]}{unit}', read_only=True)
    low, high = rules['minimum'], rules['maximum']
    if low is not None and high is not None and str(field.type) == 'float':
        descriptor.floating_point_range = [
            FloatingPointRange(from_value=float(low), to_value=float(high))
        ]
    if low is not None and high is not None and str(field.type) == 'int':
        descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
    return descriptor


__all__ = ['ConfigurationError', 'load']
