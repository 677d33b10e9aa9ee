"""Entries of a robot file by name, each checked: an error names file, entry, value and rule."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from quad_learner.configuration import ConfigurationError, instead_of

Array = NDArray[np.float64]


class Entries:
    """What one robot file holds."""

    def __init__(self, path: Path, content: Any) -> None:
        """Takes `content`, as read from `path`.

        Raises:
            ConfigurationError: it is not a mapping.
        """
        if not isinstance(content, dict):
            raise ConfigurationError(f'robot file {path} must be a mapping of entries')
        self.path = path
        self.content: Mapping[str, Any] = content

    def error(self, name: str, value: Any, rule: str) -> ConfigurationError:
        """Returns the error to raise about the entry called `name`."""
        return ConfigurationError(f'{self.path}: {name} = {value!r}: {rule}')

    def get(self, *keys: str) -> Any:
        """Returns the entry that lies under `keys`, as the file has it.

        Raises:
            ConfigurationError: it is missing.
        """
        value: Any = self.content
        for depth, key in enumerate(keys):
            if not isinstance(value, dict) or key not in value:
                name = '.'.join(keys[: depth + 1])
                raise ConfigurationError(f'{self.path}: the entry {name!r} is missing')
            value = value[key]
        return value

    def only(self, known: Collection[str], *keys: str) -> None:
        """Refuses whatever lies under `keys` and is not `known`: nobody would read it.

        Raises:
            ConfigurationError: there is such an entry, or it is no mapping.
        """
        section = self.get(*keys)
        if not isinstance(section, dict):
            raise self.error('.'.join(keys), section, f'must hold {", ".join(known)}')
        for name in section:
            if name not in known:
                whole, hint = '.'.join((*keys, str(name))), instead_of(str(name), known)
                raise ConfigurationError(f'{self.path}: unknown entry {whole!r}; {hint}')

    def number(self, *keys: str, above: float = -math.inf, most: float = math.inf) -> float:
        """Returns a finite number.

        Args:
            keys: where it lies.
            above: it must be more.
            most: it must not be more.

        Raises:
            ConfigurationError: it is missing or something else.
        """
        name, value = '.'.join(keys), self.get(*keys)
        if not is_number(value):
            raise self.error(name, value, 'must be a finite number')
        if not above < value <= most:
            bound = f' and at most {most:g}' if most < math.inf else ''
            raise self.error(name, value, f'must be above {above:g}{bound}')
        return float(value)

    def whole(self, *keys: str) -> int:
        """Returns a whole number above 0.

        Raises:
            ConfigurationError: it is missing or something else.
        """
        value = self.get(*keys)
        if type(value) is not int or value <= 0:
            raise self.error('.'.join(keys), value, 'must be a whole number above 0')
        return value

    def switch(self, *keys: str) -> bool:
        """Returns true or false.

        Raises:
            ConfigurationError: it is missing or something else.
        """
        value = self.get(*keys)
        if not isinstance(value, bool):
            raise self.error('.'.join(keys), value, 'must be true or false')
        return value

    def text(self, *keys: str) -> str:
        """Returns a text that is not empty.

        Raises:
            ConfigurationError: it is missing or something else.
        """
        value = self.get(*keys)
        if not isinstance(value, str) or not value:
            raise self.error('.'.join(keys), value, 'must be a text')
        return value

    def numbers(self, name: str, value: Any, size: int) -> Array:
        """Returns `value`, of the entry called `name`, as so many numbers; read-only.

        Raises:
            ConfigurationError: it is something else.
        """
        if not isinstance(value, list) or not all(is_real(item) for item in value):
            raise self.error(name, value, 'must be a list of numbers')
        array = np.array(value, dtype=np.float64)
        if array.shape != (size,) or not np.isfinite(array).all():
            raise self.error(name, value, f'must be {size} finite numbers')
        array.setflags(write=False)
        return array


def is_real(value: Any) -> bool:
    """Returns whether `value` is a number, be it finite or not; true and false are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Returns whether `value` is a finite number."""
    return is_real(value) and math.isfinite(value)


def read_yaml(path: Path) -> Any:
    """Returns what the YAML file at `path` holds.

    Raises:
        ConfigurationError: it cannot be read, is no YAML, or says something twice.
    """
    try:
        # A safe loader: it makes nothing but texts, numbers, lists and mappings.
        return _Loader(path.read_text()).get_single_data()
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f'robot file {path} cannot be read: {error}') from error


class _Loader(yaml.SafeLoader):
    """Refuses an entry that is there twice; YAML's own rule, which the library does not keep."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Returns the mapping that `node` stands for.

        Raises:
            ConstructorError: it has an entry twice.
        """
        seen = set()
        for key, _ in node.value:
            if str(key.value) in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f'{key.value!r} is there twice; take one out', key.start_mark
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)
