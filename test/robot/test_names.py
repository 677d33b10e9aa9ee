"""Claims about the names of robots: each leads to one file, and so does a path."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from quad_learner.configuration import ConfigurationError
from quad_learner.robot.names import file_of, is_path, robots


def test_the_package_ships_these_robots() -> None:
    known = ('a1', 'aliengo', 'laikago', 'mini_cheetah', 'minitaur', 'spirit40', 'vision60')
    assert robots() == known


@pytest.mark.parametrize('name', robots())
def test_the_file_of_a_name_is_that_robots(name: str) -> None:
    assert yaml.safe_load(file_of(name).read_text())['name'] == name


@pytest.mark.parametrize('path', ['mine.yaml', './a1.yml', '/lab/robots/spider.yaml'])
def test_a_path_is_taken_as_it_is_also_where_nothing_is(path: str) -> None:
    assert is_path(path)
    assert file_of(path) == Path(path)


@pytest.mark.parametrize('name', ['a1', 'spider', 'a1.v2', 'yaml', ''])
def test_what_ends_otherwise_is_a_name(name: str) -> None:
    assert not is_path(name)


@pytest.mark.parametrize('name', ['spider', 'a1.v2', '', '../robots'])
def test_a_name_that_nobody_has_is_answered_with_those_there_are(name: str) -> None:
    with pytest.raises(ConfigurationError, match='is not known; choose one of a1, aliengo, laik'):
        file_of(name)
