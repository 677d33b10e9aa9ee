"""The package as pip, colcon and make see it."""

from __future__ import annotations

import ast
import importlib.util
import re
import runpy
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
import setuptools

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / 'quad_learner'
ROS_PACKAGES = {
    'rclpy',
    'builtin_interfaces',
    'diagnostic_msgs',
    'geometry_msgs',
    'nav_msgs',
    'rosgraph_msgs',
    'sensor_msgs',
    'std_msgs',
    'std_srvs',
    'tf2_msgs',
    'rcl_interfaces',
}


@pytest.fixture
def arguments(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Returns what setup.py hands to setuptools."""
    handed: dict[str, Any] = {}
    monkeypatch.setattr(setuptools, 'setup', lambda **given: handed.update(given))
    monkeypatch.chdir(ROOT)
    runpy.run_path('setup.py')
    return handed


@pytest.fixture
def manifest() -> ElementTree.Element:
    """Returns package.xml."""
    return ElementTree.parse(ROOT / 'package.xml').getroot()


def imported(path: Path) -> set[str]:
    """Returns the top-level packages that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split('.')[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split('.')[0])
    return names


def test_name_version_and_licence_are_the_same_everywhere(
    arguments: dict[str, Any], manifest: ElementTree.Element
) -> None:
    assert arguments['name'] == manifest.findtext('name') == 'quad_learner'
    assert arguments['version'] == manifest.findtext('version')
    assert arguments['description'] == manifest.findtext('description')
    assert arguments['license'] == manifest.findtext('license') == 'Apache-2.0'
    newest = re.search(r'^(\d+\.\d+\.\d+) ', (ROOT / 'CHANGELOG.rst').read_text(), re.MULTILINE)
    assert newest is not None
    assert newest.group(1) == arguments['version']


def test_every_executable_is_a_function_that_is_there(arguments: dict[str, Any]) -> None:
    scripts = arguments['entry_points']['console_scripts']
    assert 'quad-learner = quad_learner.cli:main' in scripts
    for script in scripts:
        module, function = script.split(' = ')[1].split(':')
        spec = importlib.util.find_spec(module)
        assert spec is not None, f'{module} is missing'
        assert spec.origin is not None
        tree = ast.parse(Path(spec.origin).read_text())
        assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_node_has_an_executable(arguments: dict[str, Any]) -> None:
    scripts = {script.split(' = ')[0] for script in arguments['entry_points']['console_scripts']}
    nodes = {path.stem for path in (PACKAGE / 'nodes').glob('[a-z]*.py')}
    with_main = {
        node for node in nodes if 'def main(' in (PACKAGE / f'nodes/{node}.py').read_text()
    }
    assert with_main == scripts - {'quad-learner'}


def test_colcon_installs_marker_manifest_configuration_and_launch_files(
    arguments: dict[str, Any],
) -> None:
    installed = {file for _, files in arguments['data_files'] for file in files}
    assert {'resource/quad_learner', 'package.xml'} <= installed
    wanted = {
        str(path.relative_to(ROOT))
        for pattern in ('config/*.yaml', 'config/robots/*.yaml', 'launch/*.launch.py')
        for path in ROOT.glob(pattern)
    }
    assert wanted <= installed
    assert all((ROOT / file).is_file() for file in installed)


def test_every_folder_of_code_is_installed(arguments: dict[str, Any]) -> None:
    folders = {path.parent for path in PACKAGE.rglob('*.py')}
    names = {str(folder.relative_to(ROOT)).replace('/', '.') for folder in folders}
    assert set(arguments['packages']) == names


def test_pip_is_asked_for_nothing_of_ros(arguments: dict[str, Any]) -> None:
    asked = ' '.join(arguments['install_requires'])
    assert not re.search(r'ros|rclpy|msgs', asked)


def test_colcon_finds_that_the_tests_are_of_pytest(arguments: dict[str, Any]) -> None:
    assert arguments['extras_require']['test'] == ['pytest']


def test_the_manifest_names_every_ros_package_that_is_imported(
    manifest: ElementTree.Element,
) -> None:
    named = {element.text for element in manifest.iter() if element.tag.endswith('depend')}
    used = set().union(*(imported(path) for path in PACKAGE.rglob('*.py'))) & ROS_PACKAGES
    assert used <= named


def test_every_requirement_is_pinned_to_one_version() -> None:
    for file in (ROOT / 'requirements').glob('*.txt'):
        lines = [line.split('#')[0].strip() for line in file.read_text().splitlines()]
        for line in filter(None, lines):
            assert re.fullmatch(r'-r \w+\.txt|[A-Za-z0-9-]+==[0-9.]+', line), f'{file}: {line}'


def test_make_help_lists_every_word_and_the_ci_uses_them() -> None:
    printed = subprocess.run(
        ['make', '--no-print-directory', 'help'],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    words = re.search(r'^\.PHONY: (.*)$', (ROOT / 'Makefile').read_text(), re.MULTILINE)
    assert words is not None
    assert set(words.group(1).split()) <= set(re.findall(r'^  (\w+) ', printed, re.MULTILINE))
    assert (ROOT / '.ci' / 'run').read_text().splitlines()[-1] == 'make test'
