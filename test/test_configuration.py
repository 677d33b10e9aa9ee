from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from quad_learner import bringup, configuration, parameter_check
from quad_learner.configuration import ConfigurationError, parameter

CONFIG = Path(__file__).resolve().parent.parent / 'config'


@dataclass(frozen=True)
class KettleConfig:
    """A kettle, so that the rules are told apart from those of any part of the package."""

    water_l: float = parameter('Water.', 'l', 0.1, 2.0)
    cups: int = parameter('Cups.', 'cups', 1, None)
    whistle: bool = parameter('Whether it whistles.')
    colour: str = parameter('Of the lid.', choices=('red', 'blue'))
    stages_c: tuple[float, ...] = parameter('Temperatures.', '°C', 0.0, 100.0)
    labels: tuple[str, ...] = parameter('On the lid.')

    def __post_init__(self) -> None:
        if self.whistle and self.colour == 'blue':
            raise ValueError('whistle needs colour = red')


GOOD: dict[str, Any] = {
    'water_l': 1.5,
    'cups': 6,
    'whistle': True,
    'colour': 'red',
    'stages_c': [20.0, 100.0],
    'labels': ['tea'],
}


def build(**changed: Any) -> KettleConfig:
    return configuration.build(KettleConfig, GOOD | changed, 'kettle.yaml')


def test_good_values_arrive_in_their_types() -> None:
    kettle = build()
    assert (kettle.water_l, kettle.cups, kettle.whistle, kettle.colour) == (1.5, 6, True, 'red')
    assert kettle.stages_c == (20.0, 100.0)
    assert kettle.labels == ('tea',)


def test_a_whole_number_will_do_for_a_float() -> None:
    kettle = build(water_l=1, stages_c=[20, 100])
    assert [type(v) for v in (kettle.water_l, *kettle.stages_c)] == [float] * 3


@pytest.mark.parametrize(
    'changed, words',
    [
        ({'water_l': 2.5}, ['water_l', '2.5', 'within 0.1 … 2.0 l']),
        ({'water_l': 0.0}, ['water_l', '0.0', 'within 0.1 … 2.0 l']),
        ({'cups': 0}, ['cups', '0', 'within 1 … ∞ cups']),
        ({'cups': 2.0}, ['cups', '2.0', 'type int', 'is float']),
        ({'cups': True}, ['cups', 'True', 'type int', 'is bool']),
        ({'water_l': True}, ['water_l', 'True', 'type float', 'is bool']),
        ({'water_l': 'much'}, ['water_l', "'much'", 'type float', 'is str']),
        ({'water_l': float('nan')}, ['water_l', 'nan', 'finite']),
        ({'water_l': float('inf')}, ['water_l', 'inf', 'finite']),
        ({'whistle': 1}, ['whistle', '1', 'type bool', 'is int']),
        ({'colour': 'green'}, ['colour', "'green'", 'red, blue']),
        ({'stages_c': 20.0}, ['stages_c', '20.0', 'list']),
        ({'stages_c': [20.0, 120.0]}, ['stages_c', '120.0', 'within 0.0 … 100.0 °C']),
        ({'labels': [1]}, ['labels', '1', 'type str', 'is int']),
        ({'colour': 'blue'}, ['whistle needs colour = red']),
    ],
)
def test_a_wrong_value_is_named_with_its_rule_and_file(
    changed: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        build(**changed)
    for word in ['kettle.yaml', *words]:
        assert word in str(caught.value)


def test_a_misspelt_name_gets_the_nearest_known_one() -> None:
    with pytest.raises(
        ConfigurationError, match=r"unknown parameter 'watter_l'; did you mean 'wa"
    ):
        build(watter_l=1.0)


def test_a_name_like_no_other_gets_the_list_of_all() -> None:
    with pytest.raises(ConfigurationError, match=r"'xyzzy'; known: colour, cups, labels"):
        build(xyzzy=1)


def test_a_missing_value_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"kettle.yaml: parameter 'cups' has no value"):
        configuration.build(
            KettleConfig, {k: v for k, v in GOOD.items() if k != 'cups'}, 'kettle.yaml'
        )


def test_a_file_is_read_and_overrides_win(tmp_path: Path) -> None:
    path = tmp_path / 'kettle.yaml'
    path.write_text(yaml.safe_dump({'/**': {'ros__parameters': GOOD}}))
    assert configuration.read(KettleConfig, path, {'cups': 2}).cups == 2


