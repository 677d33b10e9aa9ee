"""Robots by name: which ones the package ships, and the file of each."""

from __future__ import annotations

from pathlib import Path

from quad_learner.configuration import ConfigurationError
from quad_learner.resources import config_directory


def robots() -> tuple[str, ...]:
    """Returns the names of the robots that the package ships."""
    return tuple(sorted(path.stem for path in (config_directory() / 'robots').glob('*.yaml')))


def is_path(robot: str) -> bool:
    """Returns whether `robot` is the path of a robot file, rather than a name."""
    return Path(robot).suffix in ('.yaml', '.yml')


def file_of(robot: str) -> Path:
    """Returns the file of `robot`: a name in `config/robots/`, or a path, which may lead nowhere.

    Raises:
        ConfigurationError: it is a name, and there is no such robot.
    """
    if is_path(robot):
        return Path(robot)
    path = config_directory() / 'robots' / f'{robot}.yaml'
    if not path.is_file():
        raise ConfigurationError(
            f'robot {robot!r} is not known; choose one of {", ".join(robots())} '
            'or give the path of a robot YAML'
        )
    return path
