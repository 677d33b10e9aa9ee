"""Which nodes make a run: the one table that the launch files and the command line both read."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from quad_learner.configuration import ConfigurationError, instead_of, read_values
from quad_learner.experience.durable import write_atomically
from quad_learner.graph import REAL_TIME
from quad_learner.resources import config_directory

BACKENDS = {'sim': 'robot_sim', 'ros2_control': 'robot_ros2_control'}
"""Name of a backend, and the node that is the robot with it."""
LOG_LEVELS = ('debug', 'info', 'warn', 'error', 'fatal')
"""those that nodes know"""
NAMESPACE = re.compile(r'/?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*/?')
"""what ROS takes for a namespace; the slashes at its ends may be there or not"""
RUN_FIRST = 'run_first.yaml'
"""file of what safety is given where the control processes run before all others"""


@dataclass(frozen=True)
class NodeSpec:
    """One process of the graph."""

    name: str
    """of the node"""
    executable: str
    """module in quad_learner.nodes and console script"""
    files: tuple[str, ...]
    """parameter files in config/, without ending, besides graph.yaml"""
    niceness: int = 0
    """scheduling: higher gives way to others"""
    respawn: bool = False
    """starts again when it dies"""
    ends_run: bool = False
    """the run is over when it has ended"""
    has_terminal: bool = False
    """reads the keys of the terminal and prints there; no other node reads it"""

    @property
    def enclave(self) -> str:
        """What the process may say and hear, where security is on (config/sros2/policy.xml)."""
        return f'/quad_learner/{self.name}'


def nodes(backend: str) -> tuple[NodeSpec, ...]:
    """Returns the table of a learning run on `backend`, in the order of starting.

    Raises:
        ConfigurationError: there is no such backend.
    """
    return (
        *_body(backend),
        NodeSpec('policy', 'policy', ('policy', 'task', 'reset'), respawn=True),
        NodeSpec('monitor', 'monitor', ('monitor', 'task'), respawn=True),
        # Gradient steps must never push the control processes off a core.
        NodeSpec(
            'learner', 'learner', ('learner', 'task'), niceness=10, respawn=True, ends_run=True
        ),
    )


def backend_of(parameters: Path) -> str:
    """Returns the backend of the run whose parameter files are in that folder.

    Raises:
        ConfigurationError: that of the robot cannot be read.
    """
    hardware = 'joint_states_topic' in read_values(parameters / 'robot.yaml')
    return 'ros2_control' if hardware else 'sim'


def drive_nodes(backend: str) -> tuple[NodeSpec, ...]:
    """Returns the table for driving learned policies on `backend`, in the order of starting.

    Raises:
        ConfigurationError: there is no such backend.
    """
    files = ('policy', 'task', 'reset', 'drive')
    return (*_body(backend), NodeSpec('policy', 'drive', files, respawn=True))


def check_namespace(namespace: str) -> None:
    """Refuses what ROS takes for no namespace: each node would end with a word about its lexer.

    Raises:
        ConfigurationError: it is none.
    """
    if namespace.strip('/') and not NAMESPACE.fullmatch(namespace):
        raise ConfigurationError(
            f'namespace {namespace!r} must be names of letters, digits and underscores, not '
            'beginning with a digit, with single slashes between them, such as lab/spot'
        )


def keyboard_node() -> NodeSpec:
    """Returns the node that lets the keys of its terminal steer."""
    return NodeSpec('keyboard', 'keyboard', ('task', 'drive'), respawn=True, has_terminal=True)


def _body(backend: str) -> tuple[NodeSpec, ...]:
    """Returns what every graph has: the robot, and what keeps it safe and gets it up."""
    if backend not in BACKENDS:
        raise ConfigurationError(f'backend {backend!r} is not one of {", ".join(BACKENDS)}')
    # The simulated robot judges what it is sent by the numbers that safety was given.
    robot_files = {'sim': ('simulation', 'safety'), 'ros2_control': ('ros2_control',)}[backend]
    return (
        # The robot and safety are never started again behind the operator's back: a robot whose
        # wall has fallen stays in damping, and the run ends.
        NodeSpec('robot', BACKENDS[backend], robot_files, ends_run=True),
        NodeSpec('safety', 'safety', ('safety',), ends_run=True),
        NodeSpec('estimator', 'estimator', ('estimator',), respawn=True),
        NodeSpec('reset', 'reset', ('reset',), respawn=True),
    )


def parameters(
    specs: Sequence[NodeSpec],
    shared: Mapping[str, Any],
    params_file: Path | None,
    earlier: Path | None = None,
    but_not: Collection[str] = (),
    may_run_first: Callable[[int], bool] = lambda _: False,
) -> dict[str, dict[str, Any]]:
    """Returns every parameter of every node.

    The package's files come first, then `earlier`, `params_file` and `shared`: the last one wins.
    Where the control processes run before all others RUN_FIRST is one of the package's.

    Args:
        specs: the nodes.
        shared: values that this run sets, in every node that has such a parameter.
        params_file: a ROS parameter file of the user's: `/**:` for all nodes, or a node's name.
        earlier: folder with one file a node that a run which goes on was started with.
        but_not: nodes that take nothing from there.
        may_run_first: tells whether this machine allows a real-time priority.

    Raises:
        ConfigurationError: a file cannot be read, or names a node that is not there.
    """
    given = (specs, shared, params_file, earlier, but_not)
    values = _merged(*given, {})
    some = next(iter(values.values()), {})
    priority = some.get('real_time_priority', 0)
    if some.get('gear') == REAL_TIME and priority > 0 and may_run_first(priority):
        return _merged(*given, read_values(config_directory() / RUN_FIRST))
    return values


def _merged(
    specs: Sequence[NodeSpec],
    shared: Mapping[str, Any],
    params_file: Path | None,
    earlier: Path | None,
    but_not: Collection[str],
    ahead: Mapping[str, Any],
) -> dict[str, dict[str, Any]]:
    config = config_directory()
    tight = read_values(config / RUN_FIRST)
    values = {}
    for spec in specs:
        merged = read_values(config / 'graph.yaml')
        for name in spec.files:
            merged |= read_values(config / f'{name}.yaml')
        merged |= {name: value for name, value in ahead.items() if name in merged}
        if earlier is not None and spec.name not in but_not:
            kept = read_values(earlier / f'{spec.name}.yaml')
            # What the machine allowed then says nothing of the one that goes on.
            merged |= {name: v for name, v in kept.items() if tight.get(name) != v}
        values[spec.name] = merged
    if params_file is not None:
        _override(values, params_file)
    for merged in values.values():
        merged |= {name: value for name, value in shared.items() if name in merged}
    if 'robot' in values and 'safety' in values:
        judged = read_values(config / 'safety.yaml').keys() & values['robot'].keys()
        values['robot'] |= {name: values['safety'][name] for name in judged}
    if 'keyboard' in values and 'policy' in values:
        # Full is for a key what it is for whoever follows it.
        common = values['policy'].keys() & values['keyboard'].keys()
        values['keyboard'] |= {name: values['policy'][name] for name in common}
    return values


def _override(values: dict[str, dict[str, Any]], path: Path) -> None:
    content = _content(path)
    known = {key for merged in values.values() for key in merged}
    for node, body in content.items():
        given = body.get('ros__parameters') if isinstance(body, dict) else None
        if not isinstance(given, dict):
            raise ConfigurationError(f'params file {path}: {node} needs the level ros__parameters')
        name = str(node).rsplit('/', 1)[-1]
        if name == '**':
            _refuse_unknown(given, known, path)
            for merged in values.values():
                merged |= {key: value for key, value in given.items() if key in merged}
        elif name in values:
            # An unknown key goes to its node all the same: the check names the nearest known one.
            values[name] |= given
        else:
            raise ConfigurationError(
                f'params file {path}: no node {node!r}; nodes are {", ".join(values)}, /** is all'
            )


def _content(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except OSError as error:
        raise ConfigurationError(
            f'params file {path} cannot be read ({error.strerror})'
        ) from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f'params file {path} is not YAML: {error}') from error
    if not isinstance(content, dict):
        raise ConfigurationError(f'params file {path} must hold node names, or /**, at its top')
    return content


def _refuse_unknown(given: Mapping[str, Any], known: set[str], path: Path) -> None:
    for key in given:
        if key not in known:
            hint = instead_of(key, known, else_='no node has it')
            raise ConfigurationError(f'params file {path}: unknown parameter {key!r}; {hint}')


def write_parameters(values: Mapping[str, Mapping[str, Any]], folder: Path) -> dict[str, Path]:
    """Writes one parameter file a node into `folder`; returns the paths by node name.

    Raises:
        ConfigurationError: one cannot be written; what was there before still is.
    """
    paths = {}
    for name, merged in values.items():
        path = folder / f'{name}.yaml'
        told = {key: _as_ros_reads(value) for key, value in merged.items()}
        text = yaml.dump({'/**': {'ros__parameters': told}}, Dumper=_Dumper, sort_keys=True)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, text)
        except OSError as error:
            raise ConfigurationError(
                f'{path} cannot be written ({error.strerror}); make room, or make the folder '
                'writable'
            ) from error
        paths[name] = path
    return paths


class _Text(str):
    """A text that is written in quotes."""


class _Dumper(yaml.SafeDumper):
    """Writes nothing but texts, numbers, lists and mappings."""


_Dumper.add_representer(
    _Text, lambda dumper, text: dumper.represent_scalar('tag:yaml.org,2002:str', text, style="'")
)


def _as_ros_reads(value: Any) -> Any:
    """Returns `value` so that ROS reads it back in its type.

    Its parser takes texts such as 1e3 and y for numbers and switches unless they are quoted, and
    refuses a list of whole numbers and others.
    """
    if isinstance(value, (list, tuple)):
        is_real = any(isinstance(item, float) for item in value)
        return [_as_ros_reads(float(item) if is_real else item) for item in value]
    return _Text(value) if isinstance(value, str) else value