@pytest.mark.parametrize(
    'text, words',
    [
        ('a: [', 'is not YAML'),
        ('', 'two levels'),
        ('kettle: {ros__parameters: {}}', 'two levels'),
        ('/**: {cups: 1}', 'two levels'),
        ('- 1', 'two levels'),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / 'kettle.yaml'
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=words) as caught:
        configuration.read(KettleConfig, path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r'kettle.yaml: cannot be read \(No such file'):
        configuration.read(KettleConfig, tmp_path / 'kettle.yaml')


def fields_of(names: tuple[str, ...]) -> set[str]:
    found = set()
    for name in names:
        module, attribute = name.split(':')
        config = getattr(import_module(module), attribute)
        found |= {field.name for field in dataclasses.fields(config)}
    return found


@pytest.mark.parametrize('node', [spec.name for spec in bringup.nodes('sim')])
def test_the_files_of_a_node_hold_exactly_the_parameters_that_it_declares(node: str) -> None:
    spec = next(spec for spec in bringup.nodes('sim') if spec.name == node)
    valued: list[str] = []
    for file in ('graph', *spec.files):
        content = yaml.safe_load((CONFIG / f'{file}.yaml').read_text())
        valued += content['/**']['ros__parameters']
    assert len(valued) == len(set(valued)), 'a parameter has two values'
    declared = fields_of((parameter_check.SHARED, *parameter_check.CONFIGS[node]))
    assert set(valued) == declared


def test_the_shipped_parameters_pass_the_check_of_a_run() -> None:
    parameter_check.check_all(bringup.parameters(bringup.nodes('sim'), {}, None))


@pytest.mark.parametrize(
    'node, name, value, words',
    [
        ('policy', 'noize_scale', 1.0, "did you mean 'noise_scale'"),
        ('safety', 'sample_age_max_s', -1.0, 'sample_age_max_s = -1.0 must be within'),
        ('robot', 'terrain', 'lava', "terrain = 'lava' is not one of flat"),
        ('learner', 'gear', 'fast', "gear = 'fast' is not one of lockstep, real_time"),
    ],
)
def test_the_check_of_a_run_names_the_node_and_the_parameter(
    node: str, name: str, value: Any, words: str
) -> None:
    values = bringup.parameters(bringup.nodes('sim'), {}, None)
    values[node][name] = value
    with pytest.raises(ConfigurationError, match=words) as caught:
        parameter_check.check_all(values)
    assert f'parameters of the {node} node' in str(caught.value)


@pytest.mark.parametrize(
    'node, name, value',
    [
        ('reset', 'standing_joint_error', 0.36),
        ('safety', 'handover_joint_error_rad', 0.33),
        ('safety', 'handover_tilt_rad', 0.15),
    ],
)
def test_a_robot_that_stands_for_reset_is_one_that_safety_lets_walk(
    node: str, name: str, value: float
) -> None:
    values = bringup.parameters(bringup.nodes('sim'), {}, None)
    values[node][name] = value
    with pytest.raises(ConfigurationError, match=f'{name} = {value}') as caught:
        parameter_check.check_all(values)
    assert 'must be less than' in str(caught.value)


def test_a_workspace_that_no_task_leads_back_into_is_refused_before_anything_starts() -> None:
    values = bringup.parameters(bringup.nodes('sim'), {'workspace_m': [4.0, 3.0]}, None)
    with pytest.raises(ConfigurationError, match='tasks forward: none leads back'):
        parameter_check.check_all(values)
    tasks = {'tasks': ['forward', 'left']}
    parameter_check.check_all(bringup.parameters(bringup.nodes('sim'), tasks, None))
    small = tasks | {'workspace_m': [0.5, 0.5]}
    with pytest.raises(ConfigurationError, match=r'make it 1\.3 m or more each way'):
        parameter_check.check_all(bringup.parameters(bringup.nodes('sim'), small, None))


def test_who_drives_may_do_so_where_it_was_learned_without_a_way_back() -> None:
    values = bringup.parameters(bringup.drive_nodes('sim'), {'workspace_m': [4.0, 3.0]}, None)
    parameter_check.check_all(values)
