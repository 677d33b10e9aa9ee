"""Parameters: declared once as dataclass fields, valued in YAML alone, refused with a reason.

A `…Config` dataclass has one field a parameter, made by `parameter(...)`. The values live in
`config/<node>.yaml` in the form that ROS reads (`/**: ros__parameters:`), so that the graph, the
Gymnasium environment and the benchmarks read the same file.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

Config = TypeVar('Config')


class ConfigurationError(ValueError):
    """A parameter, file or robot that cannot be used; it is named, with rule and way out."""


def instead_of(name: str, known: Collection[str], else_: str = '') -> str:
    """Returns what to say of a name that nobody knows: what may have been meant, or what there is.

    Args:
        name: that was given.
        known: the names that there are.
        else_: what to say where none of them is like it; '' names them all.
    """
    close = difflib.get_close_matches(name, known, n=1)
    return (
        f'did you mean {close[0]!r}?' if close else else_ or f'known: {", ".join(sorted(known))}'
    )


def parameter(
    description: str,
    unit: str = '',
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """Declares a parameter: a dataclass field without default, for its value lives in the YAML.

    Args:
        description: what it is and what raising it does.
        unit: SI unit or a word such as 'steps'; empty for a pure number, text or switch.
        minimum: smallest value allowed (each element of a list).
        maximum: largest value allowed (each element of a list).
        choices: the only texts allowed; empty for any.
    """
    return dataclasses.field(
        metadata={
            'description': description,
            'unit': unit,
            'minimum': minimum,
            'maximum': maximum,
            'choices': choices,
        }
    )


def build(config: type[Config], values: Mapping[str, Any], source: str) -> Config:
    """Returns the `config` dataclass filled with `values`, each checked.

    Args:
        config: a dataclass whose fields come from `parameter`, annotated float, int, bool, str or
            tuple[float, ...] / tuple[int, ...] / tuple[str, ...].
        values: one entry a field, no more and no fewer.
        source: what to name in an error, such as the file read.

    Raises:
        ConfigurationError: a name is unknown or missing, a type is wrong, a value is out of range,
            or the dataclass's own `__post_init__` refuses the combination.
    """
    fields = {field.name: field for field in dataclasses.fields(config)}  # type: ignore[arg-type]
    for name in values:
        if name not in fields:
            raise ConfigurationError(
                f'{source}: unknown parameter {name!r}; {instead_of(name, fields)}'
            )
    missing = [name for name in fields if name not in values]
    if missing:
        raise ConfigurationError(f'{source}: parameter {missing[0]!r} has no value; add it there')
    checked = {name: check(field, values[name], source) for name, field in fields.items()}
    try:
        return config(**checked)
    except ConfigurationError:
        raise
    except ValueError as error:
        raise ConfigurationError(f'{source}: {error}') from error


def check(field: dataclasses.Field[Any], value: Any, source: str) -> Any:
    """Returns `value` in the type of `field`.

    Raises:
        ConfigurationError: wrong type, not finite, out of range or not among the choices.
    """
    kind = str(field.type)
    if kind.startswith('tuple'):
        if not isinstance(value, (list, tuple)):
            raise ConfigurationError(f'{source}: {field.name} = {value!r} must be a list')
        element = kind.removeprefix('tuple[').split(',')[0].strip()
        return tuple(_check_one(field, element, item, source) for item in value)
    return _check_one(field, kind, value, source)


def _check_one(field: dataclasses.Field[Any], kind: str, value: Any, source: str) -> Any:
    name, rules = field.name, field.metadata
    if kind == 'float' and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    expected = {'float': float, 'int': int, 'bool': bool, 'str': str}[kind]
    if type(value) is not expected:
        raise ConfigurationError(
            f'{source}: {name} = {value!r} must be of type {kind}, is {type(value).__name__}'
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigurationError(f'{source}: {name} = {value!r} must be a finite number')
    low, high, unit = rules.get('minimum'), rules.get('maximum'), rules.get('unit') or ''
    if (low is not None and value < low) or (high is not None and value > high):
        bounds = f'{"-∞" if low is None else low} … {"∞" if high is None else high} {unit}'.strip()
        raise ConfigurationError(f'{source}: {name} = {value!r} must be within {bounds}')
    choices = rules.get('choices')
    if choices and value not in choices:
        raise ConfigurationError(
            f'{source}: {name} = {value!r} is not one of {", ".join(choices)}'
        )
    return value


def read(config: type[Config], path: Path, overrides: Mapping[str, Any] | None = None) -> Config:
    """Returns `config` filled from a ROS parameter file, with some values replaced.

    Raises:
        ConfigurationError: the file is missing, is not a parameter file, or `build` refuses it.
    """
    return build(config, {**read_values(path), **(overrides or {})}, str(path))


def read_values(path: Path) -> dict[str, Any]:
    """Returns the values under `/**: ros__parameters:` of a ROS parameter file.

    Raises:
        ConfigurationError: the file is missing, is not YAML or has another shape.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigurationError(f'{path}: cannot be read ({error.strerror})') from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f'{path}: is not YAML ({error})') from error
    try:
        values = content['/**']['ros__parameters']
    except (KeyError, TypeError) as error:
        raise ConfigurationError(
            f'{path}: must hold the two levels "/**:" and "ros__parameters:" above the parameters'
        ) from error
    return dict(values)
