"""The launch file, and what ROS tools are given: what they make of the table of nodes.

`launch` is not on the Python Package Index. Here its actions are stand-ins that remember what they
were given; where ROS 2 is installed, the last test lets the real thing read the file.
"""

from __future__ import annotations

import ast
import contextlib
import json
import runpy
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml

from quad_learner import bringup
from quad_learner.configuration import ConfigurationError
from quad_learner.experience.run_directory import create_at
from quad_learner.ros.topics import METRICS

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / 'launch' / 'learn_real.launch.py'
TOOLS = ROOT / 'config' / 'tools'
ASKED_OF_IT = {
    'robot', 'backend', 'params_file', 'run_dir', 'resume', 'minutes', 'seed', 'tasks',
    'workspace', 'external_pose', 'real_time_factor',
    'namespace', 'use_sim_time', 'log_level', 'record',
}  # fmt: skip
STAND_INS = {
    'launch': ('LaunchContext', 'LaunchDescription'),
    'launch.actions': (
        'DeclareLaunchArgument',
        'EmitEvent',
        'ExecuteProcess',
        'LogInfo',
        'OpaqueFunction',
        'SetEnvironmentVariable',
    ),
    'launch.events': ('Shutdown',),
    'launch.events.process': ('ProcessExited',),
    'launch.launch_description_entity': ('LaunchDescriptionEntity',),
    'launch_ros': (),
    'launch_ros.actions': ('Node',),
}


class Recorder:
    """Stands in for a launch action."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self.arguments = arguments
        self.named = named


class Context:
    """Stands in for a launch context."""

    def __init__(self, configurations: dict[str, str]) -> None:
        self.launch_configurations = configurations
        self.is_shutdown = False
        self.globals: dict[str, Any] = {}

    def extend_globals(self, values: dict[str, Any]) -> None:
        """Keeps values for as long as the launch lives."""
        self.globals |= values


class Launched:
    """The outcome of one launch."""

    def __init__(self, entities: list[Any], context: Context) -> None:
        self.context = context
        self.nodes = {
            e.named.get('name', e.named['executable']): e.named
            for e in entities
            if e.named.get('package')
        }
        self.others = [e for e in entities if not e.named.get('package')]

    def ends(self, node: str, code: int) -> list[Any]:
        """Returns what the launch file does when a node ends with `code`."""
        event = SimpleNamespace(returncode=code)
        reaction: list[Any] = self.nodes[node]['on_exit'](event, self.context)
        return reaction


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Puts stand-ins in the place of launch; whether data flows is not tried."""
    monkeypatch.setenv('FASTDDS_BUILTIN_TRANSPORTS', 'DEFAULT')
    for name, classes in STAND_INS.items():
        module = ModuleType(name)
        for each in classes:
            setattr(module, each, type(each, (Recorder,), {}))
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, 'quad_learner.ros.launching', raising=False)
    yield
    # It was read with the stand-ins: whoever comes next must not find it.
    sys.modules.pop('quad_learner.ros.launching', None)


@pytest.fixture
def launch_file(stand_ins: None) -> dict[str, Any]:
    """Returns the names in the launch file, read with stand-ins for launch."""
    return runpy.run_path(str(FILE))


@pytest.fixture
def launched(
    launch_file: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[..., Launched]]:
    """Returns a function that launches into a new run folder, with some arguments changed."""
    monkeypatch.setenv('ROS_DOMAIN_ID', '73')
    # Locks lie there: another run of the tests on this machine must not be in the way.
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    monkeypatch.delenv('ROS_AUTOMATIC_DISCOVERY_RANGE', raising=False)
    with contextlib.ExitStack() as locks:

        def launch(**changed: str) -> Launched:
            defaults = {name: default for name, (default, _) in launch_file['ARGUMENTS'].items()}
            context = Context(defaults | {'run_dir': str(tmp_path / 'run')} | changed)
            try:
                entities = launch_file['_start'](context)
            finally:
                for lock in context.globals.values():
                    locks.callback(lock.close)
            return Launched(entities, context)

        yield launch


def test_it_takes_the_arguments_that_a_ros_user_expects(launch_file: dict[str, Any]) -> None:
    assert set(launch_file['ARGUMENTS']) == ASKED_OF_IT
    description = launch_file['generate_launch_description']()
    declared = {action.arguments[0] for action in description.arguments[0][:-1]}
    assert declared == ASKED_OF_IT


