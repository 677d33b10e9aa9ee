from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import rclpy
from rclpy.exceptions import ParameterAlreadyDeclaredException
from rclpy.node import Node
from rclpy.parameter import Parameter

from quad_learner import bringup
from quad_learner.configuration import ConfigurationError, parameter
from quad_learner.ros import parameters

Make = Callable[..., Node]


@dataclass(frozen=True)
class KettleConfig:
    """A kettle."""

    water_l: float = parameter('How much water.', 'l', 0.1, 2.0)
    cups: int = parameter('How many cups.', 'cups', 1, 12)
    whistle: bool = parameter('Whether it whistles.')
    colour: str = parameter('Of the lid.', choices=('red', 'blue'))
    stages_c: tuple[float, ...] = parameter('Temperatures.', '°C', 0.0, 100.0)


@dataclass(frozen=True)
class StoveConfig:
    """What it stands on."""

    flame: float = parameter('Size of the flame.', '', 0.0, 1.0)


GOOD: dict[str, Any] = {
    'water_l': 1.5,
    'cups': 6,
    'whistle': True,
    'colour': 'red',
    'stages_c': [20.0, 100.0],
}


def test_each_part_gets_its_own_parameters(node: Make) -> None:
    kettle, stove = parameters.load(node(**GOOD, flame=0.5), KettleConfig, StoveConfig)
    assert kettle == KettleConfig(1.5, 6, True, 'red', (20.0, 100.0))
    assert stove == StoveConfig(0.5)


def test_tools_see_value_meaning_and_range(node: Make) -> None:
    kettle = node(**GOOD)
    parameters.load(kettle, KettleConfig)
    assert list(kettle.get_parameter('stages_c').value) == [20.0, 100.0]
    described = kettle.describe_parameter('water_l')
    assert described.description == 'How much water. [l]'
    assert (described.floating_point_range[0].from_value, described.read_only) == (0.1, True)
    assert kettle.describe_parameter('cups').integer_range[0].to_value == 12


def test_nothing_changes_while_the_robot_moves(node: Make) -> None:
    kettle = node(**GOOD)
    parameters.load(kettle, KettleConfig)
    (result,) = kettle.set_parameters([Parameter('water_l', value=1.0)])
    assert not result.successful
    assert kettle.get_parameter('water_l').value == 1.5


def test_a_whole_number_will_do_for_a_float(node: Make) -> None:
    kettle = node(**{**GOOD, 'water_l': 1})
    (config,) = parameters.load(kettle, KettleConfig)
    assert config.water_l == kettle.get_parameter('water_l').value == 1.0


@pytest.mark.parametrize(
    'changed, words',
    [
        ({'watter_l': 1.0}, "node kettle: unknown parameter 'watter_l'; did you mean 'water_l'"),
        ({'cups': 13}, 'node kettle: cups = 13 must be within 1 … 12 cups'),
        ({'cups': 1.5}, 'node kettle: cups = 1.5 must be of type int'),
        ({'colour': 'green'}, "colour = 'green' is not one of red, blue"),
        ({'stages_c': [20.0, 101.0]}, 'stages_c = 101.0 must be within 0.0 … 100.0 °C'),
    ],
)
def test_a_wrong_parameter_stops_the_node_with_the_reason(
    node: Make, changed: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        parameters.load(node(**{**GOOD, **changed}), KettleConfig)


def test_a_missing_parameter_is_named(node: Make) -> None:
    values = {name: value for name, value in GOOD.items() if name != 'cups'}
    with pytest.raises(ConfigurationError, match="parameter 'cups' has no value"):
        parameters.load(node(**values), KettleConfig)


def test_the_parameters_of_ros_itself_are_left_alone(node: Make) -> None:
    parameters.load(node(**GOOD, use_sim_time=False), KettleConfig)


def test_loading_twice_is_a_mistake_that_shows(node: Make) -> None:
    kettle = node(**GOOD)
    parameters.load(kettle, KettleConfig)
    with pytest.raises(ParameterAlreadyDeclaredException):
        parameters.load(kettle, KettleConfig)


@pytest.mark.parametrize(
    'value',
    ['1e3', 'y', 'Off', '0x1F', '.5', 'true', "it's: here # now", '', [1, 2.5], [3, 4], ['1e3']],
)
def test_what_a_run_writes_ros_reads_as_it_was_meant(tmp_path: Path, value: Any) -> None:
    files = bringup.write_parameters({'kettle': {'given': value}}, tmp_path / 'a folder')
    context = rclpy.Context()
    rclpy.init(args=['--ros-args', '--params-file', str(files['kettle'])], context=context)
    kettle = Node('kettle', context=context, automatically_declare_parameters_from_overrides=True)
    read = kettle.get_parameter('given').value
    kettle.destroy_node()
    context.try_shutdown()
    assert (list(read) if isinstance(value, list) else read) == value