@pytest.mark.parametrize('backend', ['sim', 'ros2_control'])
def test_every_node_of_the_table_is_started_with_its_own_parameters(
    launched: Callable[..., Launched], backend: str, tmp_path: Path
) -> None:
    nodes = launched(backend=backend).nodes
    assert list(nodes) == [spec.name for spec in bringup.nodes(backend)]
    for spec in bringup.nodes(backend):
        node = nodes[spec.name]
        assert node['executable'] == spec.executable
        assert node['respawn'] == spec.respawn
        file = Path(node['parameters'][0])
        values = yaml.safe_load(file.read_text())['/**']['ros__parameters']
        assert values['run_directory'] == str(tmp_path / 'run')
        assert values['gear'] == {'sim': 'lockstep', 'ros2_control': 'real_time'}[backend]


def test_the_learner_gives_way_to_control_and_nobody_else_does(
    launched: Callable[..., Launched],
) -> None:
    prefixes = {name: node['prefix'] for name, node in launched().nodes.items()}
    assert prefixes.pop('learner').endswith('nice -n 10')
    assert not any('nice' in prefix for prefix in prefixes.values())


def test_arguments_reach_the_parameters(launched: Callable[..., Launched]) -> None:
    given = {'tasks': 'left,backward', 'workspace': '4x3.5', 'external_pose': 'true'}
    node = launched(**given).nodes
    policy, robot, learner = (
        yaml.safe_load(Path(node[name]['parameters'][0]).read_text())['/**']['ros__parameters']
        for name in ('policy', 'robot', 'learner')
    )
    assert policy['tasks'] == learner['tasks'] == ['left', 'backward']
    assert policy['workspace_m'] == [4.0, 3.5]
    assert robot['external_pose_hz'] > 0.0


def test_those_of_the_run_reach_the_parameters_too(launched: Callable[..., Launched]) -> None:
    given = {'robot': 'minitaur', 'minutes': '0.5', 'seed': '7', 'real_time_factor': '1'}
    node = launched(**given, namespace='dog', log_level='debug').nodes['policy']
    values = yaml.safe_load(Path(node['parameters'][0]).read_text())['/**']['ros__parameters']
    wanted = {'robot': 'minitaur', 'minutes': 0.5, 'seed': 7, 'gear': 'real_time'}
    assert {key: values[key] for key in wanted} == wanted
    assert node['namespace'] == 'dog'
    assert node['ros_arguments'] == ['--log-level', 'debug', '--enclave', '/quad_learner/policy']


def test_the_graph_stays_on_this_machine_unless_the_user_says_otherwise(
    launched: Callable[..., Launched], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv('FASTDDS_BUILTIN_TRANSPORTS')
    reach = ('ROS_AUTOMATIC_DISCOVERY_RANGE', 'SYSTEM_DEFAULT')
    given = dict(entity.arguments for entity in launched().others if len(entity.arguments) == 2)
    assert given[reach[0]] == reach[1]
    assert given['FASTRTPS_DEFAULT_PROFILES_FILE'].endswith('this_machine.xml'), '127.0.0.1 alone'
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'SUBNET')
    second = launched(run_dir=str(tmp_path / 'second'), namespace='other')
    assert not any(entity.arguments[:1] == reach[:1] for entity in second.others)


@pytest.mark.parametrize(
    'changed, said',
    [
        ({'minutes': 'abc'}, 'minutes:=abc must be a number'),
        ({'seed': '1.5'}, 'seed:=1.5 must be a whole number'),
        ({'tasks': 'forward,sideways'}, "tasks 'forward,sideways' must be some of forward, b"),
        ({'workspace': '4'}, "workspace '4' must be like 4x3"),
        ({'real_time_factor': '2'}, 'real_time_factor:=2 must be 0'),
        ({'backend': 'simm'}, "'simm' is not one of sim, ros2_control"),
        ({'robot': 'a2'}, "robot 'a2' is not known"),
        ({'record': 'maybe'}, 'record:=maybe must be true or false'),
        ({'log_level': 'loud'}, 'log_level:=loud is not one of debug'),
        ({'use_sim_time': 'true', 'backend': 'ros2_control'}, 'lockstep alone'),
        ({'use_sim_time': 'true', 'real_time_factor': '1'}, 'lockstep alone'),
        ({'resume': 'runs/latest'}, 'leave out run_dir:='),
        ({'minute': '3'}, 'did you mean minutes:='),
        ({'params_file': 'nowhere.yaml'}, 'nowhere.yaml cannot be read'),
    ],
)
def test_a_wrong_argument_is_named_before_anything_is_made(
    launched: Callable[..., Launched], changed: dict[str, str], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        launched(**changed)
    assert not (tmp_path / 'run').exists()


def test_a_second_graph_on_the_same_domain_is_refused(
    launched: Callable[..., Launched], tmp_path: Path
) -> None:
    launched()
    with pytest.raises(ConfigurationError, match='ROS_DOMAIN_ID=73'):
        launched(run_dir=str(tmp_path / 'second'))


def test_a_run_that_is_learned_in_elsewhere_is_refused(
    launched: Callable[..., Launched], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched()
    (tmp_path / 'run' / 'checkpoint' / '1').mkdir()
    monkeypatch.setenv('ROS_DOMAIN_ID', '74')
    with pytest.raises(ConfigurationError, match='is being learned in by another process'):
        launched(run_dir='', resume=str(tmp_path / 'run'))


def test_the_run_ends_when_the_learner_has_finished(launched: Callable[..., Launched]) -> None:
    reaction = launched().ends('learner', 0)
    assert type(reaction[-1]).__name__ == 'EmitEvent'
    assert type(reaction[-1].named['event']).__name__ == 'Shutdown'


def test_a_learner_that_was_killed_is_left_to_respawn(launched: Callable[..., Launched]) -> None:
    reaction = launched().ends('learner', -9)
    assert [type(action).__name__ for action in reaction] == ['LogInfo']


@pytest.mark.parametrize('node, code', [('safety', -9), ('robot', 1), ('learner', 2)])
def test_what_cannot_be_mended_ends_the_launch_with_an_error(
    launched: Callable[..., Launched], node: str, code: int
) -> None:
    with pytest.raises(RuntimeError, match=f'the {node} node ended with code {code}'):
        launched().ends(node, code)


def test_driving_starts_its_own_table_with_the_parameters_of_the_run(
    stand_ins: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv('ROS_DOMAIN_ID', '72')
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    run = create_at(tmp_path / 'run', {})
    values = bringup.parameters(bringup.nodes('sim'), {'episode_s': 7.0}, None)
    bringup.write_parameters(values, run.parameters)
    run.policy.write_bytes(b'...')
    names = runpy.run_path(str(FILE.with_name('drive.launch.py')))
    defaults = {name: default for name, (default, _) in names['ARGUMENTS'].items()}
    context = Context(defaults | {'run': str(run.path), 'joy': 'true', 'namespace': 'dog'})
    launched = Launched(names['_start'](context), context)
    for lock in context.globals.values():
        lock.close()
    assert [node['executable'] for node in launched.nodes.values()] == [
        *(spec.executable for spec in bringup.drive_nodes('sim')),
        'joy_node',
    ]
    assert {node['namespace'] for node in launched.nodes.values()} == {'dog'}
    policy = yaml.safe_load(Path(launched.nodes['policy']['parameters'][0]).read_text())
    assert policy['/**']['ros__parameters']['episode_s'] == 7.0
    with pytest.raises(RuntimeError, match='the safety node ended with code 1'):
        launched.ends('safety', 1)
    assert [type(action).__name__ for action in launched.ends('policy', 1)] == ['LogInfo']


def test_an_end_during_shutdown_is_no_error(launched: Callable[..., Launched]) -> None:
    outcome = launched()
    outcome.context.is_shutdown = True
    assert outcome.ends('safety', -9) == []


def test_recording_needs_ros2_bag_and_says_so(
    launched: Callable[..., Launched], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('PATH', '')
    with pytest.raises(ConfigurationError, match='record:=true needs ros2 bag'):
        launched(record='true')


def test_ros_2_itself_reads_the_file() -> None:
    launch = pytest.importorskip('launch.launch_description_sources')
    description = launch.get_launch_description_from_python_launch_file(str(FILE))
    assert {argument.name for argument in description.get_launch_arguments()} == ASKED_OF_IT


def test_the_plots_of_the_perspective_show_metrics_that_the_learner_publishes() -> None:
    perspective = json.loads((TOOLS / 'learning.perspective').read_text())
    manager = perspective['groups']['pluginmanager']
    plots = [manager['groups'][f'plugin__rqt_plot__Plot__{number}'] for number in (1, 2, 3)]
    texts = [plot['groups']['plugin']['keys']['topics']['repr'] for plot in plots]
    shown = [topic for text in texts for topic in ast.literal_eval(text)]
    assert {'/learner/reward/data', '/learner/lambda/data'} <= set(shown)
    assert {topic.split('/')[2] for topic in shown} <= set(METRICS)


def test_the_diagnostics_tree_has_a_place_for_every_node() -> None:
    content = yaml.safe_load((TOOLS / 'diagnostics_aggregator.yaml').read_text())
    branches = [v for v in content['/**']['ros__parameters'].values() if isinstance(v, dict)]
    places = [name for branch in branches for name in branch['contains']]
    assert sorted(places) == sorted(f'/{spec.name}' for spec in bringup.nodes('sim'))
